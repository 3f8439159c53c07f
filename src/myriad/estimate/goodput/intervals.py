"""Checkpoint intervals by the two classic formulas, for one kind of checkpoint and exponential failures."""

from __future__ import annotations

import numpy as np

from myriad.estimate.operations import Array


def young_s(blocking_s: Array | float, mtti_s: Array | float) -> Array:
    """Young's interval between checkpoints, in seconds: sqrt(2 d M).

    `blocking_s` is the time for which a checkpoint stops training, `mtti_s` the mean time to interruption. First order
    in their quotient. Source: J. W. Young, "A first order approximation to the optimum checkpoint interval",
    Communications of the ACM 17 (9), 1974.

    >>> float(young_s(40.0, 48 * 3600.0) / 3600.0).__round__(2)
    1.03
    """
    return np.asarray(np.sqrt(2.0 * np.asarray(blocking_s, dtype=float) * np.asarray(mtti_s, dtype=float)))


def daly_s(blocking_s: Array | float, mtti_s: Array | float) -> Array:
    """Daly's interval between checkpoints, in seconds: a higher order of Young's.

    sqrt(2 d M) (1 + sqrt(d / 2M) / 3 + d / 18M) - d for d < 2M, else M. From the end of one checkpoint to the start of
    the next. Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", Future
    Generation Computer Systems 22 (3), 2006, equation 37.
    """
    blocking, mtti = np.asarray(blocking_s, dtype=float), np.asarray(mtti_s, dtype=float)
    half = np.sqrt(blocking / (2.0 * mtti))
    higher = young_s(blocking, mtti) * (1.0 + half / 3.0 + half**2 / 9.0) - blocking
    return np.where(blocking < 2.0 * mtti, higher, mtti)
