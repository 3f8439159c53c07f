"""A job walks through the incidents of its cluster: one pass over events by time.

The job is in one phase at a time; whatever happens closes the phase that was, in the ledger, and opens the next:

    running -> (failure) -> detection -> diagnosis -> waiting, if nodes are missing -> restarting -> running
    running -> (planned stop) -> saving -> waiting, if nodes are missing -> restarting -> running

A failure of one of its nodes in any phase but the first leads to detection again, so a restart that fails starts over.
Several failures in one stop are found side by side: detection ends with the last of them.
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
    PRODUCTIVE,
    RESTART,
    WAITING,
    Account,
)
from myriad.sim.campaign.checkpoints import Training
from myriad.sim.campaign.described import Campaign, CampaignRun
from myriad.sim.campaign.nodes import AWAY, JOB, SPARE, Nodes
from myriad.sim.campaign.replicas import Replicas

NOBODY: Final = -1
"""Cause of what no failure caused."""
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
        self.replicas = Replicas(campaign.replica_nodes)
        self.finished = False
        self.due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0
        self.phase = DIAGNOSIS
        self.phase_ends_s = 0.0
        self._since_s = 0.0
        self._cause = NOBODY
        self._node = NOBODY
        self._detected_s = self._diagnosed_s = 0.0
        self._read_s = 0.0
        self._save_to = -1
        self._swap = False
        self._size = campaign.nodes
        self._short_cause = NOBODY
        self._slow, self._slow_cause = 1.0, NOBODY
        self._cap = 1.0
        self._finish_s = self._grow_s = math.inf
        self._stops = 0
        self._to_form: list[bool] = []
        self.slows: list[tuple[float, int, list[tuple[int, int]]]] = []
        """Speed, cause, nodes with how often they had left service; no nodes where it is the whole job."""

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
            spend(CHECKPOINT, NOBODY, blocked_s)
            if self.training.speed < 1.0:
                share = self._size / self.campaign.nodes
                spend(DEGRADED, self._short_cause, (1.0 - share) * trained_s)
                spend(DEGRADED, self._slow_cause, share * (1.0 - self._slow) * trained_s)
                spend(DEGRADED, NOBODY, share * self._slow * (1.0 - self._cap) * trained_s)
        else:
            spend(RESTART if self.phase == STALLED else self.phase, self._cause, passed_s)
        self._since_s = now_s

    def repair(self, now_s: float, nodes: list[int], repair_s: float) -> None:
        """Orders one repair of all these nodes."""
        self._repair_begins(now_s, self.nodes.order(nodes, repair_s))

    def stop(
        self, now_s: float, cause: int, node: int, row: int, found_s: tuple[float, float], hit: list[int], gone: bool
    ) -> None:
        """A failure ends the step. `found_s`: detection, diagnosis; `hit`: its nodes, out of service if `gone`."""
        if self.phase in RUNS and self.campaign.mode == "replica" and hit:
            ready_s = now_s + found_s[0] + found_s[1]
            if self._leave(now_s, hit, cause, ready_s, gone, row):
                return
        self.stop_all(now_s, cause, node, row, found_s, gone, len(hit) > 1)

    def stop_all(
        self, now_s: float, cause: int, node: int, row: int, found_s: tuple[float, float], gone: bool, several: bool
    ) -> None:
        """The whole job stops, or is kept from starting."""
        self.settle(now_s)
        if self.phase in RUNS:
            self._halt(now_s)
        self._restore(now_s, self._survives(gone, several), cause, row)
        self._swap |= gone
        self._cause, self._node = cause, node
        self._detected_s = max(self._detected_s, now_s + found_s[0])
        self._diagnosed_s = max(self._diagnosed_s, now_s + found_s[0] + found_s[1])
        self._next(now_s)

    def leave(self, now_s: float, cause: int, node: int, hit: list[int]) -> None:
        """Nodes of a job are taken out by plan, after a last checkpoint where it runs without them no longer."""
        if self.phase in RUNS:
            if self.campaign.mode == "replica" and self._leave(now_s, hit, cause, now_s, True, None):
                return
            self._save(now_s, cause, node, gone=True, several=len(hit) > 1)
        elif self.phase != CHECKPOINT:
            self.settle(now_s)
            self._restore(now_s, self._survives(gone=True, several=len(hit) > 1), cause, -1)
            self._next(now_s)

    def nodes_back(self, now_s: float) -> None:
        """There are more spares than before."""
        if self.phase in (WAITING, MAINTENANCE):
            self.settle(now_s)
            self._start(now_s)
        elif self.phase in RUNS and self.campaign.mode == "replica":
            self._form(now_s)
        elif self.phase == PRODUCTIVE and self.campaign.mode == "elastic":
            self.pace(now_s)

    def pace(self, now_s: float) -> None:
        """Sets the speed again after something that changes it."""
        if self.phase != PRODUCTIVE:
            return
        self.settle(now_s)
        self._slow, self._slow_cause = 1.0, NOBODY
        for speed, cause, seen in self.slows:
            if speed < self._slow and (not seen or self.still(seen, JOB)):
                self._slow, self._slow_cause = speed, cause
        self.training.speed = self._size / self.campaign.nodes * self._slow * self._cap
        self._finish_s = self.training.done_at(self.campaign.work_s)
        self._grow_s = self._grows_at(now_s)
        self.phase_ends_s = min(self._finish_s, self._grow_s)

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
            self.leave(now_s, NOBODY, NOBODY, had)
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
            elif self._target() > self._size:
                self._save(now_s, NOBODY, NOBODY, gone=False, several=False)
            else:
                self.pace(now_s)
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
                self.account.log(now_s, "detected", self._cause, self._node)
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
                self.account.log(now_s, "waiting", self._cause)
            self.phase, self.phase_ends_s = phase, math.inf
            return
        swapped = self._swap and target > self.nodes.counts[JOB]
        self._fill(now_s, target)
        lasts_s = self._read_s + self.campaign.restart_s + (self.campaign.swap_s if swapped else 0.0)
        self.account.log(now_s, "restart", self._cause)
        self.phase, self.phase_ends_s = RESTART, now_s + lasts_s

    def _run(self, now_s: float) -> None:
        self.account.log(now_s, "running")
        self.phase, self._swap, self._grow_s = PRODUCTIVE, False, math.inf
        self.training.begin(now_s)
        if self.campaign.mode == "replica":
            self.replicas.start([node for node, state in enumerate(self.nodes.state) if state == JOB])
            missing = self.campaign.nodes // self.replicas.unit - len(self.replicas.training)
            self._to_form = [False] * missing
            self._form(now_s)
        self.pace(now_s)

    def _halt(self, now_s: float) -> None:
        """From running to standing still."""
        self._detected_s = self._diagnosed_s = now_s
        self.replicas.clear()
        self._stops += 1
        self._to_form = []

    def _save(self, now_s: float, cause: int, node: int, *, gone: bool, several: bool) -> None:
        """A stop by plan: saves first where that takes less than the work that it saves, and then restarts.

        It saves in the level that writes fastest, of those that outlive the stop if there are any.
        """
        self.settle(now_s)
        self._halt(now_s)
        self._cause, self._node = cause, node
        survives = self._survives(gone, several)
        levels, progress_s = self.training.levels, self.training.progress_s
        newest = self.training.newest(survives)
        fit = [index for index, lives in enumerate(survives) if lives] or range(len(levels))
        best = min(fit, key=lambda index: levels[index].write_s, default=-1)
        if best < 0 or progress_s - (newest.progress_s if newest else 0.0) <= levels[best].write_s:
            self._restore(now_s, survives, cause, -1)
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

    def _restore(self, now_s: float, survives: list[bool], cause: int, row: int) -> None:
        before_s = self.training.progress_s
        self.training.drop(survives, now_s)
        self._read_s = self.training.fall_back()
        self.account.lose(row, cause, before_s - self.training.progress_s)

    # -- size ---------------------------------------------------------------------------------------------------------

    def _target(self, more: int = 0) -> int:
        """Nodes to run on, with so many more than are usable now; 0 where they are too few."""
        usable, wanted = self.nodes.counts[SPARE] + self.nodes.counts[JOB] + more, self.campaign.nodes
        if usable >= wanted:
            return wanted
        unit = self.campaign.replica_nodes
        return 0 if self.campaign.mode == "restart" else usable // unit * unit

    def _fill(self, now_s: float, target: int) -> None:
        self.nodes.fill(target)
        self._resize(now_s, target, self._cause)

    def _resize(self, now_s: float, size: int, cause: int) -> None:
        if size != self._size:
            self.account.log(now_s, "shrunk" if size < self._size else "grown", cause)
        if size < self._size:
            self._short_cause = cause
        self._size = size

    def _grows_at(self, now_s: float) -> float:
        """When an elastic job stops to grow: once staying small has cost as much as growing does.

        Who does not know when the next failure will let it grow for nothing pays at most twice the least so.
        """
        if self.campaign.mode != "elastic":
            return math.inf
        more = self._target() - self._size
        if more <= 0:
            return math.inf
        cost_s = self.campaign.restart_s + min((one.write_s + one.read_s for one in self.training.levels), default=0.0)
        return min(self._grow_s, now_s + cost_s * self.campaign.nodes / more)

    # -- replicas that go on without each other -----------------------------------------------------------------------

    def _leave(self, now_s: float, hit: list[int], cause: int, ready_s: float, swap: bool, row: int | None) -> bool:
        """Replicas on these nodes leave, and form again when `ready_s`; false where none would be left.

        With a row the step under way is lost; without they leave between two steps.
        """
        replicas = self.replicas
        broken = replicas.on(hit)
        if replicas.training <= broken:
            return False
        trained = bool(replicas.training & broken)
        for one in replicas.drop(broken):
            if self.nodes.state[one] == JOB:
                self.nodes.put(one, SPARE)
        self.later(ready_s, self._ready, self._stops, len(broken), swap)
        if trained:
            self.settle(now_s)
            if self.phase == PRODUCTIVE and row is not None:
                self.account.lose(row, cause, self.training.lose(self.campaign.step_s))
            self._resize(now_s, len(replicas.training) * replicas.unit, cause)
            self._stall(now_s, cause)
        self._form(now_s)
        return True

    def _ready(self, now_s: float, stops: int, number: int, swap: bool) -> None:
        if stops == self._stops:
            self._to_form += [swap] * number
            self._form(now_s)

    def _form(self, now_s: float) -> None:
        """Broken replicas start again where there are nodes."""
        unit = self.replicas.unit
        while self._to_form and self.nodes.counts[SPARE] >= unit:
            swap_s = self.campaign.swap_s if self._to_form.pop(0) else 0.0
            number = self.replicas.heal(self.nodes.give(unit))
            self.later(now_s + swap_s + self.campaign.restart_s + self.campaign.heal_s, self._healed, number)

    def _healed(self, now_s: float, number: int) -> None:
        if self.replicas.healed(number):
            self.settle(now_s)
            self._resize(now_s, len(self.replicas.training) * self.replicas.unit, NOBODY)
            self._stall(now_s, self._short_cause)

    def _stall(self, now_s: float, cause: int) -> None:
        self._cause = cause
        self.phase, self.phase_ends_s = STALLED, now_s + self.campaign.replica_stall_s
