"""How well a mean is known from a few values."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

CONFIDENCE: Final = 0.95
"""Of every interval that is stated."""


def half_width(values: npt.NDArray[np.float64]) -> float:
    """Half of the 95 % interval of the mean of independent values by Student's t, in their unit; two values or more.

    >>> round(half_width(np.array([1.0, 2.0, 3.0])), 2)
    2.48
    """
    return two_sided(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))


def two_sided(freedom: int) -> float:
    """Standard errors to either side that hold 95 % under Student's t."""
    return student_quantile(0.5 + CONFIDENCE / 2.0, freedom)


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t with so many degrees of freedom, for probabilities from 0.5 to below 1.

    Found by halving on the distribution function in its closed form for whole degrees of freedom (Abramowitz and
    Stegun 26.7.3 and 26.7.4); beyond 200 by the expansion around the normal quantile (26.7.5), which is off by less
    than 1e-7 there.

    >>> round(student_quantile(0.975, 1), 3), round(student_quantile(0.975, 10), 4)
    (12.706, 2.2281)
    """
    if freedom > 200:
        z = NormalDist().inv_cdf(probability)
        first = (z**3 + z) / 4.0
        second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
        third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
        return z + first / freedom + second / freedom**2 + third / freedom**3
    low, high = 0.0, 1.0
    while _student_within(high, freedom) < 2.0 * probability - 1.0:
        high *= 2.0
    for _ in range(80):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _student_within(middle, freedom) < 2.0 * probability - 1.0 else (low, middle)
    return 0.5 * (low + high)


def _student_within(t: float, freedom: int) -> float:
    """Probability that Student's t lies between -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    term = 1.0 if freedom % 2 == 0 else cosine
    total = term if freedom > 1 else 0.0
    for k in range(2 + freedom % 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if freedom % 2 == 0:
        return sine * total
    return 2.0 / math.pi * (angle + sine * total)
