"""Jobs that go on with fewer replicas: elastic ones, and ones whose replicas do not wait for each other."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Final

from myriad.sim.campaign.account import NOBODY, PRODUCTIVE, Blame
from myriad.sim.campaign.described import Campaign
from myriad.sim.campaign.nodes import JOB, SPARE
from myriad.sim.campaign.replicas import Replicas
from myriad.sim.campaign.walk import RUNS, STALLED, Walk


class _WholeReplicas(Walk):
    """Starts on the whole replicas that have their nodes."""

    def _target(self, more: int = 0) -> int:
        usable = self.nodes.counts[SPARE] + self.nodes.counts[JOB] + more
        unit = self.campaign.replica_nodes
        return min(self.campaign.nodes, usable // unit * unit)


class ElasticWalk(_WholeReplicas):
    """Restarts smaller, and grows once staying small has cost as much as growing does.

    Who does not know when the next failure will let it grow for nothing pays at most twice the least so.
    """

    _grow_s = math.inf

    def nodes_back(self, now_s: float) -> None:
        super().nodes_back(now_s)
        self.pace(now_s)

    def pace(self, now_s: float) -> None:
        super().pace(now_s)
        if self.phase != PRODUCTIVE:
            return
        more = self._target() - self._size
        if more > 0:
            levels = self.training.levels
            cost_s = self.campaign.restart_s + min((one.write_s + one.read_s for one in levels), default=0.0)
            self._grow_s = min(self._grow_s, now_s + cost_s * self.campaign.nodes / more)
        else:
            self._grow_s = math.inf
        self.phase_ends_s = min(self._finish_s, self._grow_s)

    def _grow(self, now_s: float) -> None:
        if self._target() > self._size:
            self._save(now_s, NOBODY, gone=False, several=False)
        else:
            self.pace(now_s)

    def _halt(self, now_s: float) -> None:
        super()._halt(now_s)
        self._grow_s = math.inf


class ReplicaWalk(_WholeReplicas):
    """Its replicas go on without those that break, which come back one by one.

    The whole nodes of broken replicas and the spares are one stock: any of them make up the next replica.
    """

    def __init__(self, campaign: Campaign, num_nodes: int, num_causes: int) -> None:
        super().__init__(campaign, num_nodes, num_causes)
        self._replicas = Replicas(campaign.replica_nodes)
        self._to_form: list[bool] = []
        """Replicas that are missing and may form, and whether a spare has to be swapped in."""
        self._halts = 0

    def stop(self, now_s: float, blame: Blame, found_s: tuple[float, float], hit: list[int], gone: bool) -> None:
        ready_s = now_s + found_s[0] + found_s[1]
        if not self._lose(now_s, blame, hit, ready_s, swap=gone, in_step=True):
            super().stop(now_s, blame, found_s, hit, gone)

    def leave(self, now_s: float, blame: Blame, hit: list[int]) -> None:
        if not self._lose(now_s, blame, hit, now_s, swap=True, in_step=False):
            super().leave(now_s, blame, hit)

    def nodes_back(self, now_s: float) -> None:
        super().nodes_back(now_s)
        if self.phase in RUNS:
            self._form(now_s)

    def _lose(self, now_s: float, blame: Blame, hit: list[int], ready_s: float, *, swap: bool, in_step: bool) -> bool:
        """Replicas on these nodes are lost, and may form again when `ready_s`; false where the whole job stops.

        The others lose the step under way, or only stall where it was by plan.
        """
        replicas = self._replicas
        broken = replicas.on(hit)
        if self.phase not in RUNS or not hit or replicas.training <= broken:
            return False
        trained = not replicas.training.isdisjoint(broken)
        for node in replicas.drop(broken):
            if self.nodes.state[node] == JOB:
                self.nodes.put(node, SPARE)
        self.later(ready_s, self._ready, self._halts, len(broken), swap)
        if trained:
            self.settle(now_s)
            if in_step and self.phase == PRODUCTIVE:
                self.account.lose(blame, self.training.lose(self.campaign.step_s))
            self._stall(now_s, blame)
            self._resize(now_s, len(replicas.training) * replicas.unit, blame)
        self._form(now_s)
        return True

    def _ready(self, now_s: float, halts: int, number: int, swap: bool) -> None:
        """It is known which nodes to leave out; a halt between has started all anew."""
        if halts == self._halts:
            self._to_form += [swap] * number
            self._form(now_s)

    def _form(self, now_s: float) -> None:
        """Missing replicas start to heal where there are nodes."""
        unit = self._replicas.unit
        while self._to_form and self.nodes.counts[SPARE] >= unit:
            swap_s = self.campaign.swap_s if self._to_form.pop(0) else 0.0
            number = self._replicas.heal(self.nodes.give(unit))
            self.later(now_s + swap_s + self.campaign.restart_s + self.campaign.heal_s, self._healed, number)

    def _healed(self, now_s: float, number: int) -> None:
        if self._replicas.healed(number):
            self.settle(now_s)
            self._stall(now_s, self._short_of)
            self._resize(now_s, len(self._replicas.training) * self._replicas.unit, NOBODY)

    def _stall(self, now_s: float, blame: Blame) -> None:
        self._blame = blame
        self.phase, self.phase_ends_s = STALLED, now_s + self.campaign.replica_stall_s

    def _run(self, now_s: float) -> None:
        super()._run(now_s)
        self._replicas.start([node for node, state in enumerate(self.nodes.state) if state == JOB])
        missing = self.campaign.nodes // self._replicas.unit - len(self._replicas.training)
        self._to_form = [False] * missing
        self._form(now_s)

    def _halt(self, now_s: float) -> None:
        super()._halt(now_s)
        self._replicas.clear()
        self._to_form = []
        self._halts += 1


WALKS: Final = MappingProxyType({"restart": Walk, "elastic": ElasticWalk, "replica": ReplicaWalk})
"""By mode."""
