"""What incidents do to a job: those that stop it, those that slow it, those that spoil its state unseen.

An incident reaches the nodes that are in service, and no others. Where none of them has the job, its nodes go to repair
and nothing else happens. An incident that reaches no machine is on a node all the same, and the job's if that has it;
but one of the whole pool (its file system, say) is everybody's.

stop: the job stops, and the nodes reached are out of service from that moment where the incident repairs anything.
    Their repair is ordered when it is known which they are.
slow: the job goes on at that speed while it has a node that the incident is on; of several the slowest counts. It ends
    by itself, or when it is diagnosed: then the nodes are taken out where the incident repairs anything, even where no
    spare can stand in.
corrupt: the job goes on. When that is detected, all checkpoints begun since are unusable, and the job goes back to
    those before: the file system and the disks of nodes keep all that they had, memory only the newest.
"""

from __future__ import annotations

from myriad.sim.campaign.checkpoints import Spoil
from myriad.sim.campaign.nodes import JOB, SPARE
from myriad.sim.campaign.walk import Walk
from myriad.sim.failures.incidents import EFFECTS, Breakable, Incidents

_STOP, _SLOW, _CORRUPT = range(len(EFFECTS))


class Troubles:
    """Hands the incidents to the job one by one."""

    def __init__(self, walk: Walk, breakable: Breakable, incidents: Incidents) -> None:
        self._walk = walk
        self._everybodys = [cause.unit == "pool" for _, cause in breakable.causes]
        self._rows = list(
            zip(
                incidents.cause.tolist(),
                incidents.effect.tolist(),
                incidents.node.tolist(),
                incidents.num_nodes.tolist(),
                incidents.detection_s.tolist(),
                incidents.diagnosis_s.tolist(),
                incidents.repair_s.tolist(),
                incidents.speed.tolist(),
                incidents.lasts_s.tolist(),
                strict=True,
            )
        )

    def happen(self, now_s: float, index: int) -> None:
        """One incident begins."""
        cause, effect, node, number, detection_s, diagnosis_s, repair_s, speed, lasts_s = self._rows[index]
        state, everybodys = self._walk.nodes.state, not number and self._everybodys[cause]
        if number <= 1:
            if state[node] > JOB and not everybodys:
                return
            on = [] if everybodys else [node]
        else:
            on = self._walk.nodes.in_service(node, number)
        if not on and not everybodys:
            return
        hit = [one for one in on if state[one] == JOB]
        if number == 0 or repair_s <= 0.0:
            repair_s = 0.0
        if effect == _SLOW:
            ends_s = min(lasts_s, detection_s + diagnosis_s)
            found = ends_s < lasts_s
            self._slow(now_s, cause, node, on, bool(hit) or everybodys, speed, ends_s, repair_s if found else 0.0)
            return
        found_s = now_s + detection_s + diagnosis_s
        if not hit and not everybodys:
            if repair_s:
                self._walk.nodes.take_out(on)
                self._walk.later(found_s, self._walk.repair, on, repair_s)
            return
        self._walk.account.interruptions[cause] += 1
        row = self._walk.account.log(now_s, "failure", cause, node)
        if effect == _STOP:
            if repair_s:
                self._walk.nodes.take_out(on)
                self._walk.later(found_s, self._walk.repair, on, repair_s)
            self._walk.stop(now_s, cause, node, row, (detection_s, diagnosis_s), hit, bool(repair_s))
        else:
            self._corrupt(now_s, cause, node, row, on, detection_s, diagnosis_s, repair_s)

    def _slow(
        self,
        now_s: float,
        cause: int,
        node: int,
        on: list[int],
        ours: bool,
        speed: float,
        ends_s: float,
        repair_s: float,
    ) -> None:
        walk = self._walk
        slow = (speed, cause, [(one, walk.nodes.leaves[one]) for one in on])
        walk.slows.append(slow)
        walk.later(now_s + ends_s, self._slow_ends, slow, node, repair_s)
        if ours:
            walk.account.interruptions[cause] += 1
            walk.account.log(now_s, "slow", cause, node)
            walk.pace(now_s)

    def _slow_ends(
        self, now_s: float, slow: tuple[float, int, list[tuple[int, int]]], node: int, repair_s: float
    ) -> None:
        """By itself, or found: then nodes that are to be repaired leave."""
        walk, (_, cause, seen) = self._walk, slow
        walk.slows.remove(slow)
        hit = walk.still(seen, JOB)
        if hit or not seen:
            walk.account.log(now_s, "recovered", cause, node)
        out = walk.still(seen, JOB, SPARE) if repair_s else []
        if out:
            walk.nodes.take_out(out)
            walk.repair(now_s, out, repair_s)
        walk.pace(now_s)
        if out and hit:
            walk.leave(now_s, cause, node, hit)

    def _corrupt(
        self,
        now_s: float,
        cause: int,
        node: int,
        row: int,
        on: list[int],
        detection_s: float,
        diagnosis_s: float,
        repair_s: float,
    ) -> None:
        walk = self._walk
        walk.settle(now_s)
        seen = [(one, walk.nodes.leaves[one]) for one in on]
        spoil = walk.training.spoil(now_s)
        walk.later(now_s + detection_s, self._found, spoil, seen, cause, node, row, diagnosis_s, repair_s)

    def _found(
        self,
        now_s: float,
        spoil: Spoil,
        seen: list[tuple[int, int]],
        cause: int,
        node: int,
        row: int,
        diagnosis_s: float,
        repair_s: float,
    ) -> None:
        """The wrong state shows: everything stops, whatever the mode, for all replicas have it."""
        walk = self._walk
        walk.account.log(now_s, "detected", cause, node)
        hit = walk.still(seen, JOB)
        out = walk.still(seen, JOB, SPARE) if repair_s else []
        if out:
            walk.nodes.take_out(out)
            walk.later(now_s + diagnosis_s, walk.repair, out, repair_s)
        walk.settle(now_s)
        walk.training.distrust(spoil)
        walk.stop_all(now_s, cause, node, row, (0.0, diagnosis_s), bool(out and hit), False)
