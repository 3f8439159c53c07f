"""Many jobs that share one cluster: queues, gangs, quotas, preemption, placement, backfill, failures."""

from __future__ import annotations

from myriad.sim.jobs.described import OUTCOMES, STATES, JobRuns, Machines, Maintenance, Resume, Series, Submissions
from myriad.sim.jobs.drawing import draw_jobs
from myriad.sim.jobs.matching import mix_of_jobs, mix_of_statistics
from myriad.sim.jobs.rules import Rules, rules_of
from myriad.sim.jobs.simulate import simulate_jobs
from myriad.sim.jobs.statistics import statistics_of

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
    "draw_jobs",
    "mix_of_jobs",
    "mix_of_statistics",
    "rules_of",
    "simulate_jobs",
    "statistics_of",
]
