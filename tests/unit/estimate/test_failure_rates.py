"""Expected failures by closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.estimate.failure_rates import (
    age_at,
    cumulative_hazard,
    expected_events,
    mean_time_to_failure_s,
)

DAY_S = 86400.0
YEAR_S = 365.25 * DAY_S


def test_the_published_law_of_mean_time_to_failure():
    """Kokolis et al.: 16,384 and 131,072 GPUs at 6.50 failures per 1,000 node-days."""
    hours = mean_time_to_failure_s(6.50, np.array([2048, 16384])) / 3600.0
    assert hours == pytest.approx([1.8, 0.23], rel=0.03)
    assert mean_time_to_failure_s(0.0, 10) == np.inf


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5])
def test_the_rate_is_the_mean_of_the_first_year(shape):
    assert cumulative_hazard(YEAR_S, 2.0, shape) == pytest.approx(2.0 * 365.25 / 1000)


@pytest.mark.parametrize("shape", [0.3, 1.0, 2.5])
def test_ages_are_the_inverse(shape):
    ages = np.array([0.0, 1.0, DAY_S, 5 * YEAR_S])
    assert age_at(cumulative_hazard(ages, 2.0, shape), 2.0, shape) == pytest.approx(ages)
    assert age_at(1.0, 0.0, shape) == np.inf


def test_events_count_from_when_units_join():
    found = expected_events(1.0, 1000, 0.0, 10 * DAY_S, joined_s=np.array([0.0, 4 * DAY_S, 20 * DAY_S]))
    assert found == pytest.approx([10.0, 6.0, 0.0])


def test_burn_in_takes_the_early_ones():
    new, old = expected_events(1.0, 1000, 0.0, 10 * DAY_S, shape=0.5, age_s=np.array([0.0, 10 * DAY_S]))
    assert old / new == pytest.approx(np.sqrt(2.0) - 1.0)


def test_parts_of_a_time_sum_up():
    edges = np.linspace(0.0, YEAR_S, 8)
    parts = expected_events(3.0, 12, edges[:-1], edges[1:], shape=0.7, joined_s=9 * DAY_S, age_s=DAY_S)
    whole = expected_events(3.0, 12, 0.0, YEAR_S, shape=0.7, joined_s=9 * DAY_S, age_s=DAY_S)
    assert parts.sum() == pytest.approx(whole)
