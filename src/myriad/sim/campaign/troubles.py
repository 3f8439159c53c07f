"""What incidents do to a job: those that stop it, those that slow it, those that spoil its state unseen.

An incident reaches the nodes that are in service, and no others. Where none of them has the job, its nodes go to repair
and nothing else happens. An incident that reaches no machine is on a node all the same, and the job's if that has it;
but one of the whole pool (its file system, say) is everybody's.

stop: the job stops, and the nodes reached are out of service from that moment where the incident repairs anything.
    Their repair is ordered when it is known which they are.
slow: the job goes on at that speed while it has a node that the incident is on; of several the slowest counts. It ends
    by itself, or when it is diagnosed: then the nodes are taken out where the incident repairs anything, as soon as the
    job can restart without them.
corrupt: the job goes on. When that is detected, all checkpoints begun since are unusable, and the job goes back to
    those before: the file system and the disks of nodes keep all that they had, memory only the newest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from myriad.sim.campaign.account import Blame
from myriad.sim.campaign.checkpoints import Spoil
from myriad.sim.campaign.nodes import JOB, SPARE
from myriad.sim.campaign.walk import Walk
from myriad.sim.failures.incidents import EFFECTS, Breakable, Incidents

_SLOW, _CORRUPT = EFFECTS.index("slow"), EFFECTS.index("corrupt")


class Incident(NamedTuple):
    """One row of the incidents, without its start."""

    cause: int
    effect: int
    node: int
    num_nodes: int
    detection_s: float
    diagnosis_s: float
    repair_s: float
    speed: float
    lasts_s: float


class Troubles:
    """Hands the incidents to the job one by one."""

    def __init__(self, walk: Walk, breakable: Breakable, incidents: Incidents) -> None:
        self._walk = walk
        self._everybodys = [cause.unit == "pool" for _, cause in breakable.causes]
        columns = (getattr(incidents, key).tolist() for key in Incident._fields)
        self._rows = [Incident(*row) for row in zip(*columns, strict=True)]

    def happen(self, now_s: float, index: int) -> None:
        """One incident begins."""
        one = self._rows[index]
        state, everybodys = self._walk.nodes.state, not one.num_nodes and self._everybodys[one.cause]
        on = [] if everybodys else self._walk.nodes.in_service(one.node, max(1, one.num_nodes))
        if not on and not everybodys:
            return
        hit = [node for node in on if state[node] == JOB]
        repairs = one.num_nodes > 0 and one.repair_s > 0.0
        if one.effect == _SLOW:
            self._slow(now_s, one, on, ours=bool(hit) or everybodys, repairs=repairs)
            return
        if hit or everybodys:
            self._walk.account.interruptions[one.cause] += 1
            blame = Blame(one.cause, one.node, self._walk.account.log(now_s, "failure", one.cause, one.node))
            if one.effect == _CORRUPT:
                self._walk.settle(now_s)
                spoil = self._walk.training.spoil(now_s)
                self._walk.later(now_s + one.detection_s, self._found, one, spoil, self._seen(on), blame, repairs)
                return
        if repairs:
            self._walk.nodes.take_out(on)
            self._walk.later(now_s + one.detection_s + one.diagnosis_s, self._walk.repair, on, one.repair_s)
        if hit or everybodys:
            self._walk.stop(now_s, blame, (one.detection_s, one.diagnosis_s), hit, repairs)

    def _seen(self, nodes: list[int]) -> list[tuple[int, int]]:
        return [(node, self._walk.nodes.leaves[node]) for node in nodes]

    def _slow(self, now_s: float, one: Incident, on: list[int], *, ours: bool, repairs: bool) -> None:
        walk, known_s = self._walk, one.detection_s + one.diagnosis_s
        slow = (one.speed, one.cause, self._seen(on))
        walk.slows.append(slow)
        if known_s < one.lasts_s:
            walk.later(now_s + known_s, self._slow_ends, one, slow, repairs)
        if one.lasts_s < math.inf:
            walk.later(now_s + one.lasts_s, self._slow_ends, one, slow, False)
        if ours:
            walk.account.interruptions[one.cause] += 1
            walk.account.log(now_s, "slow", one.cause, one.node)
            walk.pace(now_s)

    def _slow_ends(
        self, now_s: float, one: Incident, slow: tuple[float, int, list[tuple[int, int]]], repairs: bool
    ) -> None:
        """By itself, or found: then nodes that are to be repaired leave, at the first moment at which they can."""
        walk, seen = self._walk, slow[2]
        hit = walk.still(seen, JOB)
        if slow not in walk.slows:
            return
        if repairs and hit and not walk.can_do_without(len(hit)):
            walk.when_nodes_are_back(self._slow_ends, one, slow, repairs)
            return
        walk.slows.remove(slow)
        if hit or not seen:
            walk.account.log(now_s, "recovered", one.cause, one.node)
        out = walk.still(seen, JOB, SPARE) if repairs else []
        if out:
            walk.nodes.take_out(out)
            walk.repair(now_s, out, one.repair_s)
        walk.pace(now_s)
        if out and hit:
            walk.leave(now_s, Blame(one.cause, one.node), hit)

    def _found(
        self, now_s: float, one: Incident, spoil: Spoil, seen: list[tuple[int, int]], blame: Blame, repairs: bool
    ) -> None:
        """The wrong state shows: everything stops, whatever the mode, for all replicas have it."""
        walk = self._walk
        walk.account.log(now_s, "detected", one.cause, one.node)
        hit = walk.still(seen, JOB)
        out = walk.still(seen, JOB, SPARE) if repairs else []
        if out:
            walk.nodes.take_out(out)
            walk.later(now_s + one.diagnosis_s, walk.repair, out, one.repair_s)
        walk.settle(now_s)
        walk.training.distrust(spoil)
        walk.stop_all(now_s, blame, (0.0, one.diagnosis_s), bool(out and hit))
