"""Small schedules, written as lists, for the tests of many jobs on one cluster."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from myriad.sim.failures import Incidents
from myriad.sim.jobs import Submissions


@dataclass(frozen=True)
class Job:
    at: float
    accelerators: float
    run: float
    limit: float | None = None
    tenant: str = "a"
    priority: int = 0
    outcome: int = 0


def submissions(*jobs: Job) -> Submissions:
    tenants = tuple(sorted({job.tenant for job in jobs}))
    return Submissions(
        submitted_s=np.array([float(job.at) for job in jobs]),
        accelerators=np.array([float(job.accelerators) for job in jobs]),
        run_s=np.array([float(job.run) for job in jobs]),
        limit_s=np.array([float(job.run if job.limit is None else job.limit) for job in jobs]),
        outcome=np.array([job.outcome for job in jobs], dtype=np.int64),
        tenant=np.array([tenants.index(job.tenant) for job in jobs], dtype=np.int64),
        priority=np.array([job.priority for job in jobs], dtype=np.int64),
        tenants=tenants,
    )


def incident(
    start: float,
    node: int = 0,
    num_nodes: int = 1,
    effect: int = 0,
    detection: float = 0.0,
    repair: float = 0.0,
    speed: float = 1.0,
    lasts: float = math.inf,
) -> Incidents:
    """One of them; effect 0 stops, 1 slows, 2 corrupts."""
    return Incidents(
        start_s=np.array([start]),
        cause=np.array([0]),
        effect=np.array([effect]),
        node=np.array([node]),
        num_nodes=np.array([num_nodes]),
        detection_s=np.array([detection]),
        diagnosis_s=np.array([0.0]),
        repair_s=np.array([repair]),
        speed=np.array([speed]),
        lasts_s=np.array([lasts]),
    )
