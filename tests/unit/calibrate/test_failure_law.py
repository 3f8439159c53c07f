"""Rates, shapes, bursts, lemons and durations on small logs whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from myriad.calibrate.bursts import bursts_of
from myriad.calibrate.durations import fit_duration
from myriad.calibrate.failure_law import failure_law, service_of
from myriad.calibrate.lemons import lemons_of
from myriad.estimate.poisson import mean_interval
from myriad.spec.reliability import REFERENCE_AGE_S
from myriad.units import DAY_S


def service(times, nodes, outs, num_nodes=10, days=10.0, age_s=0.0):
    time_s, node, out_s = np.array(times, dtype=float), np.array(nodes, dtype=np.int64), np.array(outs, dtype=float)
    alike = np.ones(int(node.max(initial=-1)) + 1)
    return service_of(time_s, node, out_s, alike, num_nodes, days * DAY_S, age_s)


def test_rate_is_events_over_the_days_of_service():
    law = failure_law(service([DAY_S, 2 * DAY_S], [0, 1], [DAY_S, 0.0]), followers=1.0)
    lived = 99.0  # 10 nodes for 10 days, one of them out for a day
    low, high = mean_interval(2)
    assert law.per_1000_node_days.value == pytest.approx(2000.0 / lived)
    assert law.per_1000_node_days.low == pytest.approx(1000.0 * low / lived)
    assert law.per_1000_node_days.high == pytest.approx(1000.0 * high / lived)
    assert (law.shape, law.shape_used, law.exponential_p) == (None, 1.0, None)


def test_repaired_nodes_come_back_as_new():
    found = service([2 * DAY_S, 5 * DAY_S, 6 * DAY_S], [0, 0, 1], [DAY_S, 0.0, 0.0], num_nodes=3, age_s=DAY_S)
    assert (found.failed_at_s / DAY_S).tolist() == [3.0, 2.0, 7.0]
    stretches = sorted(zip(found.start_s / DAY_S, found.end_s / DAY_S, found.weight, strict=True))
    assert stretches == [(0.0, 7.0, 1.0), (1.0, 3.0, 1.0), (1.0, 11.0, 1.0), (1.0, 11.0, 1.0)]


def test_hazard_is_that_of_the_spec():
    one = service([], [], [], num_nodes=1, days=REFERENCE_AGE_S / DAY_S)
    assert one.hazard(np.array([0.5, 1.0, 2.0])) == pytest.approx(REFERENCE_AGE_S)


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0])
def test_shape_of_units_that_are_not_renewed(shape):
    """Power-law process: the estimate is known in closed form, n / sum of log(window / t)."""
    rng = np.random.default_rng(3)
    window_s = 100 * DAY_S
    times = window_s * rng.random(300) ** (1.0 / shape)
    law = failure_law(service(times, np.full(300, -1), np.zeros(300), num_nodes=400, days=100), followers=1.0)
    expected = 300 / np.log(window_s / times).sum()
    assert law.shape is not None
    assert law.shape.value == pytest.approx(expected, rel=1e-4)
    assert law.shape.low < shape < law.shape.high
    assert (law.shape_used != 1.0) == (law.exponential_p < 0.05) == (shape != 1.0)
    if shape != 1.0:
        years = window_s / REFERENCE_AGE_S
        rate = 300 / (400 * REFERENCE_AGE_S * years**law.shape.value) * 1000 * DAY_S
        assert law.per_1000_node_days.value == pytest.approx(rate, rel=1e-3)


def test_bursts_are_told_from_nodes_that_fail_often():
    rng = np.random.default_rng(1)
    window_s = 90 * DAY_S
    starts = np.repeat(rng.random(30) * window_s, 3) + np.tile([0.0, 60.0, 150.0], 30)
    node = np.repeat(rng.integers(0, 500, 30), 3)
    together = bursts_of(starts, node, np.zeros(90), window_s)
    assert (together.size, together.gap_s, int(together.first.sum())) == (3.0, pytest.approx(75.0), 30)
    # What fails again after a repair is no burst, nor is a node that merely fails often.
    assert bursts_of(starts, node, np.full(90, 30.0), window_s).size == 1.0
    often = bursts_of(np.sort(rng.random(40)) * window_s, np.zeros(40, dtype=np.int64), np.full(40, np.nan), window_s)
    assert (often.size, bool(often.first.all())) == (1.0, True)
    assert bursts_of(np.zeros(9), np.full(9, -1), np.zeros(9), DAY_S).size == 1.0


def test_lemons_are_named_and_their_share_is_found():
    rng = np.random.default_rng(2)
    events = rng.poisson(0.2, 1000)
    assert lemons_of(events, 1000, [f"n{i}" for i in range(1000)]) is None
    events[:20] = rng.poisson(6.0, 20)
    found = lemons_of(events, 1000, [f"n{i}" for i in range(1000)])
    assert found is not None
    assert found.fit.share.low < 0.02 < found.fit.share.high
    assert found.fit.times == pytest.approx(30.0, rel=0.3)
    assert {one.node for one in found.fit.nodes} <= {f"n{i}" for i in range(20)}
    assert len(found.fit.nodes) >= 10
    assert found.fit.nodes[0].probability <= found.fit.nodes[-1].probability < 0.05
    assert float(found.times[:20].mean()) > 10 * float(found.times[20:].mean())


def test_laws_of_durations():
    rng = np.random.default_rng(5)
    fixed = fit_duration(np.array([60.0, 60.0, math.nan]))
    assert (fixed.law, fixed.mean_s.value, fixed.mean_s.low, fixed.events) == ("fixed", 60.0, 60.0, 2)
    assert fit_duration(np.array([math.nan])) is None
    assert fit_duration(np.zeros(3)).mean_s.value == 0.0
    exponential = fit_duration(rng.exponential(100.0, 60))
    assert (exponential.law, exponential.variation) == ("exponential", 1.0)
    fits = [fit_duration(rng.lognormal(5.0, 1.5, 60)) for _ in range(100)]
    assert sum(one.law == "lognormal" for one in fits) >= 95
    assert 90 <= sum(one.mean_s.low < math.exp(5.0 + 1.5**2 / 2) < one.mean_s.high for one in fits) < 100
    assert fit_duration(np.array([10.0, 300.0])).law == "exponential"


def test_interval_of_an_exponential_mean_is_exact():
    values = np.array([10.0, 20.0, 60.0])
    found = fit_duration(values)
    assert found.mean_s.low == pytest.approx(2 * 90.0 / stats.chi2.ppf(0.975, 6), rel=1e-7)
    assert found.mean_s.high == pytest.approx(2 * 90.0 / stats.chi2.ppf(0.025, 6), rel=1e-7)
