"""The one fitted figure of memory: what the caching allocator holds unused, from printed peaks.

All else about memory is counted (see `estimate.memory`) or assumed. PyTorch's allocator is the same under
every training software, hence one parameter for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from myriad.errors import SpecError
from myriad.spec.validation import PeakError, Validation

STEP = 0.005
"""Fractions are tried in steps of this up to one half."""


@dataclass(frozen=True)
class PeakFit:
    """A fragmentation fraction, and the errors of the peaks that it is judged by."""

    fragmentation_fraction: float
    num_rows: int
    mean_abs_error: float
    bias: float


def fit_fragmentation(peaks: Sequence[PeakError]) -> float:
    """The fraction of what comes and goes that brings the peaks nearest to the printed ones, by mean absolute error.

    Peaks read without fragmentation say nothing about it. Raises SpecError if no other is there.
    """
    informative = [peak for peak in peaks if peak.fragmenting_bytes > 0]
    if not informative:
        raise SpecError("no row prints a peak that fragmentation is part of")
    tried = np.arange(0.0, 0.5 + STEP, STEP)
    means = [np.abs(_errors(informative, float(fraction))).mean() for fraction in tried]
    return float(tried[int(np.argmin(means))])


def judge(peaks: Sequence[PeakError], fraction: float) -> PeakFit:
    """The errors of some peaks at a given fragmentation fraction."""
    errors = _errors(peaks, fraction)
    return PeakFit(fraction, len(peaks), float(np.abs(errors).mean()), float(errors.mean()))


def leave_one_out(peaks: Sequence[PeakError]) -> dict[str, PeakFit]:
    """Per software: its peaks judged by the fraction that those of all others give."""
    found: dict[str, PeakFit] = {}
    for stack in sorted({peak.stack for peak in peaks}):
        others = [peak for peak in peaks if peak.stack != stack]
        found[stack] = judge([peak for peak in peaks if peak.stack == stack], fit_fragmentation(others))
    return found


def peaks_of(file: Path) -> tuple[PeakError, ...]:
    """The peaks of a judgement that `myriad validate training --json` wrote. Raises SpecError if it is none."""
    try:
        return Validation.model_validate_json(file.read_bytes()).memory.peaks
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not what `myriad validate training --json` writes"
        raise SpecError(f"--validation {file}: {reason}") from None


def _errors(peaks: Sequence[PeakError], fraction: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    other = np.array([peak.other_bytes for peak in peaks])
    fragmenting = np.array([peak.fragmenting_bytes for peak in peaks])
    measured = np.array([peak.measured_bytes for peak in peaks])
    return np.asarray((other + (1.0 + fraction) * fragmenting) / measured - 1.0)
