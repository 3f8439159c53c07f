"""Judges memory: peaks against printed ones, and whether runs that ran are judged to fit, with how much to spare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from myriad.spec.result import TrainingEstimate
from myriad.spec.validation import MemoryGroup, MemoryJudgement, PeakError, RowResult
from myriad.validate.conventions import PeakReading
from myriad.validate.errors import group_error

MARGINS: Final = (0.05, 0.1, 0.2, 0.5)
"""Shares of the device's memory that may be left over."""

COME_AND_GO: Final = ("activations", "logits", "buffers")
"""Parts of the memory that are allocated anew in every step."""


def read_parts_bytes(estimate: TrainingEstimate, reading: PeakReading) -> dict[str, float]:
    """The estimated peak as the source would read it, in bytes by part."""
    stages = estimate.memory
    chosen = stages[-1] if reading.stage == "last" else max(stages, key=lambda stage: stage.total_bytes)
    left_out = {"device": (), "reserved": ("reserved",), "allocated": ("reserved", "fragmentation")}[reading.counts]
    return {part: size for part, size in chosen.parts_bytes.items() if part not in left_out}


def peak_error(result: RowResult) -> PeakError | None:
    """The printed peak beside the estimated one, `None` where the source prints none."""
    parts, measured_bytes = result.read_memory_parts_bytes, result.measured_memory_peak_bytes
    if parts is None or measured_bytes is None:
        return None
    predicted_bytes = sum(parts.values())
    fragmenting_bytes = sum(parts[part] for part in COME_AND_GO) if "fragmentation" in parts else 0.0
    return PeakError(
        id=result.id,
        stack=result.stack,
        model=result.model,
        layout=result.layout,
        measured_bytes=measured_bytes,
        predicted_bytes=predicted_bytes,
        fragmenting_bytes=fragmenting_bytes,
        other_bytes=predicted_bytes - fragmenting_bytes - parts.get("fragmentation", 0.0),
        error=predicted_bytes / measured_bytes - 1.0,
    )


def memory_judgement(results: Sequence[RowResult]) -> MemoryJudgement:
    """All rows, and the same by software and by accelerator; the worst peaks first."""
    judged = [r for r in results if r.judges_memory]
    peaks = [peak for r in results if (peak := peak_error(r)) is not None]
    errors = group_error([peak.error for peak in peaks]) if peaks else None
    fitting = sum(r.fits for r in judged)
    return MemoryJudgement(
        rows=len(judged),
        fitting=fitting,
        fitting_fraction=fitting / len(judged) if judged else 1.0,
        fitting_with_margin={margin: sum(_spare(r) >= margin for r in judged) for margin in MARGINS},
        not_fitting=tuple(r.id for r in judged if not r.fits),
        peak_rows=len(peaks),
        peak_mean_abs_error=errors.mean_abs_error if errors else 0.0,
        peak_p90_abs_error=errors.p90_abs_error if errors else 0.0,
        peak_bias=errors.bias if errors else 0.0,
        peaks=tuple(sorted(peaks, key=lambda peak: -abs(peak.error))),
        groups={"stack": _groups(results, lambda r: r.stack), "accelerator": _groups(results, lambda r: r.accelerator)},
    )


def _spare(result: RowResult) -> float:
    """Share of the device's memory that the estimate leaves over; below 0 it does not fit."""
    return 1.0 - result.memory_peak_bytes / result.memory_capacity_bytes


def _groups(results: Sequence[RowResult], name: Callable[[RowResult], str]) -> dict[str, MemoryGroup]:
    groups: dict[str, MemoryGroup] = {}
    for key in sorted({name(r) for r in results if r.judges_memory or r.measured_memory_peak_bytes}):
        own = [r for r in results if name(r) == key]
        judged = [r for r in own if r.judges_memory]
        errors = [peak.error for r in own if (peak := peak_error(r)) is not None]
        groups[key] = MemoryGroup(
            rows=len(judged),
            fitting=sum(r.fits for r in judged),
            least_spare_fraction=min((_spare(r) for r in judged), default=None),
            peak=group_error(errors) if errors else None,
        )
    return groups
