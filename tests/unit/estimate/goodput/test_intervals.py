import numpy as np
import pytest

from myriad.estimate.goodput.best import best_intervals
from myriad.estimate.goodput.expected import Gang
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.intervals import daly_s, young_s
from myriad.estimate.goodput.lost import CheckpointTimes

MTTI_S = 10_000.0
CAUSES = (Interruption("all", 1.0 / MTTI_S, nodes=0),)


def gang(*levels: CheckpointTimes) -> Gang:
    return Gang(100, 0, levels, restart_s=300.0)


@pytest.mark.parametrize("blocking_s", [1.0, 10.0, 100.0, 1000.0])
def test_the_best_interval_of_a_synchronous_checkpoint_is_dalys(blocking_s):
    (best_s,) = best_intervals(gang(CheckpointTimes("storage", 60.0, blocking_s, blocking_s, 0.0)), CAUSES, [0])
    assert best_s == pytest.approx(float(daly_s(blocking_s, MTTI_S)), rel=0.01)


def test_young_and_daly_meet_where_a_checkpoint_costs_little_and_part_where_it_costs_much():
    ratio = daly_s(np.array([1e-3, 1e3]), 1e4) / young_s(np.array([1e-3, 1e3]), 1e4)
    assert ratio[0] == pytest.approx(1.0, abs=1e-3)
    assert ratio[1] < 0.9


def test_a_checkpoint_that_costs_twice_the_time_between_failures_is_taken_once_in_it():
    assert float(daly_s(25.0, 10.0)) == 10.0


def test_writing_beside_training_moves_the_best_interval_little_and_its_length_bounds_it():
    short, long = (CheckpointTimes("storage", 60.0, 1.0, write_s, 0.0) for write_s in (30.0, 1000.0))
    (best_s,) = best_intervals(gang(short), CAUSES, [0])
    assert best_s == pytest.approx(float(young_s(1.0, MTTI_S)), rel=0.02)
    assert best_intervals(gang(long), CAUSES, [0])[0] == pytest.approx(999.0)


def test_given_intervals_stay_and_each_place_gets_its_own():
    levels = CheckpointTimes("peer-memory", 60.0, 0.1, 1.0, 2.0), CheckpointTimes("storage", 60.0, 2.0, 30.0, 60.0)
    causes = (Interruption("node", 1 / 5e3, nodes=1), Interruption("leaf", 1 / 1e5, nodes=32))
    near_s, far_s = best_intervals(gang(*levels), causes, [0, 1])
    assert near_s < 60.0 < far_s
    assert best_intervals(gang(*levels), causes, [1])[0] == 60.0
