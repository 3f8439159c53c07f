"""Many jobs on one cluster, under one policy or several, drawn and broken many times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from myriad import __version__, catalog
from myriad.api.failures import breakable_of, reliability_of
from myriad.api.job_mixes import drawn_jobs, job_mix, scale_of
from myriad.engine import Engine, Local, run_points
from myriad.errors import SpecError
from myriad.sim.failures import Breakable, draw_incidents
from myriad.sim.jobs import JobRuns, Machines, Maintenance, Resume, Submissions, simulate_jobs
from myriad.sim.jobs.described import FloatArray
from myriad.sim.jobs.metrics import Figures, figures_of, over_time, result_of
from myriad.sim.jobs.policies import policy_named
from myriad.spec.cluster import Node
from myriad.spec.jobs import JobMix, Policy
from myriad.spec.jobs_result import JobsResult
from myriad.spec.recovery import Recovery
from myriad.spec.reliability import Reliability
from myriad.units import DAY_S, HOUR_S

CHECKPOINT_S: Final = HOUR_S
"""Between checkpoints of a job where its recovery gives no interval: an hour, as Kokolis and others assume."""
NODES_PER_LEAF: Final = 32
"""Where neither a profile nor the user says it: 32 nodes of 8 to a rail group, as NVIDIA's scalable units have."""
PARTS_OF_ONE_RUN: Final = 10


@dataclass(frozen=True)
class _Run:
    """One policy in one run, as it goes to another process."""

    jobs: JobMix | Submissions
    policy: Policy
    machines: Machines
    resume: Resume
    breakable: Breakable | None
    days: float
    warm_up_days: float
    scale: float
    asked: float | None
    seed: int
    run: int
    parts: int


@dataclass(frozen=True)
class _Ran:
    found: list[Figures]
    whole: Figures
    chart: FloatArray


def simulate_job_mix(
    jobs: str | JobMix | Submissions,
    policies: Sequence[str | Policy] = ("slurm-backfill",),
    *,
    accelerators: int | None = None,
    node: str | Node = "dgx-h100",
    nodes_per_leaf: int | None = None,
    days: float = 30.0,
    warm_up_days: float = 0.0,
    runs: int = 5,
    seed: int = 0,
    scale: float | None = None,
    asked: float | None = None,
    reliability: str | Reliability | None = None,
    recovery: Recovery | None = None,
    maintenance: tuple[Maintenance, ...] = (),
    name: str | None = None,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] | None = None,
    first_run: Callable[[Policy, Submissions, JobRuns], None] | None = None,
) -> JobsResult:
    """What jobs meet on a cluster under each policy: use, waiting, lost work and ETTR by size of job.

    `jobs` is a mix, drawn anew for each run, or a list of submissions, the same in each. Without `accelerators` the
    cluster has as many as the mix's own, rounded up to nodes; `scale`, how many times as many jobs come, follows
    their ratio unless given. `asked` is as in `drawn_jobs`. With a profile of `reliability` nodes break, and jobs go
    on from checkpoints as `recovery` says (hourly where it gives no interval); without `recovery` they start anew.
    Run `i` draws its jobs and its incidents from `SeedSequence(seed, spawn_key=(i,))`, the same for each policy and
    on any engine. Figures are means over runs with 95 % intervals by Student's t; of a single run they are over ten
    equal parts of its time. `first_run` is called with what became of each job in the first run of each policy, which
    is simulated once more for it.
    Raises SpecError for unknown names and numbers out of range.
    """
    start = time.perf_counter()
    found = job_mix(jobs) if isinstance(jobs, str) else jobs
    chosen = [policy_named(policy) if isinstance(policy, str) else policy for policy in policies]
    _check(chosen, runs, days, warm_up_days)
    of_node = catalog.node(node) if isinstance(node, str) else node
    count = accelerators or (found.cluster_accelerators if isinstance(found, JobMix) else None)
    if count is None:
        raise SpecError("accelerators: name how many the cluster has; these jobs do not say")
    size = of_node.num_accelerators
    num_nodes = -(-count // size)
    breakable = None if reliability is None else breakable_of(reliability, of_node, num_nodes)
    leaf = nodes_per_leaf or (NODES_PER_LEAF if breakable is None else breakable.nodes_per_leaf)
    if scale is None:
        scale = scale_of(found, num_nodes * size) if isinstance(found, JobMix) else 1.0
    base = _Run(
        jobs=found,
        policy=chosen[0],
        machines=Machines(num_nodes, size, leaf, maintenance),
        resume=resume_of(recovery),
        breakable=breakable,
        days=days,
        warm_up_days=warm_up_days,
        scale=scale,
        asked=asked,
        seed=seed,
        run=0,
        parts=PARTS_OF_ONE_RUN if runs == 1 else 1,
    )
    points = {f"{at}.{run}": replace(base, policy=one, run=run) for run in range(runs) for at, one in enumerate(chosen)}
    ran: dict[str, _Ran] = {}

    def keep(key: str, result: _Ran) -> None:
        ran[key] = result
        if progress is not None:
            progress(len(ran), len(points))

    run_points(points, _simulate, engine or Local(), keep)
    results = []
    for at, policy in enumerate(chosen):
        mine = [ran[f"{at}.{run}"] for run in range(runs)]
        figures = [figures for one in mine for figures in one.found]
        results.append(result_of(policy, figures, [one.whole for one in mine], [one.chart for one in mine]))
        if first_run is not None:
            first_run(policy, *_lived(points[f"{at}.0"]))
    profile = None if reliability is None else reliability_of(reliability).name
    interval_s = base.resume.interval_s
    return JobsResult(
        jobs=name or (found.name if isinstance(found, JobMix) else "jobs"),
        version=__version__,
        accelerators=num_nodes * size,
        accelerators_per_node=size,
        nodes_per_leaf=leaf,
        days=days,
        warm_up_days=warm_up_days,
        runs=runs,
        seed=seed,
        reliability=profile,
        checkpoint_interval_s=interval_s if interval_s < np.inf else None,
        policies=tuple(results),
        simulate_s=time.perf_counter() - start,
    )


def resume_of(recovery: Recovery | None) -> Resume:
    """What a stopped job goes on from: its first place of checkpoints, and the restart by its size."""
    if recovery is None:
        return Resume(interval_s=np.inf)
    first = recovery.checkpoints[0]
    read_s = first.read or 0.0
    restart_s = recovery.restart.seconds(0.0)
    return Resume(
        interval_s=CHECKPOINT_S if first.interval is None else first.interval,
        restart_s=restart_s + read_s,
        restart_per_node_s=recovery.restart.seconds(1.0) - restart_s,
    )


def _check(policies: list[Policy], runs: int, days: float, warm_up_days: float) -> None:
    if not policies:
        raise SpecError("policies: name at least one")
    names = [policy.name for policy in policies]
    if len(set(names)) < len(names):
        raise SpecError("policies: give each name once")
    if runs < 1:
        raise SpecError(f"runs: found {runs}, expected 1 or more")
    if not 0.0 < days < np.inf:
        raise SpecError(f"days: found {days:g}, expected more than 0")
    if not 0.0 <= warm_up_days < np.inf:
        raise SpecError(f"warm-up days: found {warm_up_days:g}, expected 0 or more")


def _simulate(one: _Run) -> _Ran:
    from_s, until_s = one.warm_up_days * DAY_S, (one.warm_up_days + one.days) * DAY_S
    jobs, runs = _lived(one)
    (whole,) = figures_of(jobs, runs, one.machines, from_s, until_s)
    parts = [whole] if one.parts == 1 else figures_of(jobs, runs, one.machines, from_s, until_s, one.parts)
    return _Ran(parts, whole, over_time(runs, one.machines, from_s))


def _lived(one: _Run) -> tuple[Submissions, JobRuns]:
    """The jobs of a run, and what became of each."""
    days = one.warm_up_days + one.days
    of_jobs, of_incidents = np.random.SeedSequence(one.seed, spawn_key=(one.run,)).spawn(2)
    jobs = one.jobs
    if isinstance(jobs, JobMix):
        jobs = drawn_jobs(jobs, days, int(of_jobs.generate_state(1, np.uint64)[0]), one.scale, one.asked)
    incidents = None if one.breakable is None else draw_incidents(one.breakable, days * DAY_S, of_incidents)
    return jobs, simulate_jobs(jobs, one.machines, one.policy, days * DAY_S, incidents, one.resume)
