"""Rate and Weibull shape of a cause from the ages at which nodes failed and for which they ran, with intervals.

    h(a) = rate * k * (a / T)^(k-1),  T one year: the hazard of `spec.reliability.FailureCause` by age `a`
    log L = sum of log h(a) over the failures - sum of H(end) - H(start) over all stretches of service

Maximum likelihood with stretches that begin late and end without a failure; intervals from the likelihood ratio.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.estimate.poisson import mean_interval
from myriad.spec.reliability import REFERENCE_AGE_S
from myriad.spec.reliability_fit import Interval
from myriad.units import THOUSAND_DAYS_S

FloatArray = npt.NDArray[np.float64]

LEAST_EVENTS: Final = 20
"""Below so many a shape says nothing."""
DROP: Final = 1.920729
"""Of the log-likelihood at the ends of a 95 % interval: half the 95 % point of chi-square with one degree."""
_SHAPES: Final = np.exp(np.linspace(np.log(0.02), np.log(20.0), 200))


@dataclass(frozen=True)
class Service:
    """Stretches for which nodes ran, by age, and the ages at which they failed."""

    start_s: FloatArray
    end_s: FloatArray
    weight: FloatArray
    """Nodes with this stretch, times how often they fail against the mean."""
    failed_at_s: FloatArray

    def hazard(self, shape: FloatArray) -> FloatArray:
        """Summed over all stretches for a rate of 1 a second, by shape."""
        start, end = self.start_s[:, None] / REFERENCE_AGE_S, self.end_s[:, None] / REFERENCE_AGE_S
        result: FloatArray = self.weight @ (end**shape - start**shape) * REFERENCE_AGE_S
        return result


def service_of(
    time_s: FloatArray,
    node: npt.NDArray[np.int64],
    out_s: FloatArray,
    times: FloatArray,
    num_nodes: int,
    window_s: float,
    age_s: float,
) -> Service:
    """Stretches of service from a log: a node that is out (`out_s` above 0) comes back as new, others grow older.

    `times`: how often each named node fails against the mean; nodes that never failed share what is left of a mean of
    1. Events without a node (-1) count, and renew nobody.
    """
    start, end, weight, failed = [], [], [], []
    named = np.unique(node[node >= 0])
    for one in named:
        mine = np.flatnonzero(node == one)
        born, since = -age_s, 0.0
        for index in mine[np.argsort(time_s[mine], kind="stable")]:
            now = max(float(time_s[index]), since)
            failed.append(now - born)
            if out_s[index] > 0.0:
                start.append(since - born)
                end.append(now - born)
                weight.append(times[one])
                born = since = min(now + float(out_s[index]), window_s)
        start.append(since - born)
        end.append(window_s - born)
        weight.append(times[one])
    quiet = num_nodes - len(named)
    if quiet:
        start.append(age_s)
        end.append(age_s + window_s)
        weight.append(max(num_nodes - float(times[named].sum()), 0.0))
    failed += list(time_s[node < 0] + age_s)
    return Service(np.array(start), np.array(end), np.array(weight), np.maximum(np.array(failed), 1.0))


@dataclass(frozen=True)
class FailureLaw:
    """How often nodes fail, by age."""

    per_1000_node_days: Interval
    shape: Interval | None
    shape_used: float
    exponential_p: float | None
    gain: float
    """Of the log-likelihood, by the shape over a constant rate; 0 where there is none."""


def failure_law(service: Service, followers: float) -> FailureLaw:
    """Rate and shape. `followers` is the mean size of bursts: the rate counts all their events.

    The count of events in bursts of geometric size `b` varies by 2b - 1 times a Poisson count's variance; the rate's
    interval is that of so many fewer events.
    """
    failures = len(service.failed_at_s)
    if failures >= LEAST_EVENTS:
        best, low, high, excess = _shape(service)
        p = math.erfc(math.sqrt(max(excess, 0.0) / 2.0))
        found = Interval(value=best, low=low, high=high)
        if p < 0.05:
            rate = _rate_with_shape(service, best)
            return FailureLaw(_per_1000_days(rate, followers), found, best, p, excess / 2.0)
        return FailureLaw(_constant(service, followers), found, 1.0, p, 0.0)
    return FailureLaw(_constant(service, followers), None, 1.0, None, 0.0)


def _constant(service: Service, followers: float) -> Interval:
    failures, lived_s = len(service.failed_at_s), float(service.hazard(np.ones(1))[0])
    spread = 2.0 * followers - 1.0
    events = failures * followers
    low, high = (end * spread for end in mean_interval(events / spread))
    scale = THOUSAND_DAYS_S / lived_s
    return Interval(value=events * scale, low=low * scale, high=high * scale)


def _per_1000_days(rate: Interval, followers: float) -> Interval:
    scale = THOUSAND_DAYS_S * followers
    return Interval(value=rate.value * scale, low=rate.low * scale, high=rate.high * scale)


def _log_likelihood(service: Service, shape: FloatArray) -> FloatArray:
    """By shape, with the rate that suits it best, but for what depends on neither."""
    failures = len(service.failed_at_s)
    logs = float(np.log(service.failed_at_s / REFERENCE_AGE_S).sum())
    result: FloatArray = failures * np.log(shape / service.hazard(shape)) + (shape - 1.0) * logs
    return result


def _shape(service: Service) -> tuple[float, float, float, float]:
    """Shape, both ends of its interval, and twice the log-likelihood that it gains over a shape of 1."""

    def gain(shape: float) -> float:
        return float(_log_likelihood(service, np.array([shape]))[0])

    grid = _log_likelihood(service, _SHAPES)
    at = int(np.argmax(grid))
    best = _golden(gain, _SHAPES[max(at - 1, 0)], _SHAPES[min(at + 1, len(_SHAPES) - 1)])
    top = gain(best)
    low = _crossing(lambda shape: gain(shape) >= top - DROP, best, _SHAPES[0])
    high = _crossing(lambda shape: gain(shape) >= top - DROP, best, _SHAPES[-1])
    return best, low, high, 2.0 * (top - gain(1.0))


def _rate_with_shape(service: Service, best: float) -> Interval:
    """Events per node and second over the first year, over all shapes that go with it."""
    failures = len(service.failed_at_s)
    hazard = service.hazard(_SHAPES)
    logs = float(np.log(service.failed_at_s / REFERENCE_AGE_S).sum())
    rest = failures * np.log(_SHAPES) + (_SHAPES - 1.0) * logs

    def most(rate: float) -> float:
        return float(np.max(failures * math.log(rate) - rate * hazard + rest))

    rate = failures / float(service.hazard(np.array([best]))[0])
    top = float(_log_likelihood(service, np.array([best]))[0]) + failures * math.log(failures) - failures
    low = _crossing(lambda value: most(value) >= top - DROP, rate, rate * 1e-3)
    high = _crossing(lambda value: most(value) >= top - DROP, rate, rate * 1e3)
    return Interval(value=rate, low=low, high=high)


def _golden(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one top between two ends is highest."""
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if value(left) > value(right) else (left, high)
    return 0.5 * (low + high)


def _crossing(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """The last place on the way outside at which something holds, by bisection of the logarithm."""
    if holds(outside):
        return outside
    a, b = math.log(inside), math.log(outside)
    for _ in range(80):
        middle = 0.5 * (a + b)
        a, b = (middle, b) if holds(math.exp(middle)) else (a, middle)
    return math.exp(a)
