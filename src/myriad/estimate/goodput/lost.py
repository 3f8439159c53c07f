"""How much of a run is lost when it is interrupted: the time since the newest checkpoint that can be read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from myriad.estimate.operations import Array
from myriad.spec.recovery import CheckpointPlace

_ORDER = 16
"""Of the quadrature in each piece; the integrand is a product of exponentials there."""


@dataclass(frozen=True)
class CheckpointTimes:
    """Checkpoints in one place; times in seconds, floats or arrays."""

    to: CheckpointPlace
    interval_s: Array | float
    """From the end of one to the start of the next."""
    blocking_s: Array | float
    write_s: Array | float
    """From its start until it can be read back, blocking included."""
    read_s: float

    @property
    def work_s(self) -> Array:
        """Training between two checkpoints: the interval, or longer where the one before is still being written."""
        return np.asarray(np.maximum(self.interval_s, self.beside_s))

    @property
    def beside_s(self) -> Array:
        """From the end of its blocking until it can be read back."""
        return np.asarray(self.write_s, dtype=float) - self.blocking_s

    @property
    def period_s(self) -> Array:
        """From the start of one to the start of the next."""
        return self.work_s + self.blocking_s


def lost_s(levels: Sequence[CheckpointTimes], interruptions_per_s: Array | float) -> Array:
    """Expected time of a run that its interruption makes worthless, in seconds.

    A run starts from a snapshot and is interrupted after an exponential time of rate r. A level takes a snapshot at
    the end of every stretch of training; with its blocking that makes a period P, and `v` seconds after the blocking
    it can be read back. What is lost since a snapshot (from the end of its blocking) exceeds a with probability
    exp(-r a) G(a); G is 1 up to v and then

        [1 - exp(-r (v + P - a))]+ / (1 - exp(-r P)),     [.]+ being 0 where negative.

    For one level the integral is exact, 1/r - P exp(-r (v + P)) / (1 - exp(-r P)); with v = 0 that is Daly's. Of
    several the newest counts; their phases are taken as independent, so that G is the product. Without any level the
    whole run is lost, 1/r.
    """
    rate = np.maximum(np.asarray(interruptions_per_s, dtype=float), 1e-15)
    if not levels:
        return np.asarray(1.0 / rate)
    ends = [end for one in levels for end in (one.beside_s, one.beside_s + one.period_s)]
    points = np.sort(np.stack(np.broadcast_arrays(np.asarray(0.0), *ends, 0.0 * rate)[:-1], axis=-1), axis=-1)
    at, weight = _gauss()
    width = np.diff(points, axis=-1)[..., None]
    lost = points[..., :-1, None] + width * at
    each = rate[..., None, None]
    exceeds = np.exp(-each * lost)
    for one in levels:
        beside, period = one.beside_s[..., None, None], one.period_s[..., None, None]
        older = np.expm1(-each * np.maximum(beside + period - lost, 0.0)) / np.expm1(-each * period)
        exceeds = exceeds * np.where(lost < beside, 1.0, older)
    total: Array = (exceeds * width * weight).sum(axis=(-1, -2))
    return total


@cache
def _gauss() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points and weights on 0 to 1."""
    at, weight = np.polynomial.legendre.leggauss(_ORDER)
    return (at + 1.0) / 2.0, weight / 2.0


def blocked_fraction(levels: Sequence[CheckpointTimes]) -> Array:
    """Share of a long run in which checkpoints stop it."""
    return sum((np.asarray(one.blocking_s) / one.period_s for one in levels), start=np.asarray(0.0))


def blocked_s(levels: Sequence[CheckpointTimes], interruptions_per_s: Array | float) -> Array:
    """Expected time for which checkpoints stop a run before its interruption, in seconds; exact level by level.

    exp(-r w) (1 - exp(-r d)) / (r (1 - exp(-r P))) with work w, blocking d and period P.
    """
    rate = np.maximum(np.asarray(interruptions_per_s, dtype=float), 1e-15)
    total = np.asarray(0.0)
    for one in levels:
        share = np.expm1(-rate * one.blocking_s) / np.expm1(-rate * one.period_s)
        total = total + np.exp(-rate * one.work_s) * share / rate
    return total
