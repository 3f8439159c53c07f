"""Pipelines across a long link, held against an event by event run of the same schedule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from myriad.errors import InfeasibleError
from myriad.estimate.layers import ModelCosts
from myriad.estimate.mixed.crossing import Crossing, transfers_of
from myriad.estimate.mixed.cuts import cut_counts
from myriad.estimate.mixed.pipeline import CrossingTable, costs_of, crossing_table, room_for_layers, step_bound_s
from myriad.estimate.training import Setting, estimate_layout
from myriad.spec.cluster import Link
from myriad.spec.layout import Layout
from myriad.spec.result import TIME_PARTS
from small_setting import DEVICE, WORK, columns, dense_model, moe_model, setting, stack

PLAIN = stack(pp_overlap=1, dp_overlap=1)


def run_schedule(
    forward_s: list[float], backward_s: list[float], before: int, windows: list[int], micro_batches: int,
    flight_s: float, transfer_s: float,
) -> float:  # fmt: skip
    """End of the last pass if every stage alternates after its warm-up and the link sends one message at a time."""
    stages = len(forward_s)
    ready_forward = {(0, m): 0.0 for m in range(micro_batches)}
    ready_backward: dict[tuple[int, int], float] = {}
    queues = []
    for window in windows:
        warm = min(window, micro_batches)
        queue = [("F", m) for m in range(warm)]
        for m in range(micro_batches):
            queue.append(("B", m))
            if m + warm < micro_batches:
                queue.append(("F", m + warm))
        queues.append(queue)
    at, free = [0] * stages, [0.0] * stages
    link = {"F": 0.0, "B": 0.0}
    while any(at[s] < len(queues[s]) for s in range(stages)):
        moved = False
        for s in range(stages):
            while at[s] < len(queues[s]):
                kind, m = queues[s][at[s]]
                ready = (ready_forward if kind == "F" else ready_backward).get((s, m))
                if ready is None:
                    break
                end = max(ready, free[s]) + (forward_s if kind == "F" else backward_s)[s]
                free[s], moved = end, True
                at[s] += 1
                crosses = s == before - 1 if kind == "F" else s == before
                if crosses:
                    link[kind] = max(link[kind], end) + transfer_s
                    end = link[kind] + flight_s
                if kind == "F" and s + 1 < stages:
                    ready_forward[s + 1, m] = end
                elif kind == "F":
                    ready_backward[s, m] = end
                elif s > 0:
                    ready_backward[s - 1, m] = end
        assert moved, "the schedule is stuck"
    return max(free)


def crossing(
    one: Setting, other: Setting, stages: tuple[int, int], layout: Layout, flight_s: float = 0.0, rate: float = 1e12
) -> Crossing:
    link = Link(tier="scale-across", domain=8192, bytes_per_s_one_way=rate, latency_s=flight_s)
    return Crossing((one, other), stages, columns(layout), lambda carriers: link.model_copy(
        update={"bytes_per_s_one_way": rate / carriers}
    ))  # fmt: skip


def table_of(given_crossing: Crossing) -> CrossingTable:
    return crossing_table(given_crossing, costs_of(given_crossing), headroom=0.0)


def passes_of(given_crossing: Crossing, costs: tuple[ModelCosts, ModelCosts], before: int, name: str) -> list[float]:
    """Forward or backward seconds of every stage, from the counts of layers."""
    one, other = given_crossing.stages
    first = given_crossing.settings[0]
    cuts, counts = cut_counts(first.model.layer_kinds(), costs[0].kinds, one, other, first.end_layers, False)
    (at,) = np.flatnonzero(cuts == before)
    seconds = []
    for s in range(one + other):
        own = costs[0 if s < one else 1]
        seconds.append(float(getattr(own.blocks, name)[:, 0] @ counts[at][:, s]))
    seconds[0] += float(getattr(costs[0].first, name)[0, 0])
    seconds[-1] += float(getattr(costs[1].last, name)[0, 0])
    return seconds


def part(table: CrossingTable, name: str) -> float:
    return float(table.parts_s[TIME_PARTS.index(name), 0])


@hypothesis_settings(max_examples=60)
@given(
    speed=st.floats(0.3, 3.0),
    stages=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    layers=st.integers(8, 24),
    micro_batches=st.sampled_from([8, 16, 64]),
    flight_s=st.floats(0, 0.05),
    rate=st.floats(1e7, 1e11),
)
def test_a_step_is_what_the_schedule_takes_but_for_few_passes(
    speed: float, stages: tuple[int, int], layers: int, micro_batches: int, flight_s: float, rate: float
) -> None:
    model = dense_model(layers)
    work = WORK.model_copy(update={"global_batch": micro_batches})
    faster = replace(DEVICE, gemm_flops_per_s=1e15 * speed, attention_flops_per_s=1e15 * speed)
    one, other = setting(model, stack=PLAIN, work=work), setting(model, stack=PLAIN, work=work, device=faster)
    case = crossing(one, other, stages, Layout(pp=sum(stages)), flight_s, rate)
    costs, table = costs_of(case), table_of(case)
    before = int(table.layers_before[0])
    forward = passes_of(case, costs, before, "forward_s")
    backward = passes_of(case, costs, before, "backward_s")
    pp, extra = sum(stages), int(table.extra[0])
    windows = [pp - s + (extra if s < stages[0] else 0) for s in range(pp)]
    takes = run_schedule(
        forward, backward, stages[0], windows, micro_batches, float(table.flight_s[0]), float(table.transfer_s[0])
    )
    near = sum((n - 1) * 2 * t for n, t in zip(stages, near_s(case), strict=True))
    said = float(table.step_s[0]) - part(table, "optimizer") - part(table, "overhead") - near
    period = max(*(f + b for f, b in zip(forward, backward, strict=True)), float(table.transfer_s[0]))
    # Stages of unequal length wait while the pipeline fills and runs dry, or use what the further micro-batches leave.
    assert abs(said - takes) <= 4 * period


def near_s(case: Crossing) -> tuple[float, float]:
    one, other = transfers_of(case).near_s
    return float(one[0]), float(other[0])


def test_equal_stages_take_exactly_the_closed_form() -> None:
    model = dense_model(16)
    case = crossing(setting(model, stack=PLAIN), setting(model, stack=PLAIN), (2, 2), Layout(pp=4), flight_s=0.02)
    costs, table = costs_of(case), table_of(case)
    forward = passes_of(case, costs, int(table.layers_before[0]), "forward_s")
    backward = passes_of(case, costs, int(table.layers_before[0]), "backward_s")
    assert table.extra[0] > 0
    period = max(f + b for f, b in zip(forward, backward, strict=True))
    ramp = sum(forward) + sum(backward) - period + 2 * (0.02 + float(table.transfer_s[0])) + 4 * near_s(case)[0]
    said = float(table.step_s[0]) - part(table, "optimizer") - part(table, "overhead")
    assert said == pytest.approx(64 * period + ramp)


def test_without_the_further_micro_batches_the_flight_would_set_the_pace() -> None:
    forward, backward = [1.0] * 4, [2.0] * 4
    plain = run_schedule(forward, backward, 2, [4, 3, 2, 1], 64, flight_s=6.0, transfer_s=0.0)
    ahead = run_schedule(forward, backward, 2, [8, 7, 2, 1], 64, flight_s=6.0, transfer_s=0.0)
    assert ahead == pytest.approx(64 * 3 + 3 * 3 + 2 * 6)
    assert plain > 1.5 * ahead


@pytest.mark.parametrize("model", [dense_model(12), moe_model(1, 11)])
def test_next_door_it_is_a_pipeline_like_any_other(model: object) -> None:
    own = setting(model, stack=stack(dp_overlap=0.5))
    layout = Layout(tp=2, pp=4, dp=4, zero=1)
    inside = estimate_layout(own, layout)
    network = own.cluster.links[-1].bytes_per_s_one_way
    table = table_of(crossing(own, own, (2, 2), layout, rate=network * 8))
    # The cut may be placed better than the default division; never worse.
    assert table.step_s[0] <= inside.step_s * 1.01
    if table.layers_before[0] == 6:
        assert table.step_s[0] == pytest.approx(inside.step_s, rel=0.01)


def test_the_faster_pool_holds_more_layers() -> None:
    model = dense_model(24).model_copy(update={"vocab": 1000})
    slower = replace(DEVICE, gemm_flops_per_s=2e14, attention_flops_per_s=2e14)
    equal = table_of(crossing(setting(model), setting(model), (2, 2), Layout(pp=4)))
    last = table_of(crossing(setting(model, device=slower), setting(model), (2, 2), Layout(pp=4)))
    first = table_of(crossing(setting(model), setting(model, device=slower), (2, 2), Layout(pp=4)))
    assert last.layers_before[0] < equal.layers_before[0] < first.layers_before[0]


@pytest.mark.parametrize("layers", [5, 12, 13])
def test_a_bound_is_below_every_cut(layers: int) -> None:
    model = moe_model(2, layers, mtp_depths=1, mtp_block="moe")
    slower = replace(DEVICE, gemm_flops_per_s=4e14)
    case = crossing(setting(model), setting(model, device=slower), (2, 3), Layout(pp=5))
    table = table_of(case)
    bound_s = float(step_bound_s(case, costs_of(case))[0])
    assert 0 < bound_s <= 64 * float(table.pass_s.max()) + part(table, "bubble")
    assert bound_s <= float(table.step_s[0])


def test_layers_that_fit_have_room() -> None:
    """What the quick look at memory drops, the whole estimate drops too."""
    model = dense_model(24)
    fits, room = [], []
    for memory_bytes in (2e8, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 64e9):
        small = replace(DEVICE, memory_bytes=memory_bytes)
        case = crossing(setting(model, device=small), setting(model, device=small), (2, 2), Layout(pp=4), 0.02)
        fits.append(bool(table_of(case).missing_bytes[0] <= 0))
        room.append(bool(room_for_layers(case, costs_of(case), 0.0)[0] >= 24))
    assert all(has_room for fitting, has_room in zip(fits, room, strict=True) if fitting)
    assert not room[0]
    assert fits[-1]


def test_distance_costs_the_ramp_and_memory_but_no_pace() -> None:
    model = dense_model(16)
    steps, memory = [], []
    for flight_s in (0.0, 0.1, 0.2):
        table = table_of(crossing(setting(model), setting(model), (2, 2), Layout(pp=4), flight_s))
        steps.append(float(table.step_s[0]))
        memory.append(float(table.memory_peak_bytes[0, 0]))
    assert steps[1] - steps[0] == pytest.approx(0.2)
    assert steps[2] - steps[1] == pytest.approx(0.2)
    assert memory[0] < memory[1] < memory[2]


def test_a_narrow_link_sets_the_pace() -> None:
    model = dense_model(16)
    steps = [
        float(table_of(crossing(setting(model), setting(model), (2, 2), Layout(pp=4), rate=rate)).step_s[0])
        for rate in (1e7, 1e8, 1e9, 1e12)
    ]
    assert steps == sorted(steps, reverse=True)
    one_way_s = 2 * 4096 * 1024 / 1e7
    assert steps[0] > 64 * one_way_s


def test_every_layer_is_held_once_wherever_the_cut() -> None:
    kinds = ("dense",) * 3 + ("moe",) * 10
    cuts, counts = cut_counts(kinds, ("dense", "moe"), 2, 3, 2, False)
    assert list(cuts) == list(range(1, 13))
    assert (counts.sum(axis=(1, 2)) == 13).all()
    assert (counts[:, :, :2].sum(axis=(1, 2)) == cuts).all()
    with pytest.raises(InfeasibleError, match="cannot fill"):
        cut_counts(("dense",) * 3, ("dense",), 4, 4, 1, False)
