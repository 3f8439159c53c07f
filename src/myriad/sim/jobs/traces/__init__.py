"""Jobs that ran somewhere, read from what schedulers and clusters write down."""

from __future__ import annotations

from myriad.sim.jobs.traces.read import FORMATS, read_jobs
from myriad.sim.jobs.traces.recorded import Recorded
from myriad.sim.jobs.traces.table import jobs_text

__all__ = ["FORMATS", "Recorded", "jobs_text", "read_jobs"]
