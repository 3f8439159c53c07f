"""What a run teaches about the machine, the software and the failures that its plan assumed."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.layout import Layout


class Refit(Spec):
    """One figure, or several that move together, as a run changes it."""

    name: str
    """Key of its text: compute, streams, host, overhead, tp, cp, ep, pp, dp, reserved, failures, blocking, ..."""
    figures: tuple[str, ...]
    """Where it stands: `kernels/h100/training_share/bf16`, `jobs.pretrain.recovery.restart`."""
    before: float
    after: float
    """Of the first of the figures, in its unit."""
    unit: str
    """`s`, `B`, empty for shares."""
    low: float | None = None
    """95 % interval of it after the run."""
    high: float | None = None
    spread: float
    """Standard deviation of its logarithm before the run: how far it may be from what was known."""
    uncertainty: float
    """And after it."""


class PlannedFigures(Spec):
    """What a plan says of one job."""

    pool: str
    layout: Layout | None
    step_s: float | None
    memory_peak_bytes: float | None
    days: float | None
    cost_usd: float | None
    ettr: float | None


class RunCalibration(Spec):
    """A plan before and after a run."""

    format: Literal["myriad-run-calibration-1"] = "myriad-run-calibration-1"
    run: str
    job: str
    steps: int
    """That were counted."""
    layout: Layout
    """Of the run."""
    refits: tuple[Refit, ...]
    measured_step_s: float | None
    predicted_before_s: float
    predicted_after_s: float
    measured_memory_bytes: float | None
    memory_before_bytes: float
    memory_after_bytes: float
    before: PlannedFigures | None
    """The plan of the job by the catalog as it was; `None` where no pool can do it."""
    after: PlannedFigures | None
    currency: str = "USD"
    usd_per_currency: float = 1.0
    notes: tuple[str, ...] = ()
    """What the run cannot tell."""
