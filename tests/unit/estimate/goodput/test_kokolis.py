import pytest

from myriad.estimate.goodput.kokolis import expected_ettr
from myriad.units import DAY_S, HOUR_S


def test_it_is_the_share_that_failures_leave():
    assert float(expected_ettr(1e-4, 600.0, 100.0)) == pytest.approx(1 - 1e-4 * 400.0)


def test_starting_and_queueing_count_too():
    alone = float(expected_ettr(1e-5, 600.0, 300.0, queue_s=0.0, run_s=DAY_S))
    queued = float(expected_ettr(1e-5, 600.0, 300.0, queue_s=HOUR_S, run_s=DAY_S))
    assert queued < alone < float(expected_ettr(1e-5, 600.0, 300.0))


def test_it_ends_at_nothing():
    assert float(expected_ettr(1.0, 600.0, 300.0)) == 0.0
