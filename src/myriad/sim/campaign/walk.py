"""A job walks through the incidents of its cluster: one pass over events by time.

The job is in one phase at a time; whatever happens closes the phase that was, in the ledger, and opens the next:

    running -> (failure) -> detection -> diagnosis -> waiting, if nodes are missing -> restarting -> running
    running -> (planned stop) -> saving -> waiting, if nodes are missing -> restarting -> running

A failure of one of its nodes in any phase but the first leads to detection again, so a restart that fails starts over.
Several failures in one stop are found side by side: detection ends with the last of them.

`Walk` is mode `restart`; the other modes (`modes`) say otherwise where they differ.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any, Final

from myriad.sim.campaign.account import (
    CHECKPOINT,
    DEGRADED,
    DETECTION,
    DIAGNOSIS,
    MAINTENANCE,
    NOBODY,
    PRODUCTIVE,
    RESTART,
    WAITING,
    Account,
    Blame,
)
from myriad.sim.campaign.checkpoints import Training
from myriad.sim.campaign.described import Campaign, CampaignRun
from myriad.sim.campaign.nodes import AWAY, JOB, SPARE, Nodes

STALLED: Final = -1
"""Phase of the replicas that train, while one leaves or joins. The other phases are categories of the ledger."""
RUNS: Final = (PRODUCTIVE, STALLED)


class Walk:
    """State of a job and its cluster at one moment, and what moves it on."""

    def __init__(self, campaign: Campaign, num_nodes: int, num_causes: int) -> None:
        self.campaign = campaign
        self.nodes = Nodes(num_nodes, campaign.repair_crews)
        self.training = Training(campaign.levels, campaign.step_s)
        self.account = Account(num_causes)
        self.finished = False
        self.due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self.phase = DIAGNOSIS
        self.phase_ends_s = 0.0
        self._since_s = 0.0
        self._blame = NOBODY
        self._detected_s = self._diagnosed_s = 0.0
        self._read_s = 0.0
        self._save_to = -1
        self._swap = False
        self._size = campaign.nodes
        self._short_of = NOBODY
        self._slow, self._slow_cause = 1.0, NOBODY.cause
        self._cap = 1.0
        self._finish_s = math.inf
        self.slows: list[tuple[float, int, list[tuple[int, int]]]] = []
        """Speed, cause, nodes with how often they had left service; no nodes where it is the whole job."""
        self._asked: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    # -- what any part calls ------------------------------------------------------------------------------------------

    def later(self, at_s: float, call: Callable[..., None], *arguments: Any) -> None:
        """Has it called with its time and the arguments."""
        self._sequence += 1
        heapq.heappush(self.due, (at_s, self._sequence, call, arguments))

    def next_due(self) -> None:
        """Calls what is due next."""
        at_s, _, call, arguments = heapq.heappop(self.due)
        call(max(at_s, 0.0), *arguments)

    def settle(self, now_s: float) -> None:
        """Books what passed since the last time."""
        spend, passed_s = self.account.spend, now_s - self._since_s
        if not passed_s:
            return
        if self.phase == PRODUCTIVE:
            trained_s, blocked_s = self.training.settle(now_s)
            spend(CHECKPOINT, NOBODY.cause, blocked_s)
            if self.training.speed < 1.0:
                share = self._size / self.campaign.nodes
                spend(DEGRADED, self._short_of.cause, (1.0 - share) * trained_s)
                spend(DEGRADED, self._slow_cause, share * (1.0 - self._slow) * trained_s)
                spend(DEGRADED, NOBODY.cause, share * self._slow * (1.0 - self._cap) * trained_s)
        else:
            spend(RESTART if self.phase == STALLED else self.phase, self._blame.cause, passed_s)
        self._since_s = now_s

    def repair(self, now_s: float, nodes: list[int], repair_s: float) -> None:
        """Orders one repair of all these nodes."""
        self._repair_begins(now_s, self.nodes.order(nodes, repair_s))

    def stop(self, now_s: float, blame: Blame, found_s: tuple[float, float], hit: list[int], gone: bool) -> None:
        """A failure ends the step. `found_s`: detection, diagnosis; `hit`: its nodes, out of service if `gone`."""
        self.stop_all(now_s, blame, found_s, gone, len(hit) > 1)

    def stop_all(
        self, now_s: float, blame: Blame, found_s: tuple[float, float], gone: bool, several: bool = False
    ) -> None:
        """The whole job stops, or is kept from starting."""
        self.settle(now_s)
        if self.phase in RUNS:
            self._halt(now_s)
        self._restore(now_s, self._survives(gone, several), blame)
        self._swap |= gone
        self._blame = blame
        self._detected_s = max(self._detected_s, now_s + found_s[0])
        self._diagnosed_s = max(self._diagnosed_s, now_s + found_s[0] + found_s[1])
        self._next(now_s)

    def leave(self, now_s: float, blame: Blame, hit: list[int]) -> None:
        """Nodes of a job are taken out by plan, after a last checkpoint where it runs without them no longer."""
        if self.phase in RUNS:
            self._save(now_s, blame, gone=True, several=len(hit) > 1)
        elif self.phase != CHECKPOINT:
            self.settle(now_s)
            self._restore(now_s, self._survives(gone=True, several=len(hit) > 1), blame)
            self._next(now_s)

    def nodes_back(self, now_s: float) -> None:
        """There are more spares than before."""
        if self.phase in (WAITING, MAINTENANCE):
            self.settle(now_s)
            self._start(now_s)
        self._ask_again(now_s)

    def can_do_without(self, nodes: int) -> bool:
        """Whether the job could restart at once if so many of the usable nodes were out."""
        return self._target(-nodes) > 0

    def when_nodes_are_back(self, call: Callable[..., None], *arguments: Any) -> None:
        """Has it called, with the time and the arguments, when there are more spares and the job runs."""
        self._asked.append((call, arguments))

    def _ask_again(self, now_s: float) -> None:
        if self._asked and self.phase in RUNS:
            asked, self._asked = self._asked, []
            for call, arguments in asked:
                call(now_s, *arguments)

    def pace(self, now_s: float) -> None:
        """Sets the speed again after something that changes it."""
        if self.phase != PRODUCTIVE:
            return
        self.settle(now_s)
        self._slow, self._slow_cause = 1.0, NOBODY.cause
        for speed, cause, seen in self.slows:
            if speed < self._slow and (not seen or self.still(seen, JOB)):
                self._slow, self._slow_cause = speed, cause
        self.training.speed = self._size / self.campaign.nodes * self._slow * self._cap
        self.phase_ends_s = self._finish_s = self.training.done_at(self.campaign.work_s)

    def still(self, seen: list[tuple[int, int]], *states: int) -> list[int]:
        """Those of the nodes that were not taken out since they were seen, and are in one of the states."""
        state, leaves = self.nodes.state, self.nodes.leaves
        return [node for node, left in seen if leaves[node] == left and state[node] in states]

    # -- windows, joining, repairs ------------------------------------------------------------------------------------

    def window(self, now_s: float, speed: float, nodes_out: int) -> None:
        """From now on, by plan, the job runs at that speed at most and the first so many nodes are out."""
        self.settle(now_s)
        self._cap = speed
        before = self.nodes.out
        had = self.nodes.maintain(nodes_out)
        if nodes_out > before:
            self.account.log(now_s, "maintenance")
        if had:
            self.leave(now_s, NOBODY, had)
        self.pace(now_s)
        if nodes_out < before:
            self.nodes_back(now_s)

    def join(self, now_s: float, nodes: list[int]) -> None:
        """New nodes."""
        self.nodes.enter(nodes)
        self.nodes_back(now_s)

    def _repaired(self, now_s: float, nodes: list[int]) -> None:
        self.account.log(now_s, "repaired", node=nodes[0])
        self._repair_begins(now_s, self.nodes.repaired(nodes))
        self.nodes_back(now_s)

    def _repair_begins(self, now_s: float, begun: tuple[list[int], float] | None) -> None:
        if begun is not None:
            self.later(now_s + begun[1], self._repaired, begun[0])

    # -- phases -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The job starts with the clock where the nodes are there; that start is free."""
        target = self._target()
        if target:
            self._fill(0.0, target)
            self._run(0.0)
        else:
            self._start(0.0)

    def phase_ends(self, now_s: float) -> None:
        """What was to last until now has."""
        phase = self.phase
        self.settle(now_s)
        if phase == PRODUCTIVE:
            if now_s >= self._finish_s:
                self.finished = True
                self.training.progress_s = self.campaign.work_s
                self.account.log(now_s, "finished")
            else:
                self._grow(now_s)
        elif phase == STALLED:
            self.training.resume(now_s)
            self.phase = PRODUCTIVE
            self.pace(now_s)
        elif phase == CHECKPOINT:
            self.training.save(self._save_to, now_s)
            self._read_s = self.training.fall_back()
            self._start(now_s)
        elif phase == RESTART:
            self._run(now_s)
        else:
            if phase == DETECTION:
                self.account.log(now_s, "detected", self._blame.cause, self._blame.node)
            self._next(now_s)

    def close(self, wall_s: float) -> CampaignRun:
        """Ends here."""
        self.settle(wall_s)
        return self.account.closed(wall_s, self.training.progress_s, self.finished)

    def _next(self, now_s: float) -> None:
        """Detection, diagnosis and the restart follow one another."""
        if now_s < self._detected_s:
            self.phase, self.phase_ends_s = DETECTION, self._detected_s
        elif now_s < self._diagnosed_s:
            self.phase, self.phase_ends_s = DIAGNOSIS, self._diagnosed_s
        else:
            self._start(now_s)

    def _start(self, now_s: float) -> None:
        """Restarts, or waits for nodes; the phase before is booked."""
        target = self._target()
        if not target:
            planned = self._target(self.nodes.counts[AWAY])
            phase = MAINTENANCE if planned else WAITING
            if self.phase != phase:
                self.account.log(now_s, "waiting", self._blame.cause)
            self.phase, self.phase_ends_s = phase, math.inf
            return
        swapped = self._swap and target > self.nodes.counts[JOB]
        self._fill(now_s, target)
        lasts_s = self._read_s + self.campaign.restart_s + (self.campaign.swap_s if swapped else 0.0)
        self.account.log(now_s, "restart", self._blame.cause)
        self.phase, self.phase_ends_s = RESTART, now_s + lasts_s

    def _run(self, now_s: float) -> None:
        self.account.log(now_s, "running")
        self.phase, self._swap = PRODUCTIVE, False
        self.training.begin(now_s)
        self.pace(now_s)
        self._ask_again(now_s)

    def _grow(self, now_s: float) -> None:
        """The time has come to stop for more nodes; only elastic jobs set one."""

    def _halt(self, now_s: float) -> None:
        """From running to standing still."""
        self._detected_s = self._diagnosed_s = now_s

    def _save(self, now_s: float, blame: Blame, *, gone: bool, several: bool) -> None:
        """A stop by plan: saves first where that takes less than the work that it saves, and then restarts.

        It saves in the level that writes fastest, of those that outlive the stop if there are any.
        """
        self.settle(now_s)
        self._halt(now_s)
        self._blame = blame
        survives = self._survives(gone, several)
        levels, progress_s = self.training.levels, self.training.progress_s
        newest = self.training.newest(survives)
        fit = [index for index, lives in enumerate(survives) if lives] or range(len(levels))
        best = min(fit, key=lambda index: levels[index].write_s, default=-1)
        if best < 0 or progress_s - (newest.progress_s if newest else 0.0) <= levels[best].write_s:
            self._restore(now_s, survives, blame)
            self._start(now_s)
            return
        self.training.drop(survives, now_s)
        self._save_to = best
        self.phase, self.phase_ends_s = CHECKPOINT, now_s + levels[best].write_s

    # -- restoring ----------------------------------------------------------------------------------------------------

    def _survives(self, gone: bool, several: bool) -> list[bool]:
        """By level, where nodes of the job are out of service, or several were lost at once."""
        lives = {"storage": True, "peer-memory": not several, "node-disk": not gone}
        return [lives[level.to] for level in self.training.levels]

    def _restore(self, now_s: float, survives: list[bool], blame: Blame) -> None:
        before_s = self.training.progress_s
        self.training.drop(survives, now_s)
        self._read_s = self.training.fall_back()
        self.account.lose(blame, before_s - self.training.progress_s)

    # -- size ---------------------------------------------------------------------------------------------------------

    def _target(self, more: int = 0) -> int:
        """Nodes to run on, with so many more than are usable now; 0 where they are too few."""
        usable = self.nodes.counts[SPARE] + self.nodes.counts[JOB] + more
        return self.campaign.nodes if usable >= self.campaign.nodes else 0

    def _fill(self, now_s: float, target: int) -> None:
        self.nodes.fill(target)
        self._resize(now_s, target, self._blame)

    def _resize(self, now_s: float, size: int, blame: Blame) -> None:
        if size != self._size:
            self.account.log(now_s, "shrunk" if size < self._size else "grown", blame.cause)
        if size < self._size:
            self._short_of = blame
        self._size = size
