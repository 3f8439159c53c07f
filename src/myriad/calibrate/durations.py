"""The law of a duration from its values: fixed, exponential or lognormal, and the interval of its mean."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.estimate.confidence import two_sided
from myriad.estimate.poisson import gamma_quantile
from myriad.spec.reliability_fit import DurationFit, Interval

LEAST_FOR_LAW: Final = 8
"""With fewer values an exponential law is taken, whose mean has the wider interval."""
FIXED_WITHIN: Final = 0.01


def fit_duration(values_s: npt.NDArray[np.float64]) -> DurationFit | None:
    """Law and mean of the finite values, `None` of none; exponential or lognormal by Akaike's criterion.

    Intervals: exact for the exponential law; Cox's for the mean of a lognormal one, with Student's quantile.
    """
    values = values_s[np.isfinite(values_s)]
    if not len(values):
        return None
    mean = float(values.mean())
    if mean == 0.0 or (len(values) > 1 and float(values.std()) <= FIXED_WITHIN * mean):
        return _fit(values, "fixed", Interval(value=mean, low=mean, high=mean), 0.0)
    if len(values) >= LEAST_FOR_LAW and values.min() > 0.0:
        logs = np.log(values)
        centre, spread = float(logs.mean()), float(logs.var(ddof=1))
        # -2 log L + 2 parameters; the lognormal density has 1/x, hence the sum of logarithms.
        lognormal = len(values) * math.log(2.0 * math.pi * float(logs.var())) + len(values) + 2.0 * logs.sum() + 4.0
        if lognormal < 2.0 * len(values) * (math.log(mean) + 1.0) + 2.0:
            error = math.sqrt(spread / len(values) + spread**2 / (2.0 * (len(values) - 1)))
            middle, half = centre + spread / 2.0, two_sided(len(values) - 1) * error
            mean_s = Interval(value=math.exp(middle), low=math.exp(middle - half), high=math.exp(middle + half))
            return _fit(values, "lognormal", mean_s, math.sqrt(math.expm1(spread)))
    total, number = float(values.sum()), float(len(values))
    low, high = total / gamma_quantile(number, 0.975), total / gamma_quantile(number, 0.025)
    return _fit(values, "exponential", Interval(value=mean, low=low, high=high), 1.0)


def _fit(values: npt.NDArray[np.float64], law: str, mean_s: Interval, variation: float) -> DurationFit:
    return DurationFit.model_validate(
        {"events": len(values), "mean_s": mean_s, "law": law, "variation": variation}, strict=False
    )
