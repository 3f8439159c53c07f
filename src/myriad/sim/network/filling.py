"""Progressive filling, compiled: links saturate one after the other, from a heap of the levels at which they will.

A level that is in the heap may be too low, since flows that freeze leave room; it is never too high, so the link that
comes up is looked at again, and put back where its level has risen. Each flow is touched once, when it freezes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.sim.compiled import COMPILES, kept_alone

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]

__all__ = ["COMPILES", "fill", "transposed"]


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
    left = capacity.copy()
    load = np.zeros(num_resources)
    open_rows = np.zeros(num_resources, np.int64)
    for row in range(len(members)):
        if members[row] == 0.0:
            continue
        for entry in range(indptr[row], indptr[row + 1]):
            one = resource[entry]
            part = members[row] * weight[entry] if weighted else members[row]
            if again[row]:
                load[one] += part
                open_rows[one] += 1
            else:
                left[one] -= part * rate[row]
        if again[row]:
            rate[row] = np.inf if indptr[row] == indptr[row + 1] else -1.0
    key = np.empty(num_resources)
    heap = np.empty(num_resources, np.int32)
    size = 0
    for one in range(num_resources):
        if open_rows[one] > 0:
            key[one] = max(left[one], 0.0) / load[one]
            heap[size] = one
            size += 1
    for top in range(size // 2 - 1, -1, -1):  # a heap from the leaves up
        at = top
        one = heap[at]
        while True:
            child = 2 * at + 1
            if child >= size:
                break
            if child + 1 < size and key[heap[child + 1]] < key[heap[child]]:
                child += 1
            if key[heap[child]] >= key[one]:
                break
            heap[at] = heap[child]
            at = child
        heap[at] = one
    level = 0.0
    while size > 0:
        one = heap[0]
        if open_rows[one] > 0:
            now = max(max(left[one], 0.0) / load[one], level)
        if open_rows[one] == 0 or now <= key[one] * (1.0 + 1e-12):
            if open_rows[one] > 0:
                level = now
                for position in range(starts[one], starts[one + 1]):
                    row = rows[position]
                    if rate[row] >= 0.0 or members[row] == 0.0 or not again[row]:
                        continue
                    rate[row] = level
                    for entry in range(indptr[row], indptr[row + 1]):
                        other = resource[entry]
                        part = members[row] * weight[entry] if weighted else members[row]
                        left[other] -= part * level
                        load[other] -= part
                        open_rows[other] -= 1
            size -= 1
            one = heap[size]
        else:
            key[one] = now
        at = 0
        while True:  # `one` sinks from the top to its place
            child = 2 * at + 1
            if child >= size:
                break
            if child + 1 < size and key[heap[child + 1]] < key[heap[child]]:
                child += 1
            if key[heap[child]] >= key[one]:
                break
            heap[at] = heap[child]
            at = child
        heap[at] = one
