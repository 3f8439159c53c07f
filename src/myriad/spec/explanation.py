"""Why an estimate is what it is: its parts, what its band rests on, what it assumes and what would change it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Fraction, Spec
from myriad.spec.model import Family
from myriad.spec.result import OperationTime, Sensitivity, TrainingEstimate
from myriad.spec.validation import RowResult


class Assumption(Spec):
    """One fitted factor or one figure that nobody measured, and the step time if it is otherwise."""

    figures: tuple[str, ...] = Field(min_length=1)
    """Paths such as `stacks/nemo/stretch/dp`; several where one factor moves them together."""
    kind: Literal["fitted", "assumed", "derived"]
    meaning: str
    """Of a factor; else the note of the catalog, empty without one."""
    value: float
    """The factor; else the figure itself."""
    low: float
    """What the value may also be: for a factor one standard deviation of the fit less; else a stated, usual change."""
    high: float
    step_at_low_s: float
    step_at_high_s: float
    change_fraction: float
    """Of the step time, the larger of both changes without its sign."""


class BandGround(Spec):
    """What the band around a step time rests on."""

    runs: int
    """Fitted in all."""
    stack: str
    stack_runs: int
    """Fitted of this software."""
    accelerator: str
    accelerator_runs: int
    family: Family
    family_half_width: float
    """Of runs of this family that the fit had not seen, in ln of the step time."""
    coverage: dict[str, Fraction]
    """What was left out -> share of those runs inside their band."""


class AlikeRun(Spec):
    """Another measured run of the same job: model, accelerators and their number, precision, sequence, batch."""

    id: str
    software: str
    """With its release, where that is known."""
    switches: tuple[str, ...]
    """Of the software, that are known to be on."""
    expert_capacity: float | None
    """Tokens per expert over the mean beyond which tokens are dropped, where they are."""
    layout: str
    measured: float
    """Tokens/s per accelerator."""
    over_this: float
    """Measured rate over that of the run explained."""


class RowGround(Spec):
    """A measured run beside its estimate, and what the shipped runs say about runs of its kind."""

    result: RowResult
    switches: tuple[str, ...]
    measured_step_s: float
    in_band: bool
    alike: tuple[AlikeRun, ...]
    """Same job: how far they differ is nothing that an estimate could know, except for layout and release."""
    kin: int
    """Other runs of the same family of models, accelerator, precision and software."""


class Explanation(Spec):
    """Everything that `myriad explain` answers."""

    format: Literal["myriad-explanation-1"] = "myriad-explanation-1"
    subject: str
    """What is explained, in one line."""
    estimate: TrainingEstimate
    operations: tuple[OperationTime, ...]
    """Of the slowest stage, longest first."""
    band_ground: BandGround
    assumptions: tuple[Assumption, ...]
    """Those that the step time depends on, the strongest first."""
    sensitivity: tuple[Sensitivity, ...]
    row: RowGround | None = None
    """For a measured run."""
