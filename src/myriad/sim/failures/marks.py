"""What each failure is like: uniform numbers, always as many, and what a cause makes of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.sim.failures.incidents import FloatArray, IntArray
from myriad.spec.reliability import Duration, FailureCause

KEPT, PLACE, BURST = 0, 1, 2
_REPAIRED, _DETECTION, _DIAGNOSIS, _REPAIR, _LASTS = 3, 4, 6, 8, 10
COLUMNS: Final = 12
"""Each failure has them all, whether its cause needs them or not: so a cause may change and keep its draws."""


def marks(generator: np.random.Generator, count: int) -> FloatArray:
    """Uniform numbers of so many failures. Shape (failures, 12)."""
    return generator.random((count, COLUMNS))


def repaired(cause: FailureCause, of: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether what was reached leaves service."""
    return of[:, _REPAIRED] < cause.repaired


def detection_s(cause: FailureCause, of: FloatArray) -> FloatArray:
    """From the event until something is known to be wrong."""
    return _duration_s(cause.detection, of, _DETECTION)


def diagnosis_s(cause: FailureCause, of: FloatArray) -> FloatArray:
    """From then until it is known what to take out."""
    return _duration_s(cause.diagnosis, of, _DIAGNOSIS)


def repair_s(cause: FailureCause, of: FloatArray) -> FloatArray:
    """From then until it is back, with a free crew; 0 where nothing is repaired."""
    return np.where(repaired(cause, of), _duration_s(cause.repair, of, _REPAIR), 0.0)


def lasts_s(cause: FailureCause, of: FloatArray) -> FloatArray:
    """Until a slow event ends by itself; infinite for one that does not."""
    return np.full(len(of), np.inf) if cause.lasts is None else _duration_s(cause.lasts, of, _LASTS)


def burst_sizes(cause: FailureCause, of: FloatArray) -> IntArray:
    """Events that come together, the first included: geometric, at least 1."""
    if cause.burst == 1.0:
        return np.ones(len(of), dtype=np.int64)
    more = np.log1p(-of[:, BURST]) / np.log1p(-1.0 / cause.burst)
    result: IntArray = 1 + np.floor(more).astype(np.int64)
    return result


def _duration_s(law: Duration, of: FloatArray, column: int) -> FloatArray:
    """The mean times a factor of mean 1 that two uniform numbers fix, so that a shorter mean shortens each."""
    if law.law == "fixed":
        return np.full(len(of), law.mean)
    exponential = -np.log1p(-of[:, column])
    if law.law == "exponential":
        return law.mean * exponential
    # Box and Muller (1958): a normal number from an exponential and a uniform one.
    normal = np.sqrt(2.0 * exponential) * np.cos(2.0 * np.pi * of[:, column + 1])
    log_variance = np.log1p(law.variation**2)
    result: FloatArray = law.mean * np.exp(np.sqrt(log_variance) * normal - log_variance / 2.0)
    return result
