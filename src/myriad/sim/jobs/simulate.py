"""Runs submitted jobs on a cluster under a policy, event by event."""

from __future__ import annotations

import math
from heapq import heappop, heappush
from typing import Final

import numpy as np

from myriad.sim.failures.incidents import Incidents
from myriad.sim.jobs.asked import taken_accelerators
from myriad.sim.jobs.cluster import Cluster
from myriad.sim.jobs.described import STATES, JobRuns, Machines, Resume, Submissions
from myriad.sim.jobs.events import END, LOOK
from myriad.sim.jobs.outages import Outages
from myriad.sim.jobs.preemption import make_room
from myriad.sim.jobs.rules import Rules, rules_of
from myriad.sim.jobs.series import Recorder
from myriad.spec.jobs import Policy

NOTHING_SAVED: Final = Resume(interval_s=math.inf)
"""Of jobs that write no checkpoints: stopped ones start anew."""


def simulate_jobs(
    submissions: Submissions,
    machines: Machines,
    policy: Policy | Rules,
    horizon_s: float,
    incidents: Incidents | None = None,
    resume: Resume = NOTHING_SAVED,
) -> JobRuns:
    """What becomes of each job until the horizon, in seconds, and the cluster over time.

    - Gangs: a job starts when all its accelerators are free at once. Up to a node they are on one node; a larger job
      takes whole nodes; one that asks for less than an accelerator shares one.
    - The job whose turn it is by the policy's order starts first; where it does not fit, it may take the place of
      others (preemption), else others may pass it (backfill).
    - A job that machines, maintenance or preemption stop goes on later from its last checkpoint: work since then is
      lost, and it starts with the overhead of a restart. It keeps its place in the order. At the policy's longest run
      time it is stopped too, but has saved all, since it knows when.
    - A failure is seen after its detection time, for which its job stands still and holds its accelerators; its nodes
      take no job until they are diagnosed and repaired. One that reaches no node stops the largest job on its node.
    - A slow event makes the jobs on its nodes slower until it ends by itself, or is seen and the nodes are repaired.
      After a corruption nothing that a job did lasts.

    Left out: the time in which a scheduler decides, checkpoints written on demand before preemption, and slow nodes
    for jobs that start on them before they are seen.
    """
    rules = rules_of(policy, submissions) if isinstance(policy, Policy) else policy
    cluster = Cluster(submissions, machines, rules, resume)
    for job, taken in enumerate(cluster.taken):
        share = 1.0 if rules.most is None else rules.most[cluster.tenant[job]]
        if taken > share * cluster.total:
            cluster.state[job] = STATES.index("refused")
    outages = Outages(cluster, machines, incidents)
    recorder = Recorder(horizon_s)
    _run(cluster, submissions, outages, recorder, horizon_s)
    cluster.close(horizon_s)
    return _runs(cluster, submissions, machines, recorder)


def _run(cluster: Cluster, submissions: Submissions, outages: Outages, recorder: Recorder, horizon_s: float) -> None:
    arrivals: list[float] = submissions.submitted_s.tolist()
    outcome: list[int] = submissions.outcome.tolist()
    attempt, state, events = cluster.attempt, cluster.state, cluster.events
    count, index = len(arrivals), 0
    while True:
        now = events[0][0] if events else math.inf
        if index < count and arrivals[index] < now:
            now = arrivals[index]
        if now > horizon_s or now == math.inf:
            break
        recorder.until(now, cluster)
        cluster.now = now
        ended = False
        while events and events[0][0] <= now:
            _time, kind, number, of_attempt = heappop(events)
            if kind == END:
                if attempt[number] == of_attempt:
                    cluster.end(number, outcome[number])
                    ended = True
            else:
                ended |= outages.happen(kind, number, of_attempt)
        fresh = []
        while index < count and arrivals[index] <= now:
            if state[index] != 5:
                cluster.submit(index)
                fresh.append(index)
            index += 1
        if cluster.num_waiting and (ended or fresh):
            _schedule(cluster, None if ended else fresh)
    recorder.until(horizon_s, cluster)


def _schedule(cluster: Cluster, fresh: list[int] | None) -> None:
    """Starts what may start now: by turn, then by preemption, then past the first that does not fit."""
    rules = cluster.rules
    while (head := cluster.first()) is not None:
        place = cluster.find(head, cluster.allowed(head))
        if place is not None:
            cluster.start(head, place)
            continue
        if rules.victims is not None:
            again_s = make_room(cluster, head)
            if again_s == 0.0:
                fresh = None
                continue
            if again_s < math.inf:
                heappush(cluster.events, (again_s, LOOK, 0, 0))
        if rules.backfill is not None and cluster.num_waiting > 1:
            if fresh is not None:
                fresh = [job for job in fresh if not cluster.is_running(job)]
            rules.backfill(cluster, head, fresh)
        return


def _runs(cluster: Cluster, submissions: Submissions, machines: Machines, recorder: Recorder) -> JobRuns:
    held, productive, lost = (np.array(one) for one in (cluster.held_s, cluster.productive_s, cluster.lost_s))
    return JobRuns(
        started_s=np.array(cluster.started_s),
        ended_s=np.array(cluster.ended_s),
        state=np.array(cluster.state, dtype=np.int64),
        waited_s=np.array(cluster.waited_s),
        held_s=held,
        productive_s=productive,
        interruptions=np.array(cluster.interruptions, dtype=np.int64),
        preemptions=np.array(cluster.preemptions, dtype=np.int64),
        leaves=np.array(cluster.leaves, dtype=np.int64),
        lost_s=lost,
        overhead_s=held - productive - lost,
        taken=taken_accelerators(submissions, machines),
        series=recorder.series(),
    )
