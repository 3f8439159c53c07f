"""Many jobs that share one cluster: queues, gangs, quotas, preemption, placement, backfill, failures."""

from __future__ import annotations

from myriad.sim.jobs.described import OUTCOMES, STATES, JobRuns, Machines, Maintenance, Resume, Series, Submissions
from myriad.sim.jobs.rules import Rules, rules_of
from myriad.sim.jobs.simulate import simulate_jobs

__all__ = [
    "OUTCOMES",
    "STATES",
    "JobRuns",
    "Machines",
    "Maintenance",
    "Resume",
    "Rules",
    "Series",
    "Submissions",
    "rules_of",
    "simulate_jobs",
]
