"""Many jobs that share one cluster: queues, gangs, quotas, preemption, placement, backfill, failures."""

from __future__ import annotations

from myriad.sim.jobs.described import OUTCOMES, STATES, JobRuns, Submissions

__all__ = ["OUTCOMES", "STATES", "JobRuns", "Submissions"]
