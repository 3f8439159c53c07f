"""How long an iteration takes, from the tables of a pool."""

from __future__ import annotations

import math

from myriad.sim.compiled import compiled
from myriad.sim.serving.state import (
    CHUNK_END,
    CHUNK_FROM,
    CHUNK_VALUES,
    DECODE_VALUES,
    GAP_BINS,
    GAP_BINS_PER_E,
    GAP_LEAST_S,
    GAPS,
    KEYS_END,
    KEYS_FROM,
    NEVER,
    PAST_END,
    PAST_FROM,
    SEQUENCES_END,
    SEQUENCES_FROM,
    TOKEN_VALUES,
    TOKENS_END,
    TOKENS_FROM,
    Floats,
    Ints,
)


@compiled
def segment(axis: Floats, first: int, end: int, x: float) -> int:
    """Place of the point at or before x in `axis[first:end]`, of two points the first: what x lies between."""
    low, high = first, end - 2
    while low < high:
        middle = (low + high + 1) // 2
        if axis[middle] <= x:
            low = middle
        else:
            high = middle - 1
    return low


@compiled
def share(axis: Floats, first: int, end: int, at: int, x: float) -> float:
    """How far x is between the points `at` and `at + 1`; 0 before the first point, above 1 beyond the last."""
    if end - first < 2 or x <= axis[first]:
        return 0.0
    return (x - axis[at]) / (axis[at + 1] - axis[at])


@compiled
def token_s(ints: Ints, floats: Floats, pool: int, tokens: float) -> float:
    """Time of all but attention, in seconds."""
    first, end = ints[pool + TOKENS_FROM], ints[pool + TOKENS_END]
    at = segment(floats, first, end, tokens)
    part = share(floats, first, end, at, tokens)
    low = ints[pool + TOKEN_VALUES] + at - first
    high = low + (1 if end - first > 1 else 0)
    return floats[low] + part * (floats[high] - floats[low])


@compiled
def chunk_s(ints: Ints, floats: Floats, pool: int, tokens: float, past: float) -> float:
    """Time of one chunk's attention, in seconds."""
    first, end = ints[pool + CHUNK_FROM], ints[pool + CHUNK_END]
    past_first, past_end = ints[pool + PAST_FROM], ints[pool + PAST_END]
    row = segment(floats, first, end, tokens)
    part = share(floats, first, end, row, tokens)
    column = segment(floats, past_first, past_end, past)
    past_part = share(floats, past_first, past_end, column, past)
    width = past_end - past_first
    low = ints[pool + CHUNK_VALUES] + (row - first) * width + column - past_first
    high = low + (width if end - first > 1 else 0)
    step = 1 if width > 1 else 0
    at_low = floats[low] + past_part * (floats[low + step] - floats[low])
    at_high = floats[high] + past_part * (floats[high + step] - floats[high])
    return at_low + part * (at_high - at_low)


@compiled
def decode_line(ints: Ints, floats: Floats, pool: int, sequences: float, keys: float) -> tuple[float, float, float]:
    """Time of the decoding sequences' attention at these mean keys, what a key adds, and up to how many keys it does.

    Seconds, seconds per key, keys. Between two points of the axis the time is a straight line.
    """
    first, end = ints[pool + SEQUENCES_FROM], ints[pool + SEQUENCES_END]
    keys_first, keys_end = ints[pool + KEYS_FROM], ints[pool + KEYS_END]
    row = segment(floats, first, end, sequences)
    part = share(floats, first, end, row, sequences)
    width = keys_end - keys_first
    column = segment(floats, keys_first, keys_end, keys)
    low = ints[pool + DECODE_VALUES] + (row - first) * width + column - keys_first
    high = low + (width if end - first > 1 else 0)
    value = floats[low] + part * (floats[high] - floats[low])
    if width < 2:
        return value, 0.0, NEVER
    if keys < floats[keys_first]:
        return value, 0.0, floats[keys_first]
    value_next = floats[low + 1] + part * (floats[high + 1] - floats[low + 1])
    slope = (value_next - value) / (floats[column + 1] - floats[column])
    value += slope * (keys - floats[column])
    return value, slope, floats[column + 1] if column + 2 < keys_end else NEVER


@compiled
def run_s(first_s: float, growth_s: float, iterations: int) -> float:
    """Time of a run of iterations of which each takes `growth_s` longer than the one before, in seconds."""
    return iterations * first_s + growth_s * (0.5 * iterations * (iterations - 1))


@compiled
def add_gaps(ints: Ints, floats: Floats, first_s: float, growth_s: float, count: int, weight: float) -> None:
    """Counts times between tokens: `count` of them that grow evenly, each `weight` times."""
    if count <= 0 or weight <= 0.0:
        return
    last_s = first_s + growth_s * (count - 1)
    pieces = 1
    if count > 1 and first_s > 0.0:
        pieces = min(count, 1 + int(abs(last_s - first_s) / first_s * GAP_BINS_PER_E))
    each = weight * count / pieces
    for piece in range(pieces):
        gap_s = first_s + (last_s - first_s) * (piece + 0.5) / pieces
        place = 0
        if gap_s > GAP_LEAST_S:
            place = min(int(math.log(gap_s / GAP_LEAST_S) * GAP_BINS_PER_E), GAP_BINS - 1)
        floats[ints[GAPS] + place] += each
