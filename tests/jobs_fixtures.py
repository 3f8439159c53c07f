"""A small simulation of many jobs, of which text and page are made."""

from __future__ import annotations

from functools import cache

from myriad.sim.jobs import Machines, Resume, draw_jobs, simulate_jobs
from myriad.sim.jobs.metrics import figures_of, over_time, result_of
from myriad.sim.jobs.policies import policy_named
from myriad.spec.jobs import JobClass, JobMix
from myriad.spec.jobs_result import JobsResult
from myriad.units import DAY_S

MACHINES = Machines(16, 8, 4)
MIX = JobMix(
    name="Jobs <of> ours",
    jobs_per_day=400,
    longest_run=2 * DAY_S,
    classes=(
        JobClass(accelerators=1, share=0.6, median_run=600, mean_run=3000, failed=0.3),
        JobClass(accelerators=8, share=0.3, median_run=1200, mean_run=6000, cancelled=0.2),
        JobClass(accelerators=64, share=0.1, median_run=1800, mean_run=5000),
    ),
)


@cache
def jobs_result() -> JobsResult:
    """Two policies, two runs of three days; nothing breaks, but jobs are cut and go on."""
    results = []
    for name in ("fifo", "slurm-backfill"):
        policy = policy_named(name).model_copy(update={"longest": 7200.0})
        found, charts = [], []
        for seed in range(2):
            jobs = draw_jobs(MIX, 3 * DAY_S, seed)
            runs = simulate_jobs(jobs, MACHINES, policy, 3 * DAY_S, None, Resume(600.0, 60.0))
            found += figures_of(jobs, runs, MACHINES, 0.0, 3 * DAY_S)
            charts.append(over_time(runs, MACHINES, 0.0))
        results.append(result_of(policy, found, found, charts))
    return JobsResult(
        jobs=MIX.name, version="0.1.0", accelerators=128, accelerators_per_node=8, nodes_per_leaf=4, days=3.0,
        warm_up_days=0.0, runs=2, seed=0, reliability=None, checkpoint_interval_s=600.0, policies=tuple(results),
        simulate_s=1.0,
    )  # fmt: skip
