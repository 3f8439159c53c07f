"""Who trains how much of the batch, and what the long link between pools costs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad.estimate.mixed.replicas import (
    Pace,
    cross_exposed_s,
    cross_reduce_s,
    divide_batch,
    step_lines,
    wait_of_all_s,
)
from myriad.estimate.training import estimate_layout
from myriad.spec.cluster import Link
from myriad.spec.layout import Layout
from small_setting import WORK, columns, setting, stack

LINK = Link(tier="scale-across", domain=64, bytes_per_s_one_way=1e9, latency_s=5e-3)


def by_force(batch: int, paces: list[Pace]) -> float | None:
    """The least maximum over all divisions, one after the other."""
    steps = [
        max(float(pace.step_s(np.array(m))) for pace, m in zip(paces, counts, strict=True))
        for counts in product(*(pace.choices(batch) for pace in paces))
        if sum(pace.sequences * m for pace, m in zip(paces, counts, strict=True)) == batch
    ]
    return min(steps, default=None)


@st.composite
def paces(draw: st.DrawFn) -> Pace:
    return Pace(
        sequences=draw(st.integers(1, 6)),
        fixed_s=draw(st.floats(0, 5)),
        each_s=draw(st.floats(0.01, 3)),
        multiple=draw(st.integers(1, 3)),
        least=draw(st.integers(1, 3)),
    )


@given(st.integers(1, 40), st.lists(paces(), min_size=2, max_size=4))
def test_the_division_of_the_batch_is_the_best_there_is(batch: int, given_paces: list[Pace]) -> None:
    found, best = divide_batch(batch, given_paces), by_force(batch, given_paces)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert found.step_s == pytest.approx(best)
    taken = [pace.sequences * m for pace, m in zip(given_paces, found.micro_batches, strict=True)]
    assert sum(taken) == batch
    own = [float(p.step_s(np.array(m))) for p, m in zip(given_paces, found.micro_batches, strict=True)]
    assert max(own) == pytest.approx(found.step_s)
    assert all(m in pace.choices(batch) for pace, m in zip(given_paces, found.micro_batches, strict=True))


def test_pools_share_in_proportion_to_their_speed() -> None:
    found = divide_batch(300, [Pace(1, 0.0, 1.0), Pace(1, 0.0, 2.0)])
    assert found is not None
    assert found.micro_batches == (200, 100)
    assert found.step_s == pytest.approx(200.0)


def test_a_batch_that_no_whole_micro_batches_make_up_has_no_division() -> None:
    assert divide_batch(9, [Pace(2, 0.0, 1.0), Pace(4, 0.0, 1.0)]) is None
    assert divide_batch(3, [Pace(2, 0.0, 1.0), Pace(2, 0.0, 1.0)]) is None


@pytest.mark.parametrize(
    "layout",
    [
        Layout(dp=8), Layout(tp=2, pp=4, dp=4), Layout(pp=2, vpp=2, dp=4, micro_batch=2), Layout(dp=8, zero=3),
        Layout(dp=4, zero=2, pp=2), Layout(pp=4, dp=2, schedule="zero-bubble"),
    ],
)  # fmt: skip
def test_steps_are_straight_lines_in_the_batch(layout: Layout) -> None:
    lossy = stack(dp_overlap=0.7, fsdp_overlap=0.5, step_overhead_s=0.1, contention=0.1)
    lines = step_lines(setting(stack=lossy), columns(layout))
    for sequences in (16, 32, 160):
        work = WORK.model_copy(update={"global_batch": sequences})
        alone = estimate_layout(setting(stack=lossy, work=work), layout).step_s
        assert lines.at_s(sequences, columns(layout).pp ** 0)[0] == pytest.approx(alone, rel=1e-9)


def test_two_pools_send_their_gradients_to_each_other_once() -> None:
    # 64 senders of 1 GB/s each: 640 GB there, as much back at the same time, and two flights.
    assert cross_reduce_s(640e9, 2, 64, LINK) == pytest.approx(10.0 + 2 * 5e-3)
    # Three in a chain: 4/3 of the bytes over each link, four flights.
    assert cross_reduce_s(640e9, 3, 64, LINK) == pytest.approx(10.0 * 4 / 3 + 4 * 5e-3)


def test_traffic_across_hides_behind_what_is_left_of_the_backward_pass() -> None:
    half = stack(dp_overlap=0.5, fsdp_overlap=1.0, contention=0.2)
    for window_s, zero, hidden in ((10.0, 1, 2.0), (1.0, 1, 1.0), (10.0, 3, 4.0), (0.0, 3, 0.0)):
        exposed, found = cross_exposed_s(4.0, np.array(window_s), np.array(zero), half)
        assert float(found) == pytest.approx(hidden)
        assert float(exposed) == pytest.approx(4.0 - 0.8 * hidden)


def test_more_ranks_wait_longer_for_the_slowest() -> None:
    assert wait_of_all_s(1.0, 64, 64) == 0.0
    assert 0 < wait_of_all_s(1.0, 64, 128) < wait_of_all_s(1.0, 64, 4096) < 0.05
