"""Timelines of pipeline schedules: against the closed form, against what any order must keep, and as published."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.pipeline import bubble_is_exact, bubble_s, in_flight
from myriad.estimate.schedule.memory import held_over_time
from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT
from myriad.estimate.schedule.orders import order_of
from myriad.estimate.schedule.timeline import ChunkTimes, Timeline, Transfers, timeline
from myriad.spec.layout import PIPELINE_SCHEDULES

CASES = 200


def chunks_in_all(schedule: str, p: int, v: int) -> int:
    return p if schedule == "dualpipe" else p * v


def equal_chunks(schedule: str, p: int, v: int, m: int, times: tuple[float, float, float], **more: float) -> Timeline:
    """The timeline of chunks that all take the same forward, input-gradient and weight-gradient time."""
    chunks = chunks_in_all(schedule, p, v)
    one = [np.full(chunks, seconds) for seconds in times]
    transfers = Transfers(np.full(chunks - 1, more.get("transfer_s", 0.0)), more.get("holds_fraction", 0.0))
    return timeline(order_of(schedule, p, v, m), ChunkTimes(*one), transfers)


def closed_form(schedule: str, p: int, v: int, m: int, times: tuple[float, float, float]) -> tuple[float, bool]:
    """The bubble, and whether it is exact."""
    code, pp, vpp, batches = (np.array([x]) for x in (PIPELINE_SCHEDULES.index(schedule), p, v, m))
    forward, inputs, weight = (np.array([(p - 1) * v * seconds]) for seconds in times)
    bubble = bubble_s(code, pp, vpp, forward, inputs + weight, weight)
    return float(bubble[0]), bool(bubble_is_exact(code, pp, vpp, batches)[0])


def random_case(seed: int, few_micro_batches: bool = False) -> tuple[str, int, int, int, tuple[float, float, float]]:
    """Schedule, stages, chunks, micro-batches that it can run with, and times; every schedule in turn."""
    random = np.random.default_rng(seed)
    schedule = PIPELINE_SCHEDULES[seed % len(PIPELINE_SCHEDULES)]
    p = int(random.integers(2, 11))
    v = int(random.integers(1, 5))
    m = int(random.integers(1, p) if few_micro_batches else random.integers(p, 5 * p))
    match schedule:
        case "zb-v":
            v, m = 2, m if few_micro_batches else m + p
        case "dualpipe":
            p, v = 2 * (p // 2), 1
            m = 2 * (m + p)
        case "1f1b" | "zero-bubble" if v > 1 and not few_micro_batches:
            while m % (m // p):
                m -= 1
    forward, inputs, weight = random.uniform(0.05, 2.0, 3)
    return schedule, p, v, m, (float(forward), float(inputs), float(weight))


def uneven_case(seed: int) -> Timeline:
    """Any schedule with chunks of any times, transfers that differ, and senders that wait for a part of them."""
    random = np.random.default_rng(seed)
    schedule, p, v, m, _ = random_case(seed, few_micro_batches=seed % 3 == 0)
    chunks = chunks_in_all(schedule, p, v)
    times = ChunkTimes(*(random.uniform(0.0, 2.0, chunks) for _ in range(3)))
    return timeline(
        order_of(schedule, p, v, m), times, Transfers(random.uniform(0, 0.5, chunks - 1), float(random.random()))
    )


def test_the_closed_form_is_the_timeline_where_it_is_exact():
    seen = dict.fromkeys(PIPELINE_SCHEDULES, 0)
    for seed in range(CASES):
        schedule, p, v, m, times = random_case(seed)
        bubble, exact = closed_form(schedule, p, v, m, times)
        assert exact
        found = equal_chunks(schedule, p, v, m, times)
        assert found.makespan_s == pytest.approx(m * v * sum(times) + bubble, rel=1e-9), (schedule, p, v, m, times)
        seen[schedule] += 1
    assert min(seen.values()) >= CASES // len(PIPELINE_SCHEDULES)


def test_with_fewer_micro_batches_it_is_a_lower_bound():
    larger = 0
    for seed in range(CASES):
        schedule, p, v, m, times = random_case(seed, few_micro_batches=True)
        bubble, exact = closed_form(schedule, p, v, m, times)
        if schedule == "zb-v":
            continue
        found = equal_chunks(schedule, p, v, m, times)
        ideal = m * v * sum(times) + bubble
        assert found.makespan_s >= ideal * (1 - 1e-9)
        assert not exact or found.makespan_s == pytest.approx(ideal, rel=1e-9)
        larger += found.makespan_s > ideal * (1 + 1e-9)
    assert larger > CASES // 5


def test_the_domain_of_the_closed_form_is_not_too_small():
    """Just outside, it is wrong for some times."""
    random = np.random.default_rng(0)
    for schedule, p, v, m in (("zero-bubble", 4, 1, 3), ("1f1b", 4, 2, 3), ("gpipe", 4, 2, 3), ("zb-v", 4, 2, 6)):
        bubble, exact = closed_form(schedule, p, v, m, (1.0, 1.0, 1.0))
        assert not exact
        wrong = 0
        for times in random.uniform(0.05, 2.0, (20, 3)).tolist():
            bubble, _ = closed_form(schedule, p, v, m, tuple(times))
            wrong += abs(equal_chunks(schedule, p, v, m, tuple(times)).makespan_s - m * v * sum(times) - bubble) > 1e-6
        assert wrong


@pytest.mark.parametrize("seed", range(40))
def test_no_device_does_two_things_at_once(seed):
    found = uneven_case(seed)
    for device in range(found.order.num_devices):
        rows = np.flatnonzero((found.device == device) & ~found.with_next)
        assert (found.start_s[rows[1:]] >= found.end_s[rows[:-1]]).all()
        together = np.flatnonzero((found.device == device) & found.with_next)
        assert (found.start_s[together] == found.start_s[together + 1]).all()
        assert (found.end_s[together] == found.end_s[together + 1]).all()


@pytest.mark.parametrize("seed", range(40))
def test_every_operation_has_its_inputs(seed):
    found = uneven_case(seed)
    order = found.order
    when = {
        (int(k), int(c), int(b)): (start, end)
        for k, c, b, start, end in zip(
            found.kind, found.chunk, found.micro_batch, found.start_s, found.end_s, strict=True
        )
    }
    last = order.num_chunks - 1
    for (kind, chunk, batch), (start, end) in when.items():
        places = order.places[order.direction[batch]]
        if kind == FORWARD and chunk > 0:
            way = found.boundary_s[chunk - 1] * (places[chunk] != places[chunk - 1])
            assert start >= when[FORWARD, chunk - 1, batch][1] + way - 1e-12
        elif kind == BACKWARD and chunk < last:
            way = found.boundary_s[chunk] * (places[chunk] != places[chunk + 1])
            assert start >= when[BACKWARD, chunk + 1, batch][1] + way - 1e-12
        elif kind == BACKWARD:
            assert start >= when[FORWARD, chunk, batch][1]
        elif kind == WEIGHT:
            before = when[BACKWARD, chunk, batch]
            assert start >= before[1] or (start, end) == before  # one operation with the gradient of inputs
    kinds = 3 if order.splits_backward else 2
    assert len(when) == kinds * order.num_chunks * order.num_micro_batches


@pytest.mark.parametrize("seed", range(40))
def test_time_adds_up_and_is_never_below_its_bounds(seed):
    found = uneven_case(seed)
    times = np.bincount(found.device, found.end_s - found.start_s) if not found.with_next.any() else found.busy_s
    assert found.busy_s == pytest.approx(times)
    whole = found.busy_s.sum() + found.held_s.sum() + found.idle_s.sum()
    assert whole == pytest.approx(found.makespan_s * found.order.num_devices)
    assert found.makespan_s >= (found.busy_s + found.held_s).max() * (1 - 1e-9) - found.held_s.max()
    for batch in range(found.order.num_micro_batches):
        own = found.micro_batch == batch
        chain = (own & (found.kind != WEIGHT)).nonzero()[0]
        ends = np.unique(np.stack((found.start_s[chain], found.end_s[chain])), axis=1)
        assert (ends[1] - ends[0]).sum() <= found.makespan_s * (1 + 1e-9)


def test_an_operation_that_takes_longer_never_makes_the_step_shorter():
    random = np.random.default_rng(3)
    for seed in range(30):
        schedule, p, v, m, _ = random_case(seed)
        chunks = chunks_in_all(schedule, p, v)
        order = order_of(schedule, p, v, m)
        less = random.uniform(0, 1, (3, chunks))
        more = less + random.uniform(0, 1, (3, chunks)) * (random.random((3, chunks)) < 0.3)
        assert timeline(order, ChunkTimes(*less)).makespan_s <= timeline(order, ChunkTimes(*more)).makespan_s


def test_activations_peak_at_what_is_in_flight():
    for seed in range(CASES):
        schedule, p, v, m, times = random_case(seed, few_micro_batches=seed % 3 == 0)
        if schedule == "zb-v" and m < 2 * p - 1:
            continue
        found = equal_chunks(schedule, p, v, m, times)
        peaks = [one.peak / v for one in held_over_time(found, np.ones(found.order.num_chunks))]
        code, pp, vpp, batches = (np.array([x]) for x in (PIPELINE_SCHEDULES.index(schedule), p, v, m))
        stages = np.arange(p, dtype=float)[:, None]
        assert peaks == pytest.approx(in_flight(code, stages, pp, vpp, batches)[:, 0].tolist()), (schedule, p, v, m)


def test_all_activations_are_let_go():
    for seed in range(20):
        for one in held_over_time(uneven_case(seed), np.ones(100)):
            assert one.level[-1] == 0
            assert (np.diff(one.time_s) > 0).all()


def test_the_slowest_stage_hides_those_behind_it():
    """Two stages of ten and of one: the first works without a pause. Adding the second to the step would be wrong."""
    found = timeline(order_of("1f1b", 2, 1, 8), ChunkTimes(np.array([10.0, 1.0]), np.array([5.0, 1.0]), np.zeros(2)))
    assert found.makespan_s == 8 * 15
    found = timeline(order_of("1f1b", 2, 1, 8), ChunkTimes(np.array([1.0, 10.0]), np.array([1.0, 5.0]), np.zeros(2)))
    assert found.makespan_s == 8 * 15 + 2


def test_orders_that_cannot_be_are_refused():
    for schedule, p, v, m, text in (
        ("dualpipe", 3, 1, 8, "even number of stages"),
        ("dualpipe", 4, 1, 6, "two per stage at least"),
        ("zb-v", 4, 1, 8, "two chunks per stage, found 1"),
        ("1f1b", 4, 2, 9, "9 micro-batches cannot go through chunks in 2 equal rounds"),
        ("chimera", 4, 1, 8, "no order of operations is known"),
    ):
        with pytest.raises(InfeasibleError, match=text):
            order_of(schedule, p, v, m)
