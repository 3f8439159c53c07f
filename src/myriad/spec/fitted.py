"""What was fitted to measured runs: factors on assumed figures of the catalog, and bands."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Fraction, Spec
from myriad.spec.model import Family


class Factor(Spec):
    """One fitted parameter: a factor on one or more assumed figures of the catalog."""

    figures: tuple[str, ...] = Field(min_length=1)
    """Paths such as `stacks/nemo/stretch/dp`; `*` in the second place stands for every entry of that kind."""
    meaning: str
    factor: float = Field(gt=0)
    spread: float = Field(gt=0)
    """Standard deviation of ln factor before the fit: how far reality may be from the assumed figure."""
    uncertainty: float = Field(ge=0)
    """Standard deviation of ln factor after the fit."""
    rows: int = Field(ge=0)
    """Measured runs that it has an effect on."""


class Bands(Spec):
    """Half-widths of bands around an estimate, in ln of the step time, from runs that the fit had not seen."""

    share: Fraction
    """So many of the measured runs lie within."""
    families: dict[Family, float]
    """For models that are dense, mixtures of experts or hybrids, on accelerators and software that were fitted:
    from runs of lines of models that were left out."""
    unknown_stack: float = Field(ge=0)
    """Added, in squares, for software that no run was fitted of: from runs of software left out."""
    unknown_accelerator: float = Field(ge=0)
    """The same for accelerators."""


class TrainingFit(Spec):
    """The calibration of training estimates to measured runs, see `myriad.calibrate`."""

    version: Literal[1] = Field(alias="schema")
    title: str
    fitted_on: str
    """Date."""
    fitted_by: str
    """The command."""
    rows: int
    mean_abs_error: float
    """Of predicted / measured - 1 on the rows fitted."""
    factors: tuple[Factor, ...]
    stacks: dict[str, int]
    """Software -> rows fitted."""
    accelerators: dict[str, int]
    """Accelerator -> rows fitted."""
    bands: Bands
    coverage: dict[str, Fraction]
    """What was left out -> share of those runs inside their band, where the band came from the other runs."""


class ServingFit(Spec):
    """The calibration of serving estimates to measured runs, see `myriad.calibrate`."""

    version: Literal[1] = Field(alias="schema")
    title: str
    fitted_on: str
    """Date."""
    fitted_by: str
    """The command."""
    rows: int
    median_abs_errors: dict[str, float]
    """Of predicted / measured - 1 on the rows fitted, by what is judged; TTFT below saturation alone."""
    factors: tuple[Factor, ...]
    engines: dict[str, int]
    """Engine -> rows fitted."""
    accelerators: dict[str, int]
    """Accelerator -> rows fitted."""
