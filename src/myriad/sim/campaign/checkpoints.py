"""Progress of a job between two stops, and what of it was saved: checkpoints as arithmetic, not as events.

Between two restarts training is a clock that stands still while a checkpoint blocks. Level `i` starts a checkpoint each
time that this clock has gone on by its gap, counted from the restart:

    gap_i = max(interval_i, write_i - blocking_i, step)

A write that takes longer than the interval so delays the next one until it is done: never two of one level at a time.
Wall time until the clock shows `u` is `u + sum(blocking_i * checkpoints of i started before u)`, where levels that
start at the same moment block one after the other. So where a job is after any wall time is found without going through
its checkpoints, of which a year has a million.

A checkpoint holds the progress of its start, and can be read back `write_s` after it. The newest such one of each level
is kept (`saved`), and the one being written (`pending`); what a stop interrupts is never completed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from myriad.sim.campaign.described import Level


@dataclass(slots=True, eq=False)
class Snapshot:
    """One checkpoint."""

    started_s: float
    progress_s: float
    usable_s: float
    complete: bool = False


@dataclass(slots=True, eq=False)
class Spoil:
    """State that is wrong since a moment, and the checkpoints of each level from before, the newest first."""

    since_s: float
    clean: list[list[Snapshot]]


class Training:
    """A job's progress at full speed, in seconds, and its checkpoints by level."""

    def __init__(self, levels: Sequence[Level], step_s: float) -> None:
        self.levels = levels
        self.gaps = [max(one.interval_s, one.write_s - one.blocking_s, step_s) for one in levels]
        if min(self.gaps, default=1.0) <= 0.0:
            raise ValueError("a checkpoint level without interval, and a step without length")
        self.load = 1.0 + sum(one.blocking_s / gap for one, gap in zip(levels, self.gaps, strict=True))
        self.progress_s = 0.0
        self.speed = 1.0
        self.saved: list[Snapshot | None] = [None] * len(levels)
        self.pending: list[Snapshot | None] = [None] * len(levels)
        self._spoils: list[Spoil] = []
        self.begin(0.0)

    def begin(self, now_s: float) -> None:
        """Trains on from here; the gaps of all levels count from now."""
        self.anchor_s = self.settled_s = now_s
        self.clock_s = 0.0
        self._resumed_at_s = self.progress_s
        self.counts = [0] * len(self.levels)

    def resume(self, now_s: float) -> None:
        """Trains on after a stall since the last `settle`, in the same gaps."""
        self.anchor_s += now_s - self.settled_s
        self.settled_s = now_s
        self._resumed_at_s = self.progress_s

    def settle(self, now_s: float) -> tuple[float, float]:
        """Goes on to `now_s`; the seconds since the last call that training went on, and that it was blocked."""
        clock_s, counts = self._after(now_s - self.anchor_s)
        clock_s = max(clock_s, self.clock_s)
        for level, count in enumerate(counts):
            if self.pending[level] is not None or count > self.counts[level]:
                self._write(level, count, now_s)
        trained_s = clock_s - self.clock_s
        blocked_s = max(0.0, now_s - self.settled_s - trained_s)
        self.progress_s += self.speed * trained_s
        self.clock_s, self.counts, self.settled_s = clock_s, counts, now_s
        return trained_s, blocked_s

    def done_at(self, work_s: float) -> float:
        """When progress will be `work_s` at this speed; call after `settle`."""
        left_s = work_s - self.progress_s
        if left_s <= 0.0:
            return self.settled_s
        if math.isinf(left_s) or self.speed <= 0.0:
            return math.inf
        clock_s = self.clock_s + left_s / self.speed
        return max(self.settled_s, self.anchor_s + self._wall(clock_s, 0))

    def newest(self, survives: Sequence[bool]) -> Snapshot | None:
        """The checkpoint to go on from: the newest of the levels that survive, of those the cheapest to read."""
        best, best_key = None, (0.0, 0.0)
        for level, saved, lives in zip(self.levels, self.saved, survives, strict=True):
            if saved is not None and lives:
                key = (saved.progress_s, -level.read_s)
                if best is None or key > best_key:
                    best, best_key = saved, key
        return best

    def drop(self, survives: Sequence[bool], now_s: float) -> None:
        """What did not survive is gone, and what was being written is never done."""
        for level, lives in enumerate(survives):
            pending = self.pending[level]
            if pending is not None and pending.usable_s <= now_s:
                pending.complete = True
                self.saved[level] = pending
            self.pending[level] = None
            if not lives:
                self.saved[level] = None
                for spoil in self._spoils:
                    spoil.clean[level] = []

    def fall_back(self) -> float:
        """Goes back to the newest checkpoint, or the beginning, which takes no reading; the seconds to read it."""
        best = self.newest([True] * len(self.levels))
        if best is None:
            self.progress_s = 0.0
            return 0.0
        self.progress_s = best.progress_s
        return next(one.read_s for one, saved in zip(self.levels, self.saved, strict=True) if saved is best)

    def save(self, level: int, now_s: float) -> None:
        """Has all progress saved in one level, now."""
        self.saved[level] = Snapshot(now_s, self.progress_s, now_s, complete=True)

    def lose(self, step_s: float) -> float:
        """Takes back the step under way, but nothing that a checkpoint or a stall came after; the seconds lost."""
        kept = [one.progress_s for one in (*self.saved, *self.pending) if one is not None]
        lost_s = min(step_s, self.progress_s - max(self._resumed_at_s, *kept, 0.0))
        self.progress_s -= lost_s
        return lost_s

    def spoil(self, now_s: float) -> Spoil:
        """Remembers that the state is wrong from now on; call after `settle`."""
        clean = [
            [one for one in (pending, saved) if one is not None]
            for pending, saved in zip(self.pending, self.saved, strict=True)
        ]
        self._spoils.append(Spoil(now_s, clean))
        return self._spoils[-1]

    def distrust(self, spoil: Spoil) -> None:
        """The wrong state is found: nothing that was begun since can be used."""
        self._spoils.remove(spoil)
        for index, level in enumerate(self.levels):
            kept = [one for one in spoil.clean[index] if one.complete and level.to != "peer-memory"][:1]
            saved = self.saved[index]
            if saved is not None and saved.started_s >= spoil.since_s:
                self.saved[index] = kept[0] if kept else None
            for later in self._spoils:
                trusted = [one for one in later.clean[index] if one.started_s < spoil.since_s]
                later.clean[index] = trusted or kept

    def _write(self, level: int, count: int, now_s: float) -> None:
        """Brings one level up to its checkpoint number `count`."""
        pending = self.pending[level]
        if pending is not None and (count > self.counts[level] or pending.usable_s <= now_s):
            pending.complete = True
            self.saved[level], self.pending[level] = pending, None
        if count <= self.counts[level]:
            return
        newest = self._snapshot(level, count)
        if newest.usable_s > now_s:
            self.pending[level] = newest
            if count - 1 == self.counts[level]:
                return
            newest = self._snapshot(level, count - 1)
        newest.complete = True
        self.saved[level] = newest

    def _snapshot(self, level: int, number: int) -> Snapshot:
        clock_s = number * self.gaps[level]
        started_s = self.anchor_s + self._wall(clock_s, level)
        progress_s = self.progress_s + self.speed * max(0.0, clock_s - self.clock_s)
        return Snapshot(started_s, progress_s, started_s + self.levels[level].write_s)

    def _wall(self, clock_s: float, before: int) -> float:
        """Wall time until the clock shows `clock_s`, and levels below `before` have blocked there too."""
        wall_s = clock_s
        for level, (one, gap_s) in enumerate(zip(self.levels, self.gaps, strict=True)):
            wall_s += one.blocking_s * _started(clock_s, gap_s, level < before)
        return wall_s

    def _after(self, wall_s: float) -> tuple[float, list[int]]:
        """What the clock shows so much wall time after the restart, and by level the checkpoints that have started.

        `wall / load` is behind the clock by no more than one blocking of each level; the rest is walked.
        """
        clock_s = max(0.0, wall_s) / self.load
        counts = [_started(clock_s, gap_s, False) for gap_s in self.gaps]
        passed_s = clock_s + sum(one.blocking_s * count for one, count in zip(self.levels, counts, strict=True))
        while True:
            next_s, level = math.inf, -1
            for index, gap_s in enumerate(self.gaps):
                if (counts[index] + 1) * gap_s < next_s:
                    next_s, level = (counts[index] + 1) * gap_s, index
            if passed_s + (next_s - clock_s) > wall_s:
                return clock_s + max(0.0, wall_s - passed_s), counts
            passed_s += next_s - clock_s
            clock_s = next_s
            counts[level] += 1
            passed_s += self.levels[level].blocking_s
            if passed_s >= wall_s:
                return clock_s, counts


def _started(clock_s: float, gap_s: float, with_last: bool) -> int:
    """Multiples of the gap before `clock_s`, and at it too `with_last`: compared as they are computed elsewhere."""
    if clock_s < gap_s:
        return 0
    count = int(clock_s / gap_s)
    while count * gap_s > clock_s or (count * gap_s == clock_s and not with_last):
        count -= 1
    while (count + 1) * gap_s < clock_s or ((count + 1) * gap_s == clock_s and with_last):
        count += 1
    return count
