"""The checkpoint intervals that leave the most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from myriad.estimate.goodput.expected import Gang, expected
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.intervals import young_s
from myriad.estimate.operations import Array

_SPAN: Final = 100.0
"""Intervals are sought from so much below Young's to so much above it."""
_POINTS: Final = 101
_ROUNDS: Final = 3
"""Each looks closer, between the neighbours of the best before."""
SHORTEST_S: Final = 1.0


def with_interval(gang: Gang, level: int, interval_s: Array | float) -> Gang:
    """The gang with another interval, or an array of them, at one of its levels."""
    levels = list(gang.levels)
    levels[level] = replace(levels[level], interval_s=interval_s)
    return replace(gang, levels=tuple(levels))


def best_intervals(gang: Gang, causes: Sequence[Interruption], free: Sequence[int]) -> tuple[float, ...]:
    """Intervals of all levels, in seconds, those of the levels `free` sought for the largest expected ETTR.

    By numbers, on a grid of logarithms that is refined, one level after the other and each twice where there are
    several: good to a thousandth of the interval, where the ETTR is flat; none below `SHORTEST_S`. Without anything
    that stops the job the given intervals of `gang` stay, since any checkpoint is too many.
    """
    mtti = expected(gang, causes).mtti_s
    if not np.isfinite(mtti):
        return tuple(float(level.interval_s) for level in gang.levels)
    for _ in range(1 if len(free) == 1 else 2):
        for number in free:
            gang = with_interval(gang, number, _best(gang, causes, number, mtti))
    return tuple(float(level.interval_s) for level in gang.levels)


def _best(gang: Gang, causes: Sequence[Interruption], number: int, mtti_s: float) -> float:
    level = gang.levels[number]
    young = float(young_s(np.maximum(level.blocking_s, 1e-3), mtti_s))
    beside = float(level.beside_s)
    low, high = max(young / _SPAN, SHORTEST_S), max(young * _SPAN, 2.0 * beside, 2.0 * SHORTEST_S)
    found = low
    for _ in range(_ROUNDS):
        tried = np.geomspace(low, high, _POINTS)
        at = int(np.argmax(expected(with_interval(gang, number, tried), causes).ettr))
        found = float(tried[at])
        low, high = float(tried[max(at - 1, 0)]), float(tried[min(at + 1, _POINTS - 1)])
    return max(found, beside)
