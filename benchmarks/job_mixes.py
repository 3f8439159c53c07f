"""Published clusters against their mixes: as drawn over the published period, and as simulated under three policies.

    python benchmarks/job_mixes.py [--mixes acme-kalos,acme-seren,...] [--days 30] [--seeds 3]

Waiting times are simulated on a cluster that is whole, and that all users share without reservations; where users say
nothing, jobs ask for the longest run of the mix, and once more for three times what they run.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Final

import numpy as np

from myriad import catalog
from myriad.api import drawn_jobs
from myriad.sim.jobs import Machines, draw_jobs, simulate_jobs, statistics_of
from myriad.spec.job_statistics import JobStatistics
from myriad.spec.jobs import JobMix, Policy
from myriad.units import DAY_S

POLICIES: Final = (
    ("first come", Policy(name="first come", order="fifo", backfill="none"), None),
    ("backfill (EASY), limits unknown", Policy(name="backfill", order="fifo", backfill="easy"), None),
    ("backfill (EASY), limits 3 x run", Policy(name="backfill", order="fifo", backfill="easy"), 3.0),
    ("least work first, limits 3 x run", Policy(name="shortest", order="shortest", backfill="easy"), 3.0),
)
FIELDS: Final = (
    "jobs_per_day", "mean_run", "median_run", "mean_accelerators", "median_accelerators", "accelerator_time_per_job",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixes", default="acme-kalos,acme-seren,philly,helios")
    parser.add_argument("--days", type=float, default=30.0, help="to simulate")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for name in arguments.mixes.split(","):
        mix = catalog.job_mix(name)
        assert mix.published is not None
        write(f"\n{mix.name}: {mix.cluster_accelerators} accelerators")
        against_drawn(mix, mix.published)
        against_simulated(mix, mix.published, arguments.days, arguments.seeds)


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


def against_simulated(mix: JobMix, published: JobStatistics, days: float, seeds: int) -> None:
    """Prints waits and utilisation under each policy; behind the mean, how far it goes from seed to seed."""
    assert mix.cluster_accelerators is not None
    machines = Machines(mix.cluster_accelerators // 8, 8, 32)
    write(f"  {'':34} {'median wait':>12} {'mean wait':>10} {'of seeds':>20} {'used':>7} {'took':>7}")
    if published.mean_wait is not None and published.median_wait is not None:
        write(f"  {'published':34} {published.median_wait:10.0f} s {published.mean_wait:8.0f} s")
    for title, policy, asked in POLICIES:
        medians, means, used = [], [], []
        began = time.perf_counter()
        for seed in range(seeds):
            jobs = drawn_jobs(mix, days, seed, asked=asked)
            runs = simulate_jobs(jobs, machines, policy, days * DAY_S)
            medians.append(float(np.median(runs.waited_s)))
            means.append(float(runs.waited_s.mean()))
            used.append(float(runs.series.busy.mean() / runs.series.in_service.mean()))
        span = f"{min(means):.0f} to {max(means):.0f} s"
        write(
            f"  {title:34} {np.mean(medians):10.0f} s {np.mean(means):8.0f} s {span:>20} {np.mean(used):7.1%} "
            f"{time.perf_counter() - began:5.1f} s"
        )


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
