"""Many jobs on one cluster: what holds whatever comes, and whatever breaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from myriad.sim.failures import Incidents
from myriad.sim.jobs import JobRuns, Machines, Maintenance, Resume, Rules, Submissions, rules_of, simulate_jobs
from myriad.sim.jobs.backfill import easy, reservation
from myriad.sim.jobs.cluster import Cluster
from myriad.sim.jobs.policies import POLICIES
from myriad.spec.jobs import Policy, Quota

CASES = 12
HORIZON_S = 20_000.0
QUOTAS = {"a": Quota(guaranteed=0.5), "b": Quota(guaranteed=0.3, most=0.8)}
VARIANTS = [
    *POLICIES.values(),
    POLICIES["quota-preempt"].model_copy(update={"name": "quotas", "quotas": QUOTAS, "preempt_after": 100.0}),
    POLICIES["slurm-backfill"].model_copy(update={"name": "longest", "longest": 1500.0, "placement": "spread"}),
]


def drawn(seed: int, exact_limits: bool = False, fractions: bool = True) -> tuple[Submissions, Machines]:
    random = np.random.default_rng(seed)
    count = int(random.integers(50, 150))
    nodes, size = int(random.integers(2, 7)), int(random.choice([2, 4, 8]))
    sizes = random.choice([1.0, 2.0, size, 2 * size, nodes * size], count, p=[0.4, 0.2, 0.2, 0.15, 0.05])
    if fractions:
        sizes = np.where(random.random(count) < 0.2, random.choice([0.2, 0.5, 0.7], count), sizes)
    run = random.exponential(600.0, count)
    jobs = Submissions(
        submitted_s=np.sort(random.random(count) * HORIZON_S / 2),
        accelerators=sizes,
        run_s=run,
        limit_s=run if exact_limits else run * random.choice([1.0, 2.0, 5.0], count),
        outcome=random.integers(0, 3, count),
        tenant=random.integers(0, 3, count),
        priority=random.integers(0, 3, count),
        tenants=("a", "b", "c"),
    )
    return jobs, Machines(nodes, size, 2, (Maintenance(5000.0, 6000.0, 0, 1, drain_s=500.0),))


def broken(seed: int, machines: Machines, number: int = 12) -> Incidents:
    random = np.random.default_rng((seed, 1))
    return Incidents(
        start_s=np.sort(random.random(number) * HORIZON_S),
        cause=np.zeros(number, dtype=np.int64),
        effect=random.integers(0, 3, number),
        node=random.integers(0, machines.num_nodes - 1, number),
        num_nodes=random.integers(0, 3, number),
        detection_s=random.exponential(60.0, number),
        diagnosis_s=random.exponential(60.0, number),
        repair_s=random.exponential(900.0, number),
        speed=random.uniform(0.3, 0.9, number),
        lasts_s=np.where(random.random(number) < 0.5, math.inf, 50.0),
    )


def watched(rules: Rules) -> Rules:
    """The same rules, which also check at each of their calls that nothing is held twice."""

    def backfill(cluster: Cluster, head: int, fresh: Sequence[int] | None) -> None:
        check_nodes(cluster)
        assert rules.backfill is not None
        rules.backfill(cluster, head, fresh)
        check_nodes(cluster)

    return replace(rules, backfill=None if rules.backfill is None else backfill)


def check_nodes(cluster: Cluster) -> None:
    size = cluster.nodes.per_node
    held = np.zeros(cluster.nodes.num_nodes)
    shared: dict[int, float] = {}
    for _expected, job in cluster.running:
        for node in cluster.where[job]:
            if cluster.ask[job] > 0:
                held[node] += min(cluster.ask[job], size)
            else:
                key = cluster.nodes.share_on[job]
                held[node] += key not in shared
                shared[key] = shared.get(key, 0.0) - cluster.ask[job] / 1000
    assert (held + cluster.nodes.free == size).all()
    assert all(total <= 1.0 + 1e-9 for total in shared.values())
    up = [node for node in range(cluster.nodes.num_nodes) if cluster.nodes.up(node)]
    assert cluster.nodes.num_free == sum(cluster.nodes.free[node] for node in up)
    assert cluster.nodes.num_empty == sum(cluster.nodes.free[node] == size for node in up)
    assert sum(cluster.nodes.empty_in_leaf) == cluster.nodes.num_empty


def check_accounts(jobs: Submissions, runs: JobRuns, machines: Machines) -> None:
    assert (runs.productive_s <= runs.held_s + 1e-6).all()
    assert (runs.lost_s >= -1e-9).all()
    assert (runs.overhead_s >= -1e-6).all()
    done = runs.state <= 2
    assert (runs.productive_s[done] == jobs.run_s[done]).all()
    # From its submission on a job waits or holds.
    ended = np.where(np.isfinite(runs.ended_s), runs.ended_s, HORIZON_S)
    there = (runs.state != 5) & (jobs.submitted_s <= HORIZON_S)
    assert np.allclose((runs.waited_s + runs.held_s)[there], (ended - jobs.submitted_s)[there])
    # What jobs held is what the cluster was busy with.
    assert np.isclose((runs.held_s * runs.taken).sum(), runs.series.busy.mean() * HORIZON_S)
    assert (runs.series.busy <= machines.num_nodes * machines.accelerators_per_node + 1e-6).all()
    assert np.isclose(runs.waited_s.sum(), runs.series.waiting.mean() * HORIZON_S)


@pytest.mark.parametrize("policy", VARIANTS, ids=lambda policy: policy.name)
def test_nothing_is_held_twice_and_all_time_is_accounted_for(policy: Policy) -> None:
    for seed in range(2 if policy.backfill == "conservative" else CASES):
        jobs, machines = drawn(seed)
        incidents = broken(seed, machines)
        rules = watched(rules_of(policy, jobs))
        runs = simulate_jobs(jobs, machines, rules, HORIZON_S, incidents, Resume(200.0, 20.0, 1.0))
        check_accounts(jobs, runs, machines)


def test_fifo_starts_in_the_order_of_submission() -> None:
    for seed in range(CASES):
        jobs, machines = drawn(seed)
        runs = simulate_jobs(jobs, replace(machines, maintenance=()), POLICIES["fifo"], HORIZON_S)
        started = runs.started_s[runs.state != 5]
        assert (np.diff(started[np.isfinite(started)]) >= 0.0).all()


def test_easy_backfill_never_delays_the_head_beyond_its_reservation() -> None:
    compared = 0
    for seed in range(CASES):
        jobs, machines = drawn(seed)
        machines = replace(machines, maintenance=())
        promised: dict[int, float] = {}

        def backfill(
            cluster: Cluster, head: int, fresh: Sequence[int] | None, promised: dict[int, float] = promised
        ) -> None:
            promised.setdefault(head, reservation(cluster, head).start_s)
            easy(cluster, head, fresh)

        # First come, first served, so that the head stays the head until it starts.
        rules = replace(rules_of(POLICIES["fifo"].model_copy(update={"backfill": "easy"}), jobs), backfill=backfill)
        runs = simulate_jobs(jobs, machines, rules, HORIZON_S)
        for head, start in promised.items():
            if start > HORIZON_S:
                continue
            assert runs.started_s[head] <= start + 1e-6
            compared += 1
    assert compared > 100


def test_conservative_backfill_with_exact_limits_delays_nobody() -> None:
    """On one node without any choice of place, no job starts later than were jobs never to pass each other."""
    for seed in range(2):
        jobs, machines = drawn(seed, exact_limits=True, fractions=False)
        one = Machines(1, machines.num_nodes * machines.accelerators_per_node, 1)
        fifo = simulate_jobs(jobs, one, POLICIES["fifo"], 10 * HORIZON_S)
        careful = POLICIES["fifo"].model_copy(update={"backfill": "conservative"})
        passing = simulate_jobs(jobs, one, careful, 10 * HORIZON_S)
        assert (passing.started_s <= fifo.started_s + 1e-6).all()


def test_the_same_jobs_give_the_same_result() -> None:
    jobs, machines = drawn(3)
    first, second = (
        simulate_jobs(jobs, machines, POLICIES["slurm-backfill"], HORIZON_S, broken(3, machines)) for _ in range(2)
    )
    assert first.ended_s.tobytes() == second.ended_s.tobytes()
    assert first.series.busy.tobytes() == second.series.busy.tobytes()
