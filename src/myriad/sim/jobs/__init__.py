"""Many jobs that share one cluster: queues, gangs, quotas, preemption, placement, backfill, failures."""

from __future__ import annotations

from myriad.sim.jobs.described import OUTCOMES, STATES, JobRuns, Submissions
from myriad.sim.jobs.drawing import draw_jobs

__all__ = ["OUTCOMES", "STATES", "JobRuns", "Submissions", "draw_jobs"]
