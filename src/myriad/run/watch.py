"""What the events of ranks tell while a submission runs: whether it goes on, who is slow, who is missing."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from myriad.run.diagnosis import Starts
from myriad.run.policy import Policy
from myriad.run.readings import RankEventOf, life_order
from myriad.run.slow import Slow, SlowRanks
from myriad.spec.run import RankEvent, RunEvent
from myriad.spec.training_launch import Promise

LAST_STEPS: Final = 20
MOST_NAMED: Final = 8
"""Ranks named in one text."""


@dataclass
class Watch:
    """One submission, since this supervisor looks at it. Times are those of a monotonic clock."""

    number: int
    since_s: float
    life: str | None = None
    progress_s: float = 0.0
    """When anything new was last told of."""
    trains: bool = False
    """Whether a step of this life has been told of."""
    starts: Starts = field(default_factory=dict)
    world_size: int | None = None
    checkpointed: bool = False
    """Whether a checkpoint was told of that the cadence has not been tuned by."""
    _steps_s: deque[float] = field(default_factory=lambda: deque(maxlen=LAST_STEPS))
    _blocking_s: float = 0.0
    _slow: SlowRanks | None = None
    _known_slow: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.progress_s = self.since_s

    @property
    def slow_ranks(self) -> frozenset[int]:
        return frozenset(self._slow.slow if self._slow else self._known_slow)

    def learn(self, events: Iterable[RankEventOf], now_s: float, policy: Policy) -> list[Slow]:
        """Takes in new events of ranks; ranks that became slow or recovered with them."""
        changed: list[Slow] = []
        for one in events:
            event = one.event
            if life_order(one.life)[0] != self.number:
                continue
            if self.life is None or life_order(one.life) > life_order(self.life):
                self.begin_life(one.life)
            if one.life != self.life or event.kind == "wait":  # who waits makes no progress
                continue
            self.progress_s = now_s
            if event.kind == "start":
                self.know_starts([event])
            elif event.kind == "checkpoint":
                self.checkpointed = True
                self._blocking_s = max(self._blocking_s, event.blocking_s or 0.0)
            elif event.kind == "step" and event.step is not None:
                self.trains = True
                if event.rank == 0 and event.step_s is not None:
                    self._steps_s.append(event.step_s)
                if event.own_s is not None and self.world_size:
                    if self._slow is None:
                        self._slow = SlowRanks(self.world_size, policy.slow_factor, policy.slow_steps, self._known_slow)
                    changed += self._slow.add(event.rank, event.step, event.own_s)
        return changed

    def begin_life(self, life: str) -> None:
        """Forgets the ranks of the life before."""
        self.life, self.trains, self.starts, self.world_size = life, False, {}, None
        self._slow, self._known_slow = None, set()

    def know_starts(self, starts: Iterable[RankEvent]) -> None:
        """Where ranks run."""
        for start in starts:
            self.starts[start.rank] = (start.pid, start.host)
            self.world_size = start.world_size or self.world_size

    def know_slow(self, told: Iterable[RunEvent]) -> None:
        """Ranks of this life that a supervisor before this one has called slow, and not recovered."""
        for one in told:
            if one.rank is not None and one.kind == "slow-rank":
                self._known_slow.add(one.rank)
            elif one.rank is not None and one.kind == "slow-recovered":
                self._known_slow.discard(one.rank)

    def node_of(self, rank: int) -> str | None:
        """The host of a rank, as far as it has told."""
        return self.starts.get(rank, (None, None))[1]

    def patience_s(self, policy: Policy, promise: Promise) -> float:
        """How long nothing new may be told of before the submission hangs, in seconds."""
        if not self.trains:
            return max(policy.start_floor, 3.0 * (promise.restart_s or 0.0))
        step_s = max([promise.step_s, *([median(self._steps_s)] if self._steps_s else [])])
        blocking_s = max(self._blocking_s, promise.checkpoint_blocking_s or 0.0)
        return max(policy.hang_floor, policy.hang_steps * step_s + 2.0 * blocking_s)

    def missing_ranks(self, last_steps: Mapping[int, int], waits: Iterable[RankEvent]) -> tuple[list[int], str]:
        """Ranks that hold the others up, as far as anything tells, and how that is known.

        `last_steps` has the last step that each rank has told of, `waits` those that told that they wait.
        """
        silent = sorted(set(range(self.world_size or 0)) - set(last_steps))
        if silent:
            return silent, "never started"
        furthest = max(last_steps.values(), default=0)
        behind = sorted(rank for rank, step in last_steps.items() if step < furthest)
        if behind:
            return behind, f"did not reach step {furthest}"
        if stopped := _stopped_here(self.starts):
            return stopped, f"stopped after step {furthest}"
        waiting = {one.rank for one in waits if (one.step or 0) > last_steps.get(one.rank, 0)}
        if waiting and (others := sorted(set(last_steps) - waiting)):
            return others, f"did not come to where all others wait, after step {furthest}"
        return [], f"all ranks reached step {furthest} and none the next"


def ranks_text(ranks: list[int]) -> str:
    """Ranks for people, not all of ten thousand.

    >>> ranks_text([3]), ranks_text(list(range(100)))
    ('rank 3', 'ranks 0, 1, 2, 3, 4, 5, 6, 7 and 92 more')
    """
    named = ", ".join(map(str, ranks[:MOST_NAMED]))
    more = f" and {len(ranks) - MOST_NAMED} more" if len(ranks) > MOST_NAMED else ""
    return f"rank{'s' if len(ranks) > 1 else ''} {named}{more}"


def _stopped_here(starts: Starts) -> list[int]:
    """Ranks on this machine whose process is stopped or gone: all wait for these."""
    import psutil

    here, found = socket.gethostname(), []
    for rank, (pid, host) in sorted(starts.items()):
        if pid is None or host != here:
            continue
        status = psutil.STATUS_DEAD
        with contextlib.suppress(psutil.Error):
            status = psutil.Process(pid).status()
        if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            found.append(rank)
    return found
