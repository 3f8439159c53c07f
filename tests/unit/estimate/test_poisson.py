"""Exact intervals of counts, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from myriad.errors import SpecError
from myriad.estimate.poisson import at_least, count_range, gamma_cdf, gamma_quantile, mean_interval


@pytest.mark.parametrize("shape", [0.1, 0.5, 1.0, 3.7, 20.0, 419.0, 1e5])
def test_gamma_law(shape):
    for probability in (0.001, 0.025, 0.5, 0.975, 0.999):
        x = float(stats.gamma.ppf(probability, shape))
        assert gamma_cdf(shape, x) == pytest.approx(probability, abs=1e-9)
        assert gamma_quantile(shape, probability) == pytest.approx(x, rel=1e-7)


def test_gamma_law_of_nothing():
    assert gamma_cdf(2.0, 0.0) == gamma_cdf(2.0, -1.0) == 0.0
    with pytest.raises(SpecError, match="shape of a gamma law"):
        gamma_cdf(0.0, 1.0)


@pytest.mark.parametrize("mean", [0.01, 0.3, 2.0, 10.0, 419.0, 55366.0])
def test_counts_that_a_mean_lets_expect(mean):
    assert count_range(mean) == tuple(int(stats.poisson.ppf(p, mean)) for p in (0.025, 0.975))
    assert at_least(3, mean) == pytest.approx(float(stats.poisson.sf(2, mean)), rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 7, 148, 10_000])
def test_garwoods_interval(count):
    low, high = mean_interval(count)
    assert low == pytest.approx(float(stats.chi2.ppf(0.025, 2 * count)) / 2, rel=1e-7)
    assert high == pytest.approx(float(stats.chi2.ppf(0.975, 2 * count + 2)) / 2, rel=1e-7)
    assert at_least(count, low) == pytest.approx(0.025, abs=1e-9)


def test_no_event_still_leaves_a_rate_open():
    assert mean_interval(0) == (0.0, pytest.approx(-np.log(0.025)))
    with pytest.raises(SpecError, match="at least 0"):
        mean_interval(-1)
