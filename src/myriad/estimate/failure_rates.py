"""How many failures to expect: rates per 1,000 unit-days, by age, for any number of units.

All arguments may be floats or arrays; they broadcast.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.spec.reliability import REFERENCE_AGE_S
from myriad.units import THOUSAND_DAYS_S

Floats = float | npt.NDArray[np.float64]
Result = npt.NDArray[np.float64]


def rate_per_s(per_1000_unit_days: Floats) -> Result:
    """Events per unit and second.

    >>> float(rate_per_s(1000.0) * 86400)
    1.0
    """
    return np.asarray(per_1000_unit_days, dtype=float) / THOUSAND_DAYS_S


def cumulative_hazard(age_s: Floats, per_1000_unit_days: Floats, shape: Floats = 1.0) -> Result:
    """Expected events of one unit from new to an age, each repaired without renewing it.

        H(a) = rate T (a / T)^shape,  T one year

    A shape of 1 is a constant rate. Below 1 the first days hold most: with 0.5 a tenth of the first year's events come
    in its first 3.65 days. Source: Weibull, J. Appl. Mech. 18 (1951), in the scale that keeps the first year's count.

    >>> round(float(cumulative_hazard(365.25 * 86400, 2.0, 0.5)), 4)
    0.7305
    """
    age = np.asarray(age_s, dtype=float) / REFERENCE_AGE_S
    first_year = rate_per_s(per_1000_unit_days) * REFERENCE_AGE_S
    return np.asarray(first_year * age ** np.asarray(shape, dtype=float))


def age_at(hazard: Floats, per_1000_unit_days: Floats, shape: Floats = 1.0) -> Result:
    """Age in seconds at which the expected events of one unit reach `hazard`: `cumulative_hazard` turned round.

    Infinite where the rate is 0.
    """
    with np.errstate(divide="ignore"):
        years = np.asarray(hazard, dtype=float) / (rate_per_s(per_1000_unit_days) * REFERENCE_AGE_S)
    return np.asarray(REFERENCE_AGE_S * years ** (1.0 / np.asarray(shape, dtype=float)))


def expected_events(
    per_1000_unit_days: Floats,
    units: Floats,
    start_s: Floats,
    end_s: Floats,
    *,
    shape: Floats = 1.0,
    joined_s: Floats = 0.0,
    age_s: Floats = 0.0,
) -> Result:
    """Events of all units between two times, in expectation.

        E = units (H(a(end)) - H(a(start))),  a(t) = age + max(t - joined, 0)

    `joined_s` is when the units enter service, `age_s` how old they are then. Exact for any shape as long as no repair
    renews a unit; a renewed one starts at age 0 again, which is more events for a shape below 1 and fewer above it.
    Checked in tests/properties/test_failures.py.

    >>> float(expected_events(2.0, 1000, 0.0, 10 * 86400.0))
    20.0
    """
    age, joined = np.asarray(age_s, dtype=float), np.asarray(joined_s, dtype=float)
    last = cumulative_hazard(age + np.maximum(end_s - joined, 0.0), per_1000_unit_days, shape)
    first = cumulative_hazard(age + np.maximum(start_s - joined, 0.0), per_1000_unit_days, shape)
    return np.asarray(np.asarray(units, dtype=float) * (last - first))


def mean_time_to_failure_s(per_1000_node_days: Floats, num_nodes: Floats) -> Result:
    """Mean time between interruptions of a job on so many nodes, in seconds; infinite without failures.

        MTTF = 1 / (nodes r)

    Source: Kokolis et al., Revisiting Reliability in Large-Scale Machine Learning Research Clusters (2024).

    >>> round(float(mean_time_to_failure_s(6.50, 2048)) / 3600, 2)
    1.8
    """
    with np.errstate(divide="ignore"):
        return np.asarray(1.0 / (rate_per_s(per_1000_node_days) * np.asarray(num_nodes, dtype=float)))
