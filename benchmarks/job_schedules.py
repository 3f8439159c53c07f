"""How fast many jobs on one cluster are simulated: a month of 2,000 GPUs, by policy and load.

    python benchmarks/job_schedules.py [--jobs 200000] [--nodes 250] [--policy NAME ...] [--load 0.7 0.95]

Jobs of 1 to 256 accelerators with lognormal run times (a spread of 1.8, as those of published clusters) and limits of
one to five times these; stopped jobs go on from hourly checkpoints. Run times are scaled to the load: accelerator-time
asked for over what the cluster has.
Seconds are of the processor, of one core, in plain Python.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from myriad.sim.jobs import Machines, Resume, Submissions, simulate_jobs
from myriad.sim.jobs.policies import POLICIES, policy_named
from myriad.units import DAY_S

SIZES = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
SHARES = np.array([0.55, 0.1, 0.08, 0.18, 0.04, 0.025, 0.015, 0.007, 0.003])
HORIZON_S = 30 * DAY_S
HOURLY = Resume(interval_s=3600.0, restart_s=200.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--nodes", type=int, default=250)
    parser.add_argument("--policy", nargs="+", choices=list(POLICIES), default=["fifo", "slurm-backfill"])
    parser.add_argument("--load", nargs="+", type=float, default=[0.7, 0.9])
    arguments = parser.parse_args()
    machines = Machines(arguments.nodes, 8, 32)
    write(f"{'policy':18} {'load':>5} {'seconds':>8} {'jobs/s':>8} {'used':>6} {'wait, mean s':>12} {'queue':>8}")
    for load in arguments.load:
        jobs = drawn(arguments.jobs, arguments.nodes * 8, load)
        for name in arguments.policy:
            begin = time.process_time()
            runs = simulate_jobs(jobs, machines, policy_named(name), HORIZON_S, resume=HOURLY)
            seconds = time.process_time() - begin
            used = runs.series.busy.mean() / (arguments.nodes * 8)
            rate, queue = len(jobs) / seconds, runs.series.waiting.mean()
            wait = runs.waited_s.mean()
            write(f"{name:18} {load:5.2f} {seconds:8.1f} {rate:8,.0f} {used:6.3f} {wait:12,.0f} {queue:8,.1f}")


def drawn(count: int, accelerators: int, load: float, seed: int = 0) -> Submissions:
    random = np.random.default_rng(seed)
    sizes = random.choice(SIZES, count, p=SHARES / SHARES.sum()).astype(np.float64)
    run = np.minimum(random.lognormal(0.0, 1.8, count), 500.0)
    run *= load * accelerators * HORIZON_S / (np.ceil(sizes) * run).sum()
    return Submissions(
        submitted_s=np.sort(random.random(count) * HORIZON_S),
        accelerators=sizes,
        run_s=run,
        limit_s=run * random.uniform(1.0, 5.0, count),
        outcome=np.zeros(count, dtype=np.int64),
        tenant=random.integers(0, 4, count),
        priority=random.integers(0, 3, count),
        tenants=("a", "b", "c", "d"),
    )


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
