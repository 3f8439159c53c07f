"""What happens to a cluster beside starts and ends of jobs: incidents, repairs, maintenance, the longest run."""

from __future__ import annotations

import math
from heapq import heappush

from myriad.sim.failures.incidents import EFFECTS, Incidents
from myriad.sim.jobs.cluster import Cluster
from myriad.sim.jobs.described import Machines
from myriad.sim.jobs.events import BACK, BREAKS, CUT, DRAIN, LOOK, OUT, SEEN, SLOW_SEEN, SPEED_BACK

_SLOW = EFFECTS.index("slow")


class Outages:
    """Puts incidents and maintenance into the cluster's events, and does what each of them says."""

    def __init__(self, cluster: Cluster, machines: Machines, incidents: Incidents | None) -> None:
        self.cluster = cluster
        self.maintenance = machines.maintenance
        self._out: list[list[int]] = []
        """Nodes of each outage."""
        for number, window in enumerate(machines.maintenance):
            heappush(cluster.events, (max(window.start_s - window.drain_s, 0.0), DRAIN, number, 0))
            heappush(cluster.events, (window.start_s, OUT, number, 0))
        if incidents is not None:
            self._rows = list(
                zip(
                    incidents.effect.tolist(),
                    incidents.node.tolist(),
                    incidents.num_nodes.tolist(),
                    incidents.detection_s.tolist(),
                    (incidents.diagnosis_s + incidents.repair_s).tolist(),
                    incidents.speed.tolist(),
                    incidents.lasts_s.tolist(),
                    strict=True,
                )
            )
            for number, start in enumerate(incidents.start_s.tolist()):
                heappush(cluster.events, (start, BREAKS, number, 0))

    def happen(self, kind: int, number: int, attempt: int) -> bool:
        """Does it. The result is whether waiting jobs may find room for that."""
        cluster = self.cluster
        if kind == LOOK:
            return True
        if kind in (SEEN, SPEED_BACK, CUT):
            return cluster.attempt[number] == attempt and self._of_job(kind, number)
        if kind == BACK:
            self._back(self._out[number])
            return True
        if kind == BREAKS:
            return self._breaks(number)
        if kind == SLOW_SEEN:
            _effect, node, num_nodes, _detection, out_s, _speed, _lasts = self._rows[number]
            return self._take_out(range(node, node + num_nodes), out_s, cluster.interruptions)
        window = self.maintenance[number]
        nodes = range(window.first_node, window.first_node + window.num_nodes)
        entry = (window.start_s, sum(cluster.nodes.bit[node] for node in nodes))
        if kind == DRAIN:
            cluster.drains.append(entry)
            return False
        assert kind == OUT
        cluster.drains.remove(entry)
        return self._take_out(nodes, window.end_s - window.start_s, cluster.preemptions, planned=True)

    def _of_job(self, kind: int, job: int) -> bool:
        cluster = self.cluster
        if kind == SPEED_BACK:
            cluster.set_speed(job, 1.0)
            return False
        if kind == CUT:
            cluster.stop(job, saved=True)
            return True
        cluster.interruptions[job] += 1
        cluster.stop(job)
        return True

    def _breaks(self, number: int) -> bool:
        """Jobs stand still or slow down; broken nodes take no other."""
        cluster = self.cluster
        effect, first, num_nodes, detection, out_s, speed, lasts = self._rows[number]
        nodes = [node for node in range(first, first + max(num_nodes, 1)) if cluster.nodes.up(node)]
        jobs = sorted({job for node in nodes for job in cluster.nodes.jobs_on[node]})
        if num_nodes == 0 and jobs:
            jobs = [max(jobs, key=lambda job: (cluster.taken[job], -job))]
        # One that stands still already, or is slow, keeps its first trouble.
        jobs = [job for job in jobs if cluster.speed[job] == 1.0]
        if effect == _SLOW:
            for job in jobs:
                cluster.set_speed(job, speed)
                if lasts <= detection:
                    heappush(cluster.events, (cluster.now + lasts, SPEED_BACK, job, cluster.attempt[job]))
                elif num_nodes == 0:
                    heappush(cluster.events, (cluster.now + detection, SEEN, job, cluster.attempt[job]))
            if num_nodes and lasts > detection:
                heappush(cluster.events, (cluster.now + detection, SLOW_SEEN, number, 0))
            return False
        for job in jobs:
            cluster.set_speed(job, 0.0)
            heappush(cluster.events, (cluster.now + detection, SEEN, job, cluster.attempt[job]))
        if num_nodes:
            self._mark_out(nodes, detection + out_s)
        return False

    def _take_out(self, reach: range, out_s: float, counted: list[int], planned: bool = False) -> bool:
        """Stops what runs on them at once and takes them out of service."""
        cluster = self.cluster
        nodes = [node for node in reach if planned or cluster.nodes.up(node)]
        for job in sorted({job for node in nodes for job in cluster.nodes.jobs_on[node]}):
            counted[job] += 1
            cluster.stop(job)
        self._mark_out(nodes, out_s)
        return True

    def _mark_out(self, nodes: list[int], out_s: float) -> None:
        cluster = self.cluster
        back_s = cluster.now + out_s
        for node in nodes:
            cluster.nodes.out(node)
            cluster.until_s[node] = max(cluster.until_s[node], back_s)
        cluster.changes += 1
        if back_s < math.inf:
            heappush(cluster.events, (back_s, BACK, len(self._out), 0))
        self._out.append(nodes)

    def _back(self, nodes: list[int]) -> None:
        cluster = self.cluster
        for node in nodes:
            cluster.nodes.back(node)
            if cluster.nodes.up(node):
                on_it = cluster.nodes.jobs_on[node]
                cluster.until_s[node] = max((cluster.expected_s[job] for job in on_it), default=0.0)
        cluster.changes += 1
