"""Counts of rare events: exact intervals for their mean, and for the count that a mean lets expect. No arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from myriad.errors import SpecError

COVERAGE: Final = 0.95
_DIGITS: Final = 1e-15
_MOST_TERMS: Final = 100_000


def gamma_cdf(shape: float, x: float) -> float:
    """Probability that a gamma variable of this shape and scale 1 is at most `x`.

        P(a, x) = 1/Gamma(a) * integral of t^(a-1) e^-t from 0 to x

    By its series below a + 1 and the continued fraction above (Lentz). Source: Abramowitz and Stegun, 6.5.29, 6.5.31.

    >>> round(gamma_cdf(1.0, 1.0), 6)
    0.632121
    """
    if shape <= 0.0:
        raise SpecError(f"the shape of a gamma law must be above 0, found {shape}")
    if x <= 0.0:
        return 0.0
    front = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1.0:
        term = total = 1.0 / shape
        for step in range(1, _MOST_TERMS):
            term *= x / (shape + step)
            total += term
            if term < total * _DIGITS:
                break
        return min(front * total, 1.0)
    tiny = 1e-300
    b = x + 1.0 - shape
    c, d = 1.0 / tiny, 1.0 / b
    fraction = d
    for step in range(1, _MOST_TERMS):
        a = -step * (step - shape)
        b += 2.0
        d = 1.0 / _not_zero(a * d + b, tiny)
        c = _not_zero(b + a / c, tiny)
        fraction *= c * d
        if abs(c * d - 1.0) < _DIGITS:
            break
    return max(1.0 - front * fraction, 0.0)


def _not_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def gamma_quantile(shape: float, probability: float) -> float:
    """The value that a gamma variable of this shape and scale 1 stays below with this probability, by bisection."""
    high = shape + 10.0 * math.sqrt(shape) + 10.0
    while gamma_cdf(shape, high) < probability:
        high *= 2.0
    return _bisected(lambda x: gamma_cdf(shape, x) >= probability, 0.0, high)


def _bisected(is_reached: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (low, middle) if is_reached(middle) else (middle, high)
    return 0.5 * (low + high)


def mean_interval(count: float, coverage: float = COVERAGE) -> tuple[float, float]:
    """Exact interval of the mean of a Poisson count that was seen once (Garwood, Biometrika 28, 1936).

    From 0 for a count of 0. A count with a fraction is an effective number of events. Raises SpecError below 0.

    >>> [round(end, 2) for end in mean_interval(10)]
    [4.8, 18.39]
    """
    if count < 0.0:
        raise SpecError(f"a count must be at least 0, found {count}")
    tail = (1.0 - coverage) / 2.0
    low = gamma_quantile(count, tail) if count > 0.0 else 0.0
    return low, gamma_quantile(count + 1.0, 1.0 - tail)


def at_least(count: int, mean: float) -> float:
    """Probability that a Poisson count of this mean is `count` or more.

    >>> round(at_least(2, 1.0), 4)
    0.2642
    """
    return 1.0 if count <= 0 else gamma_cdf(float(count), mean)


def count_range(mean: float, coverage: float = COVERAGE) -> tuple[int, int]:
    """Counts that a Poisson law of this mean stays within: at most half of what is left out lies on either side.

    >>> count_range(10.0)
    (4, 17)
    """
    tail = (1.0 - coverage) / 2.0
    # X < low has at most the tail: P(X >= low) >= 1 - tail. Likewise above.
    low = _last(lambda count: at_least(count, mean) >= 1.0 - tail, mean)
    high = _last(lambda count: at_least(count, mean) > tail, mean)
    return low, high


def _last(holds: Callable[[int], bool], mean: float) -> int:
    """The last count for which something holds that holds for 0 and, from some count on, no longer."""
    low, high = 0, int(mean + 20.0 * math.sqrt(mean + 1.0)) + 20
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
