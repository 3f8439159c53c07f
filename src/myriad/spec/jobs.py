"""Many jobs on one cluster: the mix they are drawn from, and the policy that they run under."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from myriad.spec.base import Count, Fraction, Seconds, Spec
from myriad.spec.job_statistics import JobStatistics


class JobClass(Spec):
    """Jobs of one size: how often they come, how long they run, how they end."""

    accelerators: float = Field(gt=0)
    share: Annotated[Fraction, Field(gt=0)]
    """Of all jobs. Shares of a mix sum to 1."""
    median_run: Seconds
    mean_run: Seconds
    """Run times are lognormal with this median and mean."""
    failed: Fraction = 0.0
    """Share that ends by an error of its own."""
    cancelled: Fraction = 0.0
    priority: int = 0
    tenant: str = "all"

    @model_validator(mode="after")
    def _lognormal(self) -> JobClass:
        if self.mean_run < self.median_run:
            raise ValueError("mean_run: a lognormal time has a mean of at least its median")
        if self.failed + self.cancelled > 1.0:
            raise ValueError("failed and cancelled: together more than all")
        return self


class JobMix(Spec):
    """A cluster's jobs as statistics."""

    name: str
    cluster_accelerators: Count | None = None
    """Of the cluster that the statistics are of."""
    jobs_per_day: float = Field(gt=0)
    longest_run: Seconds | None = None
    """Run times are cut here."""
    night_share: Fraction = 0.0
    """How far submissions fall and rise over the day, as a share of their mean (a sine with its peak at 14:00)."""
    published: JobStatistics | None = None
    """What the classes were derived from, where that was not the jobs themselves."""
    classes: tuple[JobClass, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> JobMix:
        total = sum(one.share for one in self.classes)
        if abs(total - 1.0) > 1e-3:
            raise ValueError(f"classes: the shares sum to {total:g}, expected 1")
        return self


class Quota(Spec):
    """What one tenant may hold."""

    guaranteed: Fraction = 0.0
    """Share of the cluster that its jobs get before others', by preemption where the policy preempts."""
    most: Fraction = 1.0


class Policy(Spec):
    """How a scheduler orders, places and interrupts jobs."""

    name: str
    order: Literal["fifo", "priority", "shortest", "fair"] = "priority"
    """`shortest` by accelerator-seconds asked for, `fair` by what tenants hold against their guaranteed shares."""
    backfill: Literal["none", "easy", "conservative"] = "easy"
    placement: Literal["packed", "first-fit", "spread", "topology"] = "topology"
    preemption: Literal["none", "priority", "quota"] = "none"
    preempt_after: Seconds = 2 * 3600.0
    """A job runs at least so long before it may be preempted."""
    quotas: dict[str, Quota] = Field(default_factory=dict)
    """By tenant. Without any, preemption by quota guarantees all tenants the same share."""
    requeue: bool = True
    """Whether a job that machines or preemption stop goes on later from its checkpoint."""
    longest: Seconds | None = None
    """Jobs end here and are requeued."""
