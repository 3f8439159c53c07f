"""What is known of a cluster's jobs as a whole: as published, as drawn, as read from a trace."""

from __future__ import annotations

from pydantic import Field, model_validator

from myriad.spec.base import Fraction, Seconds, Spec


class Endings(Spec):
    """How jobs end by themselves, as shares."""

    completed: Fraction
    failed: Fraction
    cancelled: Fraction

    @model_validator(mode="after")
    def _sum_to_one(self) -> Endings:
        if abs(self.completed + self.failed + self.cancelled - 1.0) > 0.005:
            raise ValueError("completed, failed and cancelled: expected a sum of 1")
        return self


class LargeJobs(Spec):
    """What the jobs from a size on are of all."""

    accelerators: float = Field(gt=0)
    """Jobs that ask for at least so many."""
    jobs: Fraction | None = None
    accelerator_time: Fraction | None = None

    @model_validator(mode="after")
    def _says_something(self) -> LargeJobs:
        if self.jobs is None and self.accelerator_time is None:
            raise ValueError("expected jobs, accelerator_time or both")
        return self


class JobStatistics(Spec):
    """Aggregates of many jobs; what is not known is left out."""

    jobs: float | None = Field(default=None, gt=0)
    """How many they are of."""
    jobs_per_day: float | None = Field(default=None, gt=0)
    mean_run: Seconds | None = None
    median_run: Seconds | None = None
    longest_run: Seconds | None = None
    mean_accelerators: float | None = Field(default=None, gt=0)
    """Per job, each job counted once."""
    median_accelerators: float | None = Field(default=None, gt=0)
    most_accelerators: float | None = Field(default=None, gt=0)
    accelerator_time_per_job: Seconds | None = None
    """Mean of accelerators times run time."""
    by_jobs: Endings | None = None
    by_accelerator_time: Endings | None = None
    large: tuple[LargeJobs, ...] = ()
    mean_wait: Seconds | None = None
    median_wait: Seconds | None = None


class DrawnJobs(Spec):
    """What jobs of a mix are like once drawn, beside what the mix was made from."""

    mix: str
    days: float
    seed: int
    given: JobStatistics | None
    """Published, or of the trace; `None` for a mix that does not say."""
    drawn: JobStatistics
    remarks: dict[str, int] = Field(default_factory=dict)
    """What a trace's reader left out or cut short -> jobs."""
