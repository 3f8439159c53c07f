"""What goodput a job gets from a cluster that breaks: asked in the figures that published runs state, and answered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from myriad.spec.base import Bytes, BytesPerS, Count, CountOrZero, Fraction, Seconds, Spec
from myriad.spec.campaign_result import CheckpointLine, Spread
from myriad.spec.recovery import CheckpointPlace

Positive = Annotated[Seconds, Field(gt=0)]
FAILURES = ("mtti", "failures_per_1000_node_days", "interruptions", "reliability")
"""Ways to say how often something breaks; one is needed."""


class GoodputQuestion(Spec):
    """One job on one cluster, as far as it is known."""

    cluster: str | None = None
    """Of the catalog, `h100:16384`; or `accelerators`."""
    accelerators: Count | None = None
    accelerators_per_node: Count | None = None
    """Where no cluster of the catalog says it."""
    model: str | None = None
    """Of the catalog: its size is that of a checkpoint."""
    checkpoint_size: Bytes | None = None
    """Of the whole state, where it is known otherwise."""
    reliability: str | None = None
    """Catalog entry of what breaks."""
    mtti: Positive | None = None
    """Mean running time to an interruption."""
    failures_per_1000_node_days: float | None = Field(default=None, ge=0)
    interruptions: CountOrZero | None = None
    """Counted in `duration`, by the clock on the wall."""
    duration: Positive | None = None
    """Or of the job, on machines of the catalog entry."""
    age: Seconds | None = None
    """Of those machines when it starts."""
    checkpoint_to: CheckpointPlace = "storage"
    checkpoint_interval: Positive | None = None
    """From the end of one to the start of the next; without it the best is taken."""
    synchronous: bool = False
    """Whether training stands still until a checkpoint is written."""
    blocking: Seconds | None = None
    write: Seconds | None = None
    read: Seconds | None = None
    storage_bandwidth: BytesPerS | None = None
    """Of the parallel file system, each way."""
    detection: Seconds | None = None
    diagnosis: Seconds | None = None
    restart: Seconds | None = None
    """From the decision to restart to the first step."""
    downtime: Seconds | None = None
    """All of it: from the failure to the first step after it."""
    swap: Seconds | None = None
    spares: CountOrZero | None = None
    """Accelerators that stand by; without it there are always enough."""
    repair: Seconds | None = None
    repair_crews: Count | None = None
    mode: Literal["restart", "elastic", "replica"] = "restart"
    replicas: Count | None = None
    """Data-parallel replicas, of modes elastic and replica."""
    replica_stall: Seconds | None = None

    @model_validator(mode="after")
    def _one_size(self) -> GoodputQuestion:
        if (self.cluster is None) == (self.accelerators is None):
            raise ValueError("cluster or accelerators: expected one of them")
        if self.cluster is not None and self.accelerators_per_node is not None:
            raise ValueError("accelerators_per_node is what the cluster says; leave it out")
        return self

    @model_validator(mode="after")
    def _one_rate(self) -> GoodputQuestion:
        given = [name for name in FAILURES if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(
                f"{(given or FAILURES)[-1]} or another: expected one of {', '.join(FAILURES)}; found {found}"
            )
        if self.interruptions is not None and self.duration is None:
            raise ValueError("duration is missing: the time in which the interruptions were counted")
        if self.reliability is not None and self.cluster is None:
            raise ValueError("reliability needs a cluster of the catalog")
        if self.reliability is None and self.age is not None:
            raise ValueError("age goes with reliability: nothing else knows how failures change with it")
        return self

    @model_validator(mode="after")
    def _whole_or_parts(self) -> GoodputQuestion:
        for name in ("detection", "diagnosis", "restart", "read", "swap"):
            if self.downtime is not None and getattr(self, name) is not None:
                raise ValueError(f"{name} is part of the downtime; give one of them")
        for name in ("detection", "diagnosis", "repair", "downtime"):
            if self.reliability is not None and getattr(self, name) is not None:
                raise ValueError(f"{name} is said by each cause of {self.reliability}; leave it out")
        if self.mode != "restart" and self.replicas is None:
            raise ValueError(f"replicas are missing: mode {self.mode} needs their number")
        return self


class IntervalPoint(Spec):
    """Expected ETTR at one checkpoint interval."""

    name: str
    """given, best, young, daly; empty on the curve."""
    interval_s: float
    ettr: float


class GoodputChange(Spec):
    """What one change would give."""

    name: str
    """failures_half, detection_half, restart_half, blocking_half, write_half, repair_half, best_interval."""
    ettr: float
    gain: float
    """In ETTR, as a difference."""


class SizePoint(Spec):
    """The same job on another number of accelerators."""

    accelerators: int
    mtti_s: float | None
    interval_s: float
    ettr: float


class GoodputCause(Spec):
    """One cause of interruptions."""

    name: str
    interruptions_per_day: float
    """Of the job, when all runs."""
    lost: Fraction
    """Share of wall time that it takes, first order."""


class SimulatedGoodput(Spec):
    """The same, simulated."""

    runs: int
    seed: int
    horizon_s: float
    ettr: Spread
    parts: dict[str, float]
    """Means over the runs."""
    simulate_s: float


class GoodputResult(Spec):
    """What goodput a job gets, which checkpoint interval is best, and what costs it most."""

    format: Literal["myriad-goodput-1"] = "myriad-goodput-1"
    version: str
    question: GoodputQuestion
    accelerators: int
    nodes: int
    spare_nodes: int | None
    """`None`: always enough."""
    mtti_s: float | None
    """Mean running time to an interruption; `None` without any."""
    ettr: float
    parts: dict[str, float]
    """Of wall time, by category; they sum to 1."""
    checkpoint: CheckpointLine
    downtime_s: float | None
    """Mean from an interruption to the first step after it, waiting and failed restarts not counted."""
    lost_s: float | None
    """Mean work lost by an interruption."""
    intervals: tuple[IntervalPoint, ...]
    curve: tuple[IntervalPoint, ...]
    changes: tuple[GoodputChange, ...]
    """The most valuable first."""
    sizes: tuple[SizePoint, ...]
    causes: tuple[GoodputCause, ...]
    kokolis_ettr: float | None
    """By the first-order formula of Kokolis et al., blocking left out."""
    waiting_spares: int | None
    """Spare nodes with which the job would wait less than 0.1 % of the time."""
    simulated: SimulatedGoodput | None = None
    assumed: tuple[str, ...]
    """What was left open, and what was taken."""
