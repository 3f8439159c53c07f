"""Flows that share links now: their rates, and the next moment at which these change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myriad.sim.network.flows import Array, IntArray
from myriad.sim.network.maxmin import Incidence, Mask, set_rates
from myriad.sim.network.paths import Paths

_SAME = 1e-9
"""Moments that differ by less, relative to the time until then, are one."""


def together(parts: Sequence[tuple[Paths, Incidence]]) -> Incidence:
    """The rows of all parts behind each other, over the resources of all."""
    if len(parts) == 1:
        return parts[0][1]
    codes = np.sort(np.concatenate([paths.codes for paths, _ in parts]))
    codes = codes[np.diff(codes, prepend=-1) > 0]
    capacity = np.empty(len(codes))
    resources = []
    for paths, _ in parts:
        place = np.searchsorted(codes, paths.codes).astype(np.int32)
        capacity[place] = paths.capacity
        resources.append(place[paths.resource])
    counts = np.concatenate([np.diff(paths.indptr) for paths, _ in parts])
    weights = [paths.weight for paths, _ in parts if paths.weight is not None]
    return Incidence(
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate(resources),
        capacity,
        np.concatenate(weights) if weights else None,
    )


class Sharing:
    """Rows of several parts (phases), from when one of these starts or ends until the next does."""

    def __init__(self, parts: Sequence[tuple[Paths, Incidence]], left_bytes: Array, bytes_: Array) -> None:
        self.shares = together(parts)
        self.left_bytes = left_bytes
        self._bytes = bytes_
        self.end_s = np.full(len(left_bytes), np.inf)
        """(rows,) when each has ended."""
        sizes = [len(paths.members) for paths, _ in parts]
        self.bounds = np.concatenate([[0], np.cumsum(sizes)])
        members = np.concatenate([paths.members for paths, _ in parts])
        self._members = np.where(left_bytes > 0, members, 0.0)
        self._rate = np.zeros(len(members))
        self._slowest_ended = np.inf
        self.num_solves = 0
        self._solve(self._members > 0)

    def _solve(self, again: Mask) -> None:
        set_rates(self.shares, self._members, again, self._rate)
        self.num_solves += 1
        self._slowest_ended = np.inf

    def advance(self, now_s: float, stop_s: float, tolerance: float) -> tuple[float, list[int]]:
        """Goes on until rates have to be set again, a part ends, or `stop_s`: the moment, and which parts have ended.

        A row that ends changes the rates of none that are slower. So as long as rows end in the order of their rates,
        fastest first, all ends are known already.
        """
        rows = np.flatnonzero(self._members > 0)
        rate = self._rate[rows]
        finish_s = now_s + self.left_bytes[rows] / rate
        until_s = min(stop_s, self._upset_s(now_s, rows, finish_s, tolerance))
        ends_s = self._part_ends_s(rows, finish_s, now_s)
        first_s = ends_s.min()
        ended = []
        if first_s <= until_s:
            ended = np.flatnonzero(ends_s <= first_s + _SAME * (first_s - now_s)).tolist()
            until_s = float(ends_s[ended].max())
        done = finish_s <= until_s
        self.left_bytes[rows] -= np.where(done, 0.0, rate) * (until_s - now_s)
        self.left_bytes[rows[done]] = 0.0
        self.end_s[rows[done]] = finish_s[done]
        self._members[rows[done]] = 0.0
        if done.any():
            self._slowest_ended = min(self._slowest_ended, float(rate[done].min()))
        if not ended and until_s < stop_s:
            self._solve((self._members > 0) & (self._rate >= self._slowest_ended * (1 - _SAME)))
        return until_s, ended

    def _upset_s(self, now_s: float, rows: IntArray, finish_s: Array, tolerance: float) -> float:
        """When rates have to be set again, in seconds.

        When a row ends before one that is as fast or faster; or as long after that as leaves none which has ended since
        more than the time in which it would have sent `tolerance` times its own bytes.
        """
        order = np.argsort(finish_s)
        end_s, rate = finish_s[order], self._rate[rows[order]]
        fastest = np.concatenate([np.maximum.accumulate(rate[::-1])[::-1], [0.0]])
        later = np.searchsorted(end_s, end_s + _SAME * (end_s - now_s), side="right")
        upset = fastest[later] >= rate * (1 - _SAME)
        if not upset.any():
            return np.inf
        first = int(np.argmax(upset))
        patience_s = tolerance * self._bytes[rows[order[first:]]] / rate[first:]
        latest_s = np.minimum.accumulate(end_s[first:] + patience_s)
        return float(latest_s[np.argmax(np.append(end_s[first + 1 :], np.inf) > latest_s)])

    def _part_ends_s(self, rows: IntArray, finish_s: Array, now_s: float) -> Array:
        """(parts,) when each ends at the rates of now."""
        ends_s = np.full(len(self.bounds) - 1, now_s)
        part = np.searchsorted(self.bounds, rows, side="right") - 1
        np.maximum.at(ends_s, part, finish_s)
        return ends_s
