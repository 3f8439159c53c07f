"""Many jobs that share one cluster: queues, gangs, quotas, preemption, placement, backfill, failures."""

from __future__ import annotations

from myriad.sim.jobs.described import OUTCOMES, STATES, JobRuns, Submissions
from myriad.sim.jobs.drawing import draw_jobs
from myriad.sim.jobs.matching import mix_of_jobs, mix_of_statistics
from myriad.sim.jobs.statistics import statistics_of

__all__ = [
    "OUTCOMES",
    "STATES",
    "JobRuns",
    "Submissions",
    "draw_jobs",
    "mix_of_jobs",
    "mix_of_statistics",
    "statistics_of",
]
