"""What many runs say together: means with their intervals, probabilities, quantiles of the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from myriad.estimate.confidence import CONFIDENCE, half_width
from myriad.spec.campaign_result import Share, Spread

FloatArray = npt.NDArray[np.float64]


def spread_of(values: FloatArray) -> Spread:
    """Mean with its 95 % interval by Student's t, and quantiles, of two values or more.

    >>> one = spread_of(np.array([1.0, 2.0, 3.0]))
    >>> one.mean, round(one.low, 2), round(one.high, 2), one.p50
    (2.0, -0.48, 4.48, 2.0)
    """
    mean, half = float(values.mean()), half_width(values)
    p10, p50, p90 = (float(value) for value in np.quantile(values, (0.1, 0.5, 0.9)))
    return Spread(mean=mean, low=mean - half, high=mean + half, p10=p10, p50=p50, p90=p90)


def share_of(successes: int, of: int) -> Share:
    """A probability with its 95 % interval after Wilson (JASA 22, 1927), which holds near 0 and 1 too.

    >>> one = share_of(10, 10)
    >>> one.value, round(one.low, 3), one.high
    (1.0, 0.722, 1.0)
    """
    z2 = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0) ** 2
    share = successes / of
    centre = (share + z2 / (2.0 * of)) / (1.0 + z2 / of)
    half = math.sqrt(z2 * (share * (1.0 - share) / of + z2 / (4.0 * of * of))) / (1.0 + z2 / of)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == of else centre + half
    return Share(value=share, low=low, high=high)


def finish_quantiles_s(wall_s: FloatArray, finished: npt.NDArray[np.bool_]) -> tuple[float | None, ...]:
    """By when 1, 2, ... 99 % of the runs have finished, in seconds; `None` where so many never do.

    The smallest time by which at least that share has finished.

    >>> finish_quantiles_s(np.array([3.0, 1.0, 9.0]), np.array([True, True, False]))[32:34]
    (1.0, 3.0)
    """
    ordered = np.sort(np.where(finished, wall_s, np.inf))
    number = len(ordered)
    at = (math.ceil(percent * number / 100) - 1 for percent in range(1, 100))
    return tuple(_finite(float(ordered[index])) for index in at)


def doubted_ends(
    wall_s: FloatArray, finished: npt.NDArray[np.bool_], low: float, high: float, share: float
) -> Callable[[float], float]:
    """Probability of having finished by a time, where every step may be quicker or slower than it was simulated with.

    The true step over the simulated one has a median of 1 and lies between `low` and `high` in `share` of all cases:
    its logarithm is normal, with a width of its own to either side. It is the same for all steps of a run, and the wall
    time grows with it in proportion: failures come by the hour, so their share of the time stays what it is.

    >>> by = doubted_ends(np.array([100.0]), np.array([True]), 0.8, 1.25, 0.8)
    >>> [round(by(time_s), 2) for time_s in (80.0, 100.0, 125.0)]
    [0.1, 0.5, 0.9]
    """
    z = NormalDist().inv_cdf(0.5 + share / 2.0)
    below, above = -math.log(low) / z, math.log(high) / z
    ends = [math.log(one) for one in wall_s[finished].tolist()]

    def by(time_s: float) -> float:
        at = math.log(time_s)
        slack = (at - end for end in ends)
        return sum(NormalDist().cdf(gap / (below if gap < 0.0 else above)) for gap in slack) / len(wall_s)

    return by


def doubted_quantiles_s(by: Callable[[float], float], low_s: float, high_s: float) -> tuple[float | None, ...]:
    """By when 1, 2, ... 99 % have finished, in seconds, found by halving between two times; `None` beyond the later.

    >>> by = doubted_ends(np.array([100.0]), np.array([True]), 0.8, 1.25, 0.8)
    >>> round(doubted_quantiles_s(by, 1.0, 1e4)[89])
    125
    """
    found: list[float | None] = []
    for percent in range(1, 100):
        low, high = low_s, high_s
        if by(high) < percent / 100:
            found.append(None)
            continue
        while high > low * (1.0 + 1e-5):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if by(middle) < percent / 100 else (low, middle)
        found.append(high)
        low_s = low
    return tuple(found)


def nearest_to_median(wall_s: FloatArray) -> int:
    """The run whose end is the median's, the lower one of two, and the first of equals."""
    order = np.argsort(wall_s, kind="stable")
    return int(order[(len(order) - 1) // 2])


def ranked(means_and_lows: Iterable[tuple[float, float]]) -> list[int]:
    """Indices of gains by worth: those whose interval lies above 0 first, then the others, each by their means.

    >>> ranked([(5.0, -1.0), (2.0, 1.0), (3.0, 2.0)])
    [2, 1, 0]
    """
    gains = list(means_and_lows)
    return sorted(range(len(gains)), key=lambda one: (gains[one][1] <= 0.0, -gains[one][0], one))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
