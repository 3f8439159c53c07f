"""Intervals against SciPy, coverage, and quantiles of ends of which some never come."""

from __future__ import annotations

import math

import numpy as np
import pytest

from myriad.sim.campaign.statistics import (
    doubted_ends,
    doubted_quantiles_s,
    finish_quantiles_s,
    nearest_to_median,
    ranked,
    share_of,
    spread_of,
)


@pytest.mark.parametrize(("successes", "of"), [(0, 20), (3, 20), (20, 20), (150, 200), (1, 2)])
def test_shares_are_wilsons(successes: int, of: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(successes, of).proportion_ci(method="wilson")
    found = share_of(successes, of)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.value <= found.high


def test_intervals_of_the_mean_hold_it_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    spreads = [spread_of(random.normal(7.0, 2.0, 8)) for _ in range(2000)]
    held = sum(one.low <= 7.0 <= one.high for one in spreads)
    assert 0.935 < held / 2000 < 0.965


def test_a_figure_that_does_not_vary_has_no_width() -> None:
    one = spread_of(np.full(5, 3.0))
    assert (one.low, one.mean, one.high, one.p10, one.p90) == (3.0,) * 5


def test_quantiles_of_the_end_are_open_where_runs_do_not_finish() -> None:
    wall_s = np.arange(1.0, 101.0)
    all_of_them = finish_quantiles_s(wall_s, np.ones(100, bool))
    assert all_of_them == tuple(float(percent) for percent in range(1, 100))
    some = finish_quantiles_s(np.minimum(wall_s, 80.0), wall_s < 80.0)
    assert some[78] == 79.0
    assert some[79:] == (None,) * 20


def test_the_median_run_is_one_of_the_runs() -> None:
    assert nearest_to_median(np.array([9.0, 1.0, 5.0])) == 2
    assert nearest_to_median(np.array([4.0, 1.0, 3.0, 2.0])) == 3


def test_gains_that_may_be_none_come_after_those_that_are_sure() -> None:
    assert ranked([(1.0, 0.5), (9.0, -2.0), (-1.0, -2.0), (2.0, 0.1)]) == [3, 0, 1, 2]


def test_doubt_about_the_step_is_that_of_steps_drawn_at_random() -> None:
    generator = np.random.default_rng(0)
    wall_s = generator.normal(100.0, 5.0, 50)
    finished = np.arange(50) < 45
    below, above = -math.log(0.8) / 1.2816, math.log(1.5) / 1.2816
    drawn = generator.standard_normal(40_000)
    ends = generator.choice(np.where(finished, wall_s, np.inf), 40_000) * np.exp(
        np.where(drawn < 0, below, above) * drawn
    )
    by = doubted_ends(wall_s, finished, 0.8, 1.5, 0.8)
    for time_s in (70.0, 90.0, 100.0, 120.0, 200.0):
        assert by(time_s) == pytest.approx((ends <= time_s).mean(), abs=0.01)


def test_without_doubt_the_end_is_that_of_the_runs() -> None:
    wall_s, finished = np.array([3.0, 1.0, 2.0, 9.0]), np.array([True, True, True, False])
    by = doubted_ends(wall_s, finished, 1.0 - 1e-9, 1.0 + 1e-9, 0.8)
    quantiles = doubted_quantiles_s(by, 0.1, 100.0)
    assert by(2.5) == pytest.approx(0.5)
    assert quantiles[9] == pytest.approx(1.0, rel=1e-4)
    assert quantiles[69] == pytest.approx(3.0, rel=1e-4)
    assert quantiles[79] is None
