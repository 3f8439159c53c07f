"""Max-min fair rates: no flow can get more without taking from one that has no more than it.

Progressive filling: the rate of all flows rises together until a resource is full; its flows freeze, the others rise
on (Bertsekas and Gallager, Data Networks, 6.5.2). Two ways to the same rates, up to rounding: compiled, one resource
after the other from a heap; and in NumPy, in rounds that freeze at once the flows of every resource that fills before
all those with which it shares a flow. That is exact: the level at which a resource fills only rises when others do
before it, and nothing of its own can freeze earlier. Checked against linear programs in
tests/validation/test_max_min_oracle.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from myriad.sim.network.filling import COMPILES, fill, transposed

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Index = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_SAME = 1e-12
"""Levels that differ by less, relative, are one."""


@dataclass(frozen=True)
class Incidence:
    """Which rows use which resources: row i those of entries `indptr[i]` to `indptr[i + 1]`."""

    indptr: IntArray
    resource: Index
    capacity: Array
    """(R,) in bytes/s."""
    weight: Array | None = None
    """Share of the rate of a row that an entry takes; `None`: all of it."""

    @property
    def num_rows(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def by_resource(self) -> tuple[IntArray, Index]:
        """For each resource where its rows begin, and the rows."""
        return transposed(self.indptr, self.resource, len(self.capacity))

    def loads(self, per_row: Array) -> Array:
        """(R,) the sum of `per_row` over the rows of each resource, by their weights."""
        each = np.repeat(per_row, np.diff(self.indptr))
        if self.weight is not None:
            each = each * self.weight
        return np.bincount(self.resource, each, len(self.capacity)).astype(np.float64)


def max_min_rates(
    indptr: npt.ArrayLike,
    resource: npt.ArrayLike,
    capacity: npt.ArrayLike,
    members: npt.ArrayLike,
    weight: npt.ArrayLike | None = None,
) -> Array:
    """(F,) rate of each of the `members[i]` equal flows of a row, in the unit of `capacity`.

    Row i uses the resources `resource[indptr[i]:indptr[i + 1]]`, of each the share `weight` of its rate. A row without
    resources is without bound (`inf`); one without members, or over a resource without capacity, gets 0.

    >>> max_min_rates([0, 2, 3, 4], [0, 1, 0, 1], [10.0, 30.0], [1, 1, 1])
    array([ 5.,  5., 25.])
    """
    shares = Incidence(
        np.asarray(indptr, np.int64),
        np.asarray(resource, np.int32),
        np.asarray(capacity, np.float64),
        None if weight is None else np.asarray(weight, np.float64),
    )
    rate = np.zeros(shares.num_rows)
    set_rates(shares, np.asarray(members, np.float64), np.ones(shares.num_rows, bool), rate)
    return rate


def set_rates(shares: Incidence, members: Array, again: Mask, rate: Array) -> None:
    """Sets `rate` of the rows `again` to what is max-min fair while all others keep theirs.

    When flows end, all that were slower than the slowest of them keep their rates, since the resources which held these
    back were full before any of that one's were; so only the others need be set again.
    """
    if COMPILES:
        starts, rows = shares.by_resource
        weight = np.zeros(0) if shares.weight is None else shares.weight
        fill(shares.indptr, shares.resource, weight, members, shares.capacity, starts, rows, again, rate)
    else:
        set_rates_plain(shares, members, again, rate)


def set_rates_plain(shares: Incidence, members: Array, again: Mask, rate: Array) -> None:
    """As `set_rates`, without compiled code."""
    lengths = np.diff(shares.indptr)
    kept = members * ~again > 0
    left = shares.capacity - shares.loads(np.where(kept, members * np.where(kept, rate, 0.0), 0.0))
    again = again & (members > 0)
    rate[again & (lengths == 0)] = np.inf
    row = np.flatnonzero(again & (lengths > 0))
    resource, load, lengths = _taken(shares, row, members)
    num_resources = len(shares.capacity)
    while len(row):
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        total = np.bincount(resource, load, num_resources)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = np.where(total > 0, np.maximum(left, 0.0) / total, np.inf)
        of_entry = level[resource]
        of_row = np.minimum.reduceat(of_entry, starts)
        earliest = np.ones(num_resources, bool)
        earliest[resource[np.repeat(of_row, lengths) < of_entry * (1 - _SAME)]] = False
        frozen = np.logical_or.reduceat(earliest[resource], starts)
        rate[row[frozen]] = of_row[frozen]
        entries = np.repeat(frozen, lengths)
        taken = load * np.repeat(of_row, lengths)
        left = left - np.bincount(resource[entries], taken[entries], num_resources)
        row, lengths = row[~frozen], lengths[~frozen]
        resource, load = resource[~entries], load[~entries]


def _taken(shares: Incidence, row: IntArray, members: Array) -> tuple[Index, Array, IntArray]:
    """The resources of some rows, entry by entry, with what each takes per unit of rate, and how many each row has."""
    lengths = np.diff(shares.indptr)[row]
    entry = entries_of(shares.indptr[row], lengths)
    load = np.repeat(members[row], lengths)
    return shares.resource[entry], load if shares.weight is None else load * shares.weight[entry], lengths


def entries_of(starts: IntArray, lengths: IntArray) -> IntArray:
    """The numbers from each start on, as many as its length, one after the other.

    >>> entries_of(np.array([5, 0]), np.array([2, 3]))
    array([5, 6, 0, 1, 2])
    """
    before = np.cumsum(lengths) - lengths
    entries: IntArray = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return entries
