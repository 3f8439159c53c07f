"""What holds for every job that is interrupted."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.estimate.goodput.best import SHORTEST_S, best_intervals, with_interval
from myriad.estimate.goodput.expected import Gang, expected
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.lost import CheckpointTimes

times = st.floats(0.0, 600.0)
causes = st.lists(
    st.builds(
        Interruption,
        st.just("cause"),
        st.floats(1e-8, 1e-4),
        st.sampled_from(["stop", "slow", "corrupt"]),
        times,
        times,
        st.floats(0.0, 86400.0),
        st.floats(0.0, 1.0),
        st.sampled_from([0, 1, 32]),
        speed=st.floats(0.1, 0.9),
    ),
    min_size=1,
    max_size=4,
)
levels = st.builds(
    lambda place, interval_s, blocking_s, beside_s: CheckpointTimes(
        place, interval_s, blocking_s, blocking_s + beside_s, 30.0
    ),
    st.sampled_from(["storage", "node-disk", "peer-memory"]),
    st.floats(30.0, 7200.0),
    st.floats(0.0, 60.0),
    times,
)
gangs = st.builds(
    Gang,
    st.just(2000),
    st.integers(0, 100),
    st.lists(levels, min_size=1, max_size=3, unique_by=lambda one: one.to).map(tuple),
    st.floats(10.0, 900.0),
    mode=st.sampled_from(["restart", "elastic", "replica"]),
    replica_nodes=st.sampled_from([1, 20]),
    replica_stall_s=st.floats(0.0, 30.0),
    heal_s=times,
)


@settings(max_examples=50, deadline=None)
@given(gangs, causes)
def test_parts_are_shares_and_sum_to_one(gang: Gang, broken: list[Interruption]) -> None:
    parts = expected(gang, broken).parts
    assert all(0.0 <= float(share) <= 1.0 for share in parts.values())
    assert sum(float(share) for share in parts.values()) == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(gangs, causes)
def test_what_is_better_leaves_no_less(gang: Gang, broken: list[Interruption]) -> None:
    before = float(expected(gang, broken).ettr)
    stops = [one for one in broken if one.effect == "stop"]
    assert float(expected(gang, [replace(one, per_s=one.per_s / 2) for one in stops]).ettr) >= float(
        expected(gang, stops).ettr
    ) * (1 - 1e-9)
    assert float(expected(replace(gang, restart_s=gang.restart_s / 2), broken).ettr) >= before * (1 - 1e-9)
    assert float(expected(replace(gang, spare_nodes=gang.spare_nodes + 50), broken).ettr) >= before * (1 - 1e-3)


@settings(max_examples=10, deadline=None)
@given(gangs, causes, st.floats(1.05, 3.0))
def test_the_best_interval_beats_its_neighbours(gang: Gang, broken: list[Interruption], apart: float) -> None:
    gang = replace(gang, mode="restart", levels=gang.levels[:1])
    # Slow machines are taken out by plan, after a last checkpoint: for them alone any other is too many.
    broken = [replace(one, effect="stop") for one in broken]
    (best_s,) = best_intervals(gang, broken, [0])
    best = float(expected(with_interval(gang, 0, best_s), broken).ettr)
    for other_s in (max(best_s / apart, SHORTEST_S), best_s * apart):  # free checkpoints are best at every moment
        assert float(expected(with_interval(gang, 0, other_s), broken).ettr) <= best + 1e-6
