"""Fail-slow: ranks that compute for longer than all others, step after step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import numpy as np

FEWEST_RANKS: Final = 3
"""Of two, nobody can say which is the slow one."""
NOISE: Final = 5.0
"""A slow rank stands out by so many deviations: 1.4826 times the median distance from the median, that of a normal
distribution's bulk, which the slow rank itself does not move."""


@dataclass(frozen=True)
class Slow:
    """One rank that became slow, or recovered."""

    rank: int
    step: int
    factor: float
    """How many times the median of all it computed for, in the last step."""
    slow: bool


@dataclass
class SlowRanks:
    """Follows one life of a run; steps come in order, ranks of a step in any."""

    world_size: int
    factor: float
    steps: int
    """In a row, until a rank is called slow, and again until it is called recovered."""
    slow: set[int] = field(default_factory=set)
    """To begin with: those that were called slow before."""
    _own_s: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    _in_a_row: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self._in_a_row.update(dict.fromkeys(self.slow, 0))

    def add(self, rank: int, step: int, own_s: float) -> list[Slow]:
        """What changed with this figure; something can only when it completes its step."""
        of_step = self._own_s[step]
        of_step[rank] = own_s
        if len(of_step) < self.world_size:
            return []
        for old in [known for known in self._own_s if known <= step]:
            del self._own_s[old]
        return self._judge(step, of_step)

    def _judge(self, step: int, own_s: dict[int, float]) -> list[Slow]:
        if len(own_s) < FEWEST_RANKS:
            return []
        ranks, times = np.array(list(own_s)), np.array(list(own_s.values()))
        median = float(np.median(times))
        deviation = 1.4826 * float(np.median(np.abs(times - median)))
        above = (times > self.factor * median) & (times > median + NOISE * deviation)
        changed = []
        # Ranks that are neither slow nor on the way to it, nearly all, are not looked at one by one.
        for place in np.flatnonzero(above | np.isin(ranks, list(self._in_a_row))):
            rank, is_above = int(ranks[place]), bool(above[place])
            if is_above == (rank in self.slow):  # as before
                self._in_a_row.pop(rank, None)
                if rank in self.slow:
                    self._in_a_row[rank] = 0
                continue
            self._in_a_row[rank] += 1
            if self._in_a_row[rank] >= self.steps:
                factor = float(times[place]) / median if median > 0 else float("inf")
                changed.append(Slow(rank, step, factor, is_above))
                if is_above:
                    self.slow.add(rank)
                    self._in_a_row[rank] = 0
                else:
                    self.slow.discard(rank)
                    del self._in_a_row[rank]
        return changed
