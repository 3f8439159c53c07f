"""What simulated jobs on one cluster say under each policy: use, waiting, lost work, by size of job."""

from __future__ import annotations

from typing import Final

from myriad.spec.base import Spec
from myriad.spec.jobs import Policy

WAITS_S: Final = (
    1.0, 3.0, 10.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0, 86400.0,
    2 * 86400.0, 4 * 86400.0, 7 * 86400.0, 14 * 86400.0, 30 * 86400.0,
)  # fmt: skip
"""Times of waiting that shares of jobs are counted within."""


class Figure(Spec):
    """A mean over runs, or over ten equal parts of the time where there is one run, with its 95 % interval."""

    mean: float
    low: float | None
    """`None` where one run says no interval."""
    high: float | None


class Waiting(Spec):
    """From submission to the first start, in seconds; of jobs that have not started, until the end of the time."""

    mean: Figure
    p50: Figure
    p90: Figure
    p99: Figure
    within: tuple[float, ...] = ()
    """Share of the jobs that waited at most each of `WAITS_S`."""


class SizeLine(Spec):
    """Jobs of one range of sizes."""

    larger_than: float
    up_to: float | None
    """Accelerators; `None` for the largest."""
    jobs: Figure
    """In the whole time."""
    waiting: Waiting
    ettr: Figure | None
    """Productive time over wall time from the first start to the end, both summed over jobs that started."""
    interruptions_per_job: Figure
    preemptions_per_job: Figure
    leaves_over_least: Figure | None
    """Leaf switches spanned over the fewest that so many nodes need, the mean of jobs that started."""


class Over(Spec):
    """Means of equal parts of the time, over all runs."""

    at_days: tuple[float, ...]
    """Middle of each part."""
    busy_fraction: tuple[float, ...]
    in_service_fraction: tuple[float, ...]
    waiting_jobs: tuple[float, ...]
    fragmented_fraction: tuple[float, ...]


class PolicyResult(Spec):
    """One policy's figures; shares are of all accelerators."""

    policy: Policy
    utilisation: Figure
    """Share of accelerators held by jobs."""
    in_service: Figure
    waiting: Waiting
    waiting_jobs: Figure
    """Jobs in queues, mean over time."""
    fragmented: Figure
    """Share of accelerators that are idle on nodes which other jobs hold in part."""
    idle_while_waiting: Figure
    """Share of accelerators that are idle while a job waits, mean over time."""
    ettr: Figure
    """Of all jobs that started: productive time over wall time since the first start, weighted by what they hold."""
    shares: dict[str, Figure]
    """Of the accelerator-time of all accelerators: productive work of jobs that completed, failed, were cancelled or
    had not ended; work lost; overhead; idle; out of service."""
    interruptions_per_day: Figure
    preemptions_per_day: Figure
    refused: Figure
    """Jobs that ask for more than the cluster, or their tenant, has."""
    sizes: tuple[SizeLine, ...]
    over_time: Over


class JobsResult(Spec):
    """Jobs of one mix or list on one cluster, under one policy or several, with the same draws for each."""

    jobs: str
    """Name of the mix or of the list."""
    version: str
    accelerators: int
    accelerators_per_node: int
    nodes_per_leaf: int
    days: float
    """That figures are of."""
    warm_up_days: float
    """Simulated before them, and left out."""
    runs: int
    seed: int
    reliability: str | None
    checkpoint_interval_s: float | None
    """Of work; `None` where jobs that are stopped start anew."""
    policies: tuple[PolicyResult, ...]
    simulate_s: float
