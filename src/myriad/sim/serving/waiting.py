"""Queues: pairing heaps of waiting requests, a heap of transfers, and the clock."""

from __future__ import annotations

from myriad.sim.compiled import compiled
from myriad.sim.serving.state import (
    CHILD,
    CLOCK,
    IN_FLIGHT,
    KEY,
    LEAVES,
    NEVER,
    NONE,
    SIBLING,
    TRANSFER_LEAF,
    TRANSFERS,
    WINNER,
    Floats,
    Ints,
)


@compiled
def merged(ints: Ints, one: int, other: int) -> int:
    """Root of the two heaps as one."""
    if one == NONE:
        return other
    if other == NONE:
        return one
    if ints[one + KEY] > ints[other + KEY]:
        one, other = other, one
    ints[other + SIBLING] = ints[one + CHILD]
    ints[one + CHILD] = other
    return one


@compiled
def without_root(ints: Ints, root: int) -> int:
    """Root of the heap after its first request has left: its children are merged in pairs, then from the right."""
    pairs = NONE
    child = ints[root + CHILD]
    ints[root + CHILD] = NONE
    while child != NONE:
        partner = ints[child + SIBLING]
        ints[child + SIBLING] = NONE
        following = NONE
        if partner != NONE:
            following = ints[partner + SIBLING]
            ints[partner + SIBLING] = NONE
        pair = merged(ints, child, partner)
        ints[pair + SIBLING] = pairs
        pairs = pair
        child = following
    root = NONE
    while pairs != NONE:
        following = ints[pairs + SIBLING]
        ints[pairs + SIBLING] = NONE
        root = merged(ints, root, pairs)
        pairs = following
    return root


@compiled
def set_clock(ints: Ints, floats: Floats, leaf: int, at_s: float) -> None:
    """Sets when a source has its next event; among equal times the lower leaf goes first."""
    clock, winner = ints[CLOCK], ints[WINNER]
    floats[clock + leaf] = at_s
    place = (leaf + ints[LEAVES]) >> 1
    while place:
        left, right = ints[winner + 2 * place], ints[winner + 2 * place + 1]
        ints[winner + place] = left if floats[clock + left] <= floats[clock + right] else right
        place >>= 1


@compiled
def push_transfer(ints: Ints, floats: Floats, at_s: float, request: int) -> None:
    """Adds a transfer to the heap of these; equal times in the order of requests."""
    heap = ints[TRANSFERS]
    place = ints[IN_FLIGHT]
    while place:
        parent = (place - 1) >> 1
        if floats[heap + parent] < at_s or (floats[heap + parent] == at_s and ints[heap + parent] < request):
            break
        floats[heap + place], ints[heap + place] = floats[heap + parent], ints[heap + parent]
        place = parent
    floats[heap + place], ints[heap + place] = at_s, request
    ints[IN_FLIGHT] += 1
    set_clock(ints, floats, TRANSFER_LEAF, floats[heap])


@compiled
def pop_transfer(ints: Ints, floats: Floats) -> int:
    """The request of the first transfer, which leaves the heap."""
    heap = ints[TRANSFERS]
    ints[IN_FLIGHT] -= 1
    size = ints[IN_FLIGHT]
    first = ints[heap]
    at_s, request = floats[heap + size], ints[heap + size]
    place = 0
    while 2 * place + 1 < size:
        child = heap + 2 * place + 1
        other = child + 1
        if other < heap + size and (
            floats[other] < floats[child] or (floats[other] == floats[child] and ints[other] < ints[child])
        ):
            child = other
        if at_s < floats[child] or (at_s == floats[child] and request < ints[child]):
            break
        floats[heap + place], ints[heap + place] = floats[child], ints[child]
        place = child - heap
    floats[heap + place], ints[heap + place] = at_s, request
    set_clock(ints, floats, TRANSFER_LEAF, floats[heap] if size else NEVER)
    return first
