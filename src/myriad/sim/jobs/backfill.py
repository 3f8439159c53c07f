"""Who may pass a first job that does not fit: functions `(cluster, head, fresh)` that start other waiting jobs.

`fresh` holds the only jobs that could start where nothing ended since the last call, else it is `None`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from myriad.sim.jobs.cluster import Cluster

Backfill: TypeAlias = "Callable[[Cluster, int, Sequence[int] | None], None]"

DEPTH: Final = 100
"""Jobs behind the first that one pass looks at (`bf_max_job_test` of Slurm, whose default was long 100)."""


def easy(cluster: Cluster, head: int, fresh: Sequence[int] | None) -> None:
    """A job may pass if by its limit it ends before the first job can start, or needs none of its nodes (EASY).

    The reservation holds certain nodes: those that are expected to be free first.
    Source: Lifka, The ANL/IBM SP scheduling system (1995).
    """
    jobs: Iterable[int] = cluster.waiting(fitting=True, depth=DEPTH) if fresh is None else fresh
    asks, drained = cluster.ask, bool(cluster.drains)
    reserved: Reservation | None = None
    full: set[int] = set()
    """What there is no room for outside the reserved nodes: starts only make less."""
    for job in jobs:
        ask = asks[job]
        if job == head or (fresh is not None and not cluster.may_fit(ask)):
            continue
        if reserved is None:
            reserved = reservation(cluster, head)
        if cluster.expected_end_s(job) <= reserved.start_s < math.inf:
            place = cluster.find(job, cluster.allowed(job))
        elif ask not in full or drained:
            place = cluster.find(job, cluster.allowed(job) & ~reserved.nodes)
            if place is None and max(ask, 1) <= reserved.spare:
                place = cluster.find(job, cluster.allowed(job) & reserved.nodes)
                if place is not None:
                    reserved.spare -= max(ask, 1)
            if place is None:
                full.add(ask)
        else:
            continue
        if place is not None:
            cluster.start(job, place)


class Reservation:
    """When the first job can start by the limits of those that run, and on which nodes."""

    def __init__(self, start_s: float, nodes: int, spare: int = 0) -> None:
        self.start_s = start_s
        self.nodes = nodes
        self.spare = spare
        """Accelerators of a single reserved node that it leaves over even then."""


def reservation(cluster: Cluster, job: int) -> Reservation:
    """The earliest start of a job that does not fit now; infinite where no limits say when."""
    nodes, ask = cluster.nodes, max(cluster.ask[job], 1)
    size = nodes.per_node
    if ask >= size:
        wanted = -(-ask // size)
        allowed = cluster.allowed(job)
        until = np.array(cluster.until_s)
        if allowed != nodes.everywhere:
            until[[not allowed & bit for bit in nodes.bit]] = math.inf
        chosen = np.argsort(until, kind="stable")[:wanted]
        start_s = float(until[chosen[-1]]) if len(chosen) == wanted else math.inf
        return Reservation(start_s, sum(map(nodes.bit.__getitem__, chosen.tolist())))
    freed: dict[int, int] = {}
    for expected, node, count in cluster.releases():
        total = freed.get(node, nodes.free[node]) + count
        if total >= ask and nodes.up(node):
            return Reservation(expected, nodes.bit[node], total - ask)
        freed[node] = total
    return Reservation(math.inf, 0)


def conservative(cluster: Cluster, _head: int, _fresh: Sequence[int] | None) -> None:
    """A job may pass only if by the limits no job before it starts later for that.

    Each of the first waiting jobs gets a place in a plan of the time ahead, in their order; those whose place is now
    start. The plan is made anew at each call, as by Slurm.
    """
    jobs = list(cluster.waiting(fitting=False, depth=DEPTH))
    last, changes = _last_fitting(cluster, jobs), cluster.changes
    if last < 0:
        return
    plan = _Plan(cluster)
    for index, job in enumerate(jobs):
        if changes != cluster.changes:
            last, changes = _last_fitting(cluster, jobs), cluster.changes
        if index > last:
            # Nobody from here on could start.
            return
        if cluster.ask[job] < 0 and (shared := cluster.shared_room(job)) is not None:
            cluster.start(job, [shared])
            continue
        start, chosen = plan.earliest(job)
        if start <= cluster.now:
            allowed = cluster.allowed(job) & sum(cluster.nodes.bit[node] for node in chosen)
            place = cluster.find(job, allowed)
            if place is not None:
                cluster.start(job, place)
        if chosen:
            plan.hold(job, start, chosen)


def _last_fitting(cluster: Cluster, jobs: list[int]) -> int:
    fits = {ask: cluster.may_fit(ask) for ask in {cluster.ask[job] for job in jobs}}
    waiting = (index for index, job in enumerate(jobs) if fits[cluster.ask[job]] and not cluster.is_running(job))
    return max(waiting, default=-1)


class _Plan:
    """Free accelerators of each node from each moment on at which one of them is expected to change."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        nodes = cluster.nodes
        now = cluster.now
        ends = sorted({max(expected, now) for expected, _job in cluster.running} - {math.inf, now})
        self.times = [now, *ends]
        row = {time: number for number, time in enumerate(self.times)}
        change = np.zeros((len(self.times), nodes.num_nodes), dtype=np.int32)
        change[0] = [free if nodes.up(node) else 0 for node, free in enumerate(nodes.free)]
        for expected, node, count in cluster.releases():
            if now < expected < math.inf and nodes.up(node):
                change[row[expected], node] += count
        self.free = np.cumsum(change, axis=0, dtype=np.int32)

    def earliest(self, job: int) -> tuple[float, list[int]]:
        """First moment from which so much is free for as long as the job's limit, and the nodes."""
        cluster = self.cluster
        size = cluster.nodes.per_node
        ask = max(cluster.ask[job], 1)
        wanted = -(-ask // size)
        lasts = cluster.expected_end_s(job) - cluster.now
        rows = len(self.times)
        number = np.arange(rows, dtype=np.int32)[:, None]
        # The next row, from each on, in which a node has too little.
        short = np.where(self.free >= min(ask, size), np.int32(rows), number)
        short = np.minimum.accumulate(short[::-1], axis=0)[::-1]
        ends = np.searchsorted(self.times, np.array(self.times) + lasts, side="left")
        good = short >= ends[:, None]
        starts = np.flatnonzero(np.count_nonzero(good, axis=1) >= wanted)
        if not len(starts):
            return math.inf, []
        first = int(starts[0])
        chosen = np.flatnonzero(good[first]).tolist()
        # All that do are offered to a job that starts now, so that its placement may choose.
        return self.times[first], chosen if first == 0 else chosen[:wanted]

    def hold(self, job: int, start: float, chosen: list[int]) -> None:
        """Takes it out of the plan for as long as its limit says."""
        cluster = self.cluster
        size = cluster.nodes.per_node
        ask = max(cluster.ask[job], 1)
        running = cluster.where[job]
        nodes = list(running) if running else chosen[: -(-ask // size)]
        lasts = cluster.expected_s[job] - start if running else cluster.expected_end_s(job) - cluster.now
        first, last = self._row(start), self._row(start + lasts)
        self.free[first:last, nodes] -= min(ask, size)

    def _row(self, time: float) -> int:
        """Number of the row that begins then; one is put in where there is none."""
        row = bisect_left(self.times, time)
        if time == math.inf or (row < len(self.times) and self.times[row] == time):
            return row
        self.times.insert(row, time)
        self.free = np.insert(self.free, row, self.free[row - 1], axis=0)
        return row
