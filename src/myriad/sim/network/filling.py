"""Progressive filling, compiled: resources fill one after the other, from a heap of the levels at which they will.

A level that is in the heap may be too low, since flows that freeze leave room; it is never too high, so the resource
that comes up is looked at again, and put back where its level has risen. Each flow is touched once, when it freezes.
The heap holds a part of the resources at a time: most are never full, since all their flows freeze elsewhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.sim.compiled import COMPILES, kept_alone

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]

__all__ = ["COMPILES", "fill", "transposed"]


SLICES = 8
"""One in so many resources goes into the heap at a time, those of the lowest levels."""
SAMPLE = 256
"""Levels of so many resources say which are low."""
LEFT, LOAD, OPEN, KEY = 0, 1, 2, 3
"""Of a resource: capacity left, members that still rise, rows of these, level at which it was last seen to be full."""


@kept_alone
def transposed(indptr: IntArray, resource: Index, num_resources: int) -> tuple[IntArray, Index]:
    """For each resource where its rows begin, and the rows."""
    starts = np.zeros(num_resources + 1, np.int64)
    for entry in range(len(resource)):
        starts[resource[entry] + 1] += 1
    for one in range(num_resources):
        starts[one + 1] += starts[one]
    rows = np.empty(len(resource), np.int32)
    place = starts[:-1].copy()
    for row in range(len(indptr) - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            one = resource[entry]
            rows[place[one]] = row
            place[one] += 1
    return starts, rows


@kept_alone
def _sink(heap: Index, size: int, state: Array, at: int, one: int) -> None:
    """Puts a resource into the heap at a place from which it sinks to its own."""
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and state[heap[child + 1], KEY] < state[heap[child], KEY]:
            child += 1
        if state[heap[child], KEY] >= state[one, KEY]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = one


@kept_alone
def fill(
    indptr: IntArray,
    resource: Index,
    weight: Array,
    members: Array,
    capacity: Array,
    starts: IntArray,
    rows: Index,
    again: npt.NDArray[np.bool_],
    rate: Array,
) -> None:
    """Sets `rate` of the rows `again`; the others keep theirs and take their part of the capacity.

    `weight` has one number per entry, or none at all where all are 1.
    """
    num_resources = len(capacity)
    weighted = len(weight) > 0
    state = np.zeros((num_resources, 4))  # side by side, so that an update reads one line of memory
    state[:, LEFT] = capacity
    rising = np.zeros(len(members), np.bool_)
    for row in range(len(members)):
        if members[row] == 0.0:
            continue
        rising[row] = again[row]
        for entry in range(indptr[row], indptr[row + 1]):
            one = resource[entry]
            part = members[row] * weight[entry] if weighted else members[row]
            if rising[row]:
                state[one, LOAD] += part
                state[one, OPEN] += 1.0
            else:
                state[one, LEFT] -= part * rate[row]
        if rising[row] and indptr[row] == indptr[row + 1]:
            rate[row] = np.inf
    heap = np.empty(num_resources, np.int32)
    key = np.empty(num_resources)
    full = np.flatnonzero(state[:, OPEN] > 0.0).astype(np.int32)
    level = 0.0
    while len(full) > 0:
        for index in range(len(full)):
            one = full[index]
            state[one, KEY] = max(max(state[one, LEFT], 0.0) / state[one, LOAD], level)
            key[index] = state[one, KEY]
        sample = np.sort(key[: len(full) : len(full) // SAMPLE + 1])
        end = sample[len(sample) // SLICES]
        size = 0
        for one in full:
            if state[one, KEY] <= end:
                heap[size] = one
                size += 1
        for top in range(size // 2 - 1, -1, -1):  # a heap from the leaves up
            _sink(heap, size, state, top, heap[top])
        while size > 0:
            one = heap[0]
            if state[one, OPEN] > 0.0:
                now = max(max(state[one, LEFT], 0.0) / state[one, LOAD], level)
                if state[one, KEY] * (1.0 + 1e-12) < now <= end:
                    state[one, KEY] = now
                    _sink(heap, size, state, 0, one)
                    continue
                if now <= state[one, KEY] * (1.0 + 1e-12):
                    level = now
                    for position in range(starts[one], starts[one + 1]):
                        row = rows[position]
                        if rising[row]:
                            rising[row] = False
                            rate[row] = level
                            for entry in range(indptr[row], indptr[row + 1]):
                                other = resource[entry]
                                part = members[row] * weight[entry] if weighted else members[row]
                                state[other, LEFT] -= part * level
                                state[other, LOAD] -= part
                                state[other, OPEN] -= 1.0
            size -= 1
            _sink(heap, size, state, 0, heap[size])
        full = full[state[full, OPEN] > 0.0]
