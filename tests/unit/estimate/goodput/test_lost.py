import math

import numpy as np
import pytest

from myriad.estimate.goodput.lost import CheckpointTimes, blocked_s, lost_s

RNG = np.random.default_rng(7)


def at(interval_s: float, blocking_s: float, write_s: float) -> CheckpointTimes:
    return CheckpointTimes("storage", interval_s, blocking_s, write_s, 0.0)


@pytest.mark.parametrize("rate", [1e-6, 1e-4, 1e-2])
@pytest.mark.parametrize(
    ("interval_s", "blocking_s", "write_s"), [(600, 0, 0), (600, 20, 20), (600, 5, 300), (60, 1, 200)]
)
def test_one_level_is_the_exact_renewal(rate, interval_s, blocking_s, write_s):
    level = at(interval_s, blocking_s, write_s)
    period_s, beside_s = float(level.period_s), float(level.beside_s)
    exact = 1 / rate - period_s * math.exp(-rate * (beside_s + period_s)) / -math.expm1(-rate * period_s)
    assert float(lost_s([level], rate)) == pytest.approx(exact, rel=1e-5, abs=1e-4)


def test_one_level_is_what_runs_lose_when_they_are_drawn():
    level, rate = at(600.0, 10.0, 100.0), 1 / 2000.0
    runs = RNG.exponential(1 / rate, 400_000)
    snapshots = np.floor((runs - 600.0 - 100.0) / 610.0) + 1
    kept = np.where(runs >= 700.0, 610.0 * snapshots, 0.0)
    assert float(lost_s([level], rate)) == pytest.approx(float((runs - kept).mean()), rel=0.01)
    started = np.floor((runs - 600.0) / 610.0).clip(-1)
    blocked = started * 10.0 + np.where(started >= 0, np.minimum(runs - 600.0 - 610.0 * started, 10.0), 10.0)
    assert float(blocked_s([level], rate)) == pytest.approx(float(blocked.mean()), rel=0.01)


def test_of_two_levels_the_newest_counts():
    near, far = at(60.0, 0.0, 0.0), at(3600.0, 0.0, 0.0)
    both, alone = float(lost_s([near, far], 1e-5)), float(lost_s([near], 1e-5))
    assert 29.0 < both < alone < float(lost_s([far], 1e-5))


def test_without_checkpoints_the_whole_run_is_lost():
    assert float(lost_s([], 0.01)) == pytest.approx(100.0)


def test_it_broadcasts_over_intervals_and_rates():
    level = CheckpointTimes("storage", np.array([[60.0], [600.0]]), 1.0, 10.0, 0.0)
    table = lost_s([level], np.array([1e-5, 1e-4, 1e-3]))
    assert table.shape == (2, 3)
    assert table[1, 2] == pytest.approx(float(lost_s([at(600.0, 1.0, 10.0)], 1e-3)))
