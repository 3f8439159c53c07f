"""What was fitted to measured training runs: factors on assumed figures of the catalog, and bands."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Fraction, Spec


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
    """Half-widths of the band around an estimate, in ln of the step time, that holds so much of what is measured.

    Each is of runs that the fit had not seen: `known` of other models on known hardware and software.
    """

    share: Fraction = 0.8
    dense: float = Field(gt=0)
    moe: float = Field(gt=0)
    hybrid: float = Field(gt=0)
    unknown_stack: float = Field(gt=0)
    unknown_accelerator: float = Field(gt=0)


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
    """Of the rows fitted."""
    factors: tuple[Factor, ...]
    bands: Bands | None = None
