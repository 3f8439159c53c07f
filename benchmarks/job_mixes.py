"""Published clusters against their mixes: as drawn over the published period, and as simulated under three policies.

    python benchmarks/job_mixes.py [--mixes acme-kalos,acme-seren,...] [--days 30] [--warm-up 5] [--seeds 3]

Waiting times are simulated on a cluster that is whole, of nodes of 8, and that all users share without quotas or
reservations. Jobs ask for the longest run of the mix, as where users say nothing, or for three times what they run.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

from myriad import catalog
from myriad.api import simulate_job_mix
from myriad.engine import Local
from myriad.sim.jobs import draw_jobs, statistics_of
from myriad.sim.jobs.policies import policy_named
from myriad.spec.job_statistics import JobStatistics
from myriad.spec.jobs import JobMix, Policy, Quota
from myriad.units import DAY_S

CASES: Final = (
    ("fifo", "fifo", None),
    ("slurm-backfill", "slurm-backfill", None),
    ("slurm-backfill, 3 x run asked", "slurm-backfill", 3.0),
    ("shortest, 3 x run asked", "shortest", 3.0),
)
VIRTUAL_CLUSTERS: Final = {"Philly": 14}
"""Of clusters that say how many; how large each was is not published."""
FIELDS: Final = (
    "jobs_per_day", "mean_run", "median_run", "mean_accelerators", "median_accelerators", "accelerator_time_per_job",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixes", default="acme-kalos,acme-seren,philly,helios")
    parser.add_argument("--days", type=float, default=30.0, help="to simulate")
    parser.add_argument("--warm-up", type=float, default=5.0, help="days before them that do not count")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.mixes.split(","):
        mix = catalog.job_mix(name)
        assert mix.published is not None
        write(f"\n{mix.name}: {mix.cluster_accelerators} accelerators")
        against_drawn(mix, mix.published)
        against_simulated(mix, mix.published, arguments.days, arguments.warm_up, arguments.seeds)


def against_drawn(mix: JobMix, published: JobStatistics) -> None:
    """Prints each published figure beside that of as many drawn jobs."""
    assert published.jobs is not None
    days = published.jobs / mix.jobs_per_day
    began = time.perf_counter()
    jobs = draw_jobs(mix, days * DAY_S, seed=0)
    took = time.perf_counter() - began
    found = statistics_of(jobs, span_s=days * DAY_S)
    write(f"  {'':28} {'published':>12} {'drawn':>12}   {len(jobs)} jobs, {days:.0f} days, in {took:.2f} s")
    for field in FIELDS:
        row(field, getattr(published, field), getattr(found, field))
    for group in ("by_jobs", "by_accelerator_time"):
        for outcome in ("completed", "failed", "cancelled"):
            given, drawn = getattr(published, group), getattr(found, group)
            if given is not None:
                row(f"{outcome} {group}", getattr(given, outcome), getattr(drawn, outcome))


def against_simulated(mix: JobMix, published: JobStatistics, days: float, warm_up: float, seeds: int) -> None:
    """Prints waits and utilisation under each policy, with the 95 % interval over seeds of the mean wait."""
    write(f"  {'':34} {'median wait':>11} {'mean wait':>10} {'interval':>18} {'used':>7} {'took':>8}")
    if published.mean_wait is not None and published.median_wait is not None:
        write(f"  {'published':34} {published.median_wait:9.0f} s {published.mean_wait:8.0f} s")
    cases = [(title, mix, policy_named(policy), asked) for title, policy, asked in CASES]
    if (count := VIRTUAL_CLUSTERS.get(mix.name)) is not None:
        cases.append((f"fifo, {count} equal hard quotas", *with_quotas(mix, count), None))
    for title, submitted, policy, asked in cases:
        found = simulate_job_mix(
            submitted, [policy], node="dgx-a100-80gb", days=days, warm_up_days=warm_up, runs=seeds, asked=asked,
            engine=Local(1),
        )  # fmt: skip
        (one,) = found.policies
        mean = one.waiting.mean
        span = "" if mean.low is None or mean.high is None else f"{max(mean.low, 0.0):.0f} to {mean.high:.0f} s"
        write(
            f"  {title:34} {one.waiting.p50.mean:9.0f} s {mean.mean:8.0f} s {span:>18} {one.utilisation.mean:7.1%} "
            f"{found.simulate_s:6.1f} s"
        )


def with_quotas(mix: JobMix, count: int) -> tuple[JobMix, Policy]:
    """The same jobs from so many tenants, none of which may hold more than its part of the cluster."""
    tenants = [f"tenant {number}" for number in range(count)]
    classes = tuple(
        one.model_copy(update={"share": one.share / count, "tenant": tenant})
        for tenant in tenants
        for one in mix.classes
    )
    quotas = {tenant: Quota(most=1 / count) for tenant in tenants}
    policy = policy_named("fifo").model_copy(update={"quotas": quotas})
    return mix.model_copy(update={"classes": classes}), policy


def row(name: str, published: float | None, drawn: float | None) -> None:
    """Prints one figure, unless it is not known."""
    if published is not None and drawn is not None:
        write(f"  {name:28} {published:12.4g} {drawn:12.4g}   {drawn / published - 1 if published else 0.0:+.1%}")


def write(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
