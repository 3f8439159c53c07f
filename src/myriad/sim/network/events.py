"""The clock of a flow simulation: phases start and end, alone or beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from myriad.sim.network.flows import Activity, Array, Flows
from myriad.sim.network.maxmin import Incidence
from myriad.sim.network.paths import Paths, Router
from myriad.sim.network.sharing import Sharing

MOST_TURNS = 8
"""As so many repeats, longer ones, those of a phase are simulated where other activities run beside it."""


@dataclass
class Progress:
    """How far an activity is."""

    activity: Activity
    wake_s: float
    """When the next repeat starts; `inf` while one runs, and after the last."""
    phase_start_s: float
    phase: int = 0
    repeats_left: int = 0
    phase_s: list[float] = field(default_factory=list)
    end_s: float = np.inf

    def begin_phase(self) -> None:
        """Makes the next phase ready to start, or ends the activity."""
        if self.phase < len(self.activity.phases):
            self.repeats_left = self.activity.phases[self.phase].repeats
        else:
            self.end_s, self.wake_s = self.phase_start_s, np.inf

    def end_phase(self, end_s: float) -> None:
        """Notes its time and goes on to the next."""
        self.phase_s.append(end_s - self.phase_start_s)
        self.phase_start_s = self.wake_s = end_s
        self.phase += 1
        self.begin_phase()


@dataclass
class _Running:
    """A repeat of a phase, or several taken as one, that is under way."""

    of: Progress
    laid: tuple[Paths, Incidence]
    turns: int
    start_s: float
    alone: bool
    """Whether nothing else has run since it started."""
    left_bytes: Array
    """(rows,) of each member."""


class Simulation:
    """Runs activities on a router's network; the results are its public fields."""

    def __init__(self, router: Router, activities: Sequence[Activity], tolerance: float) -> None:
        self.router = router
        self.tolerance = tolerance
        self.progress = [Progress(one, one.start_s, one.start_s) for one in activities]
        self.link_bytes: Array = np.zeros(2 * router.network.num_links)
        self.num_solves = 0
        self._laid: dict[int, tuple[Flows, Paths, Incidence]] = {}
        self._running: list[_Running] = []

    def run(self) -> None:
        """Until all activities have ended."""
        for one in self.progress:
            one.begin_phase()
        now_s = self._wake_s()
        while now_s < np.inf:
            self._start(now_s)
            now_s = self._share(now_s) if self._running else self._wake_s()

    def _wake_s(self) -> float:
        return min((one.wake_s for one in self.progress), default=np.inf)

    def _start(self, now_s: float) -> None:
        """Starts all repeats that are due."""
        due = [one for one in self.progress if one.wake_s <= now_s]
        alone = len(due) + len(self._running) == 1
        for one in due:
            phase = one.activity.phases[one.phase]
            paths, shares = self._lay(phase.flows)
            if one.repeats_left == phase.repeats:
                loads = shares.loads(paths.members * paths.bytes_ * phase.repeats)
                self.link_bytes += self.router.link_bytes(paths.codes, loads)
            turns = 1 if alone else min(-(-phase.repeats // MOST_TURNS), one.repeats_left)
            self._running.append(_Running(one, (paths, shares), turns, now_s, alone, paths.bytes_ * turns))
            one.wake_s = np.inf
        if due and not alone:
            for running in self._running:
                running.alone = False

    def _lay(self, flows: Flows) -> tuple[Paths, Incidence]:
        """Paths of flows, laid once for phases that send the same at once or one after the other."""
        if id(flows) not in self._laid:
            in_use = {id(one.of.activity.phases[one.of.phase].flows) for one in self._running}
            self._laid = {key: laid for key, laid in self._laid.items() if key in in_use}
            paths = self.router.paths(flows)
            self._laid[id(flows)] = flows, paths, Incidence(paths.indptr, paths.resource, paths.capacity, paths.weight)
        _, paths, shares = self._laid[id(flows)]
        return paths, shares

    def _share(self, now_s: float) -> float:
        """Lets all that runs share the links until something starts or ends, and returns when that is."""
        running = self._running
        bytes_ = [one.laid[0].bytes_ * one.turns for one in running]
        left_bytes = [one.left_bytes for one in running]
        sharing = Sharing([one.laid for one in running], np.concatenate(left_bytes), np.concatenate(bytes_))
        wake_s = self._wake_s()
        ended: list[int] = []
        while not ended and now_s < wake_s:
            now_s, ended = sharing.advance(now_s, wake_s, self.tolerance)
        self.num_solves += sharing.num_solves
        for index, one in enumerate(running):
            one.left_bytes = sharing.left_bytes[sharing.bounds[index] : sharing.bounds[index + 1]]
        self._running = [one for index, one in enumerate(running) if index not in ended]
        for index in ended:
            self._end(running[index], now_s)
        return now_s

    def _end(self, running: _Running, now_s: float) -> None:
        """Ends a repeat; where it ran alone, those that follow alone take the same time and are passed over."""
        one = running.of
        latency_s = one.activity.phases[one.phase].latency_s
        one.repeats_left -= running.turns
        one.wake_s = now_s + running.turns * latency_s
        if running.alone and one.repeats_left:
            each_s = now_s - running.start_s + latency_s
            others_s = min((other.wake_s for other in self.progress if other is not one), default=np.inf)
            if others_s == np.inf or each_s == 0:
                passed = one.repeats_left
            else:
                passed = min(max(int((others_s - one.wake_s) / each_s), 0), one.repeats_left)
            one.repeats_left -= passed
            one.wake_s += passed * each_s
        if not one.repeats_left:
            one.end_phase(one.wake_s)
