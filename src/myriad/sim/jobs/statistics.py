"""The aggregates that clusters publish of their jobs, of any list of jobs."""

from __future__ import annotations

import math

import numpy as np

from myriad.errors import SpecError
from myriad.sim.jobs.described import OUTCOMES, FloatArray, Submissions
from myriad.spec.job_statistics import Endings, JobStatistics, LargeJobs
from myriad.units import DAY_S


def statistics_of(
    jobs: Submissions, waited_s: FloatArray | None = None, large: tuple[float, ...] = (), span_s: float | None = None
) -> JobStatistics:
    """Aggregates of these jobs; waiting times too where they are given (NaN for jobs that never started).

    `large` are sizes from which on jobs are summed up, `span_s` the time over which they came (by default from the
    first to the last). Raises SpecError where there are no jobs.
    """
    if not len(jobs):
        raise SpecError("statistics of jobs: there are none")
    time = jobs.accelerators * jobs.run_s
    span_s = span_s or float(jobs.submitted_s.max() - jobs.submitted_s.min())
    waited = np.empty(0) if waited_s is None else waited_s[np.isfinite(waited_s)]
    return JobStatistics(
        jobs=len(jobs),
        jobs_per_day=len(jobs) / (span_s / DAY_S) if span_s > 0 else None,
        mean_run=float(jobs.run_s.mean()),
        median_run=float(np.median(jobs.run_s)),
        longest_run=float(jobs.run_s.max()),
        mean_accelerators=float(jobs.accelerators.mean()),
        median_accelerators=float(np.median(jobs.accelerators)),
        most_accelerators=float(jobs.accelerators.max()),
        accelerator_time_per_job=float(time.mean()),
        by_jobs=_endings(jobs, np.ones(len(jobs))),
        by_accelerator_time=_endings(jobs, time),
        large=tuple(
            LargeJobs(
                accelerators=size,
                jobs=float((jobs.accelerators >= size).mean()),
                accelerator_time=float(time[jobs.accelerators >= size].sum() / total)
                if (total := time.sum())
                else None,
            )
            for size in large
        ),
        mean_wait=float(waited.mean()) if len(waited) else None,
        median_wait=float(np.median(waited)) if len(waited) else None,
    )


def _endings(jobs: Submissions, weights: FloatArray) -> Endings | None:
    total = float(weights.sum())
    if total <= 0 or not math.isfinite(total):
        return None
    shares = np.bincount(jobs.outcome, weights, minlength=len(OUTCOMES)) / total
    return Endings(**dict(zip(OUTCOMES, np.minimum(shares, 1.0).tolist(), strict=True)))
