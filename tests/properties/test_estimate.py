"""What holds for every training estimate, whatever the model, the cluster, the software and the layout."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from myriad.estimate.memory import STUCK_SHARE
from myriad.estimate.setting import Setting, model_flops_per_token
from myriad.estimate.table import TrainingTable, estimate_table, evaluate_one, state_bytes_bound
from myriad.estimate.training import estimate_layout
from myriad.search.rules import Case, first_violation
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.result import MEMORY_PARTS, TIME_PARTS, TrainingEstimate
from myriad.testing import laid_out, layouts, settings

SLACK = 1 + 1e-9
STATES = ("weights", "gradients", "optimizer")
few = runs(max_examples=20)
"""Each example is a whole estimate or several; over the tests there are hundreds."""


def step_s(setting: Setting, layout: Layout) -> float:
    return estimate_layout(setting, layout).step_s


def plain(drawn: tuple[Setting, Layout]) -> tuple[Setting, Layout]:
    """The same under 1F1B: zero-bubble fills its bubble with weight gradients, so slower ones may pay; GPipe holds
    the whole batch however it is cut."""
    return drawn[0], drawn[1].model_copy(update={"schedule": "1f1b"})


def in_use(found: TrainingEstimate) -> float:
    """Bytes of the fullest stage without what the allocator wastes, which stops at the end of the device."""
    return max(stage.total_bytes - stage.parts_bytes["fragmentation"] for stage in found.memory)


def with_stack(setting: Setting, **changes: object) -> Setting:
    return replace(setting, stack=setting.stack.model_copy(update=changes))


def with_links(setting: Setting, **factors: float) -> Setting:
    links = tuple(
        link.model_copy(update={name: getattr(link, name) * factor for name, factor in factors.items()})
        for link in setting.cluster.links
    )
    return replace(setting, cluster=setting.cluster.model_copy(update={"links": links}))


@few
@given(laid_out())
def test_layouts_drawn_divide(drawn):
    setting, layout = drawn
    assert first_violation(Case(setting.model, setting.cluster, setting.work), layout) == ""


@few
@given(laid_out())
def test_parts_sum_to_the_step_and_none_is_negative(drawn):
    found = estimate_layout(*drawn)
    assert set(found.time_parts_s) == set(TIME_PARTS)
    assert sum(found.time_parts_s.values()) == pytest.approx(found.step_s)
    assert min(found.time_parts_s.values()) >= 0
    assert min(found.hidden_comm_s.values()) >= 0


@few
@given(laid_out())
def test_memory_parts_sum_to_the_fullest_stage(drawn):
    found = estimate_layout(*drawn)
    assert len(found.memory) == drawn[1].pp
    for stage in found.memory:
        assert set(stage.parts_bytes) == set(MEMORY_PARTS)
        assert min(stage.parts_bytes.values()) >= 0
        assert sum(stage.parts_bytes.values()) == pytest.approx(stage.total_bytes)
    assert max(stage.total_bytes for stage in found.memory) == pytest.approx(found.memory_peak_bytes)
    assert found.fits == (found.headroom_bytes >= 0)


@few
@given(laid_out())
def test_no_step_beats_its_roofline(drawn):
    found = estimate_layout(*drawn)
    assert found.step_s >= found.lower_bound_s
    assert 0 < found.mfu <= found.hfu * SLACK


@few
@given(laid_out())
def test_rates_say_the_same_thing(drawn):
    setting, layout = drawn
    found = estimate_layout(setting, layout)
    assert found.tokens_per_step == setting.work.global_batch * setting.work.seq_len
    assert found.tokens_per_s * found.step_s == pytest.approx(found.tokens_per_step)
    assert found.tokens_per_s_per_gpu * layout.world_size == pytest.approx(found.tokens_per_s)
    assert found.mfu * found.peak_flops_per_s == pytest.approx(found.tokens_per_s_per_gpu * found.model_flops_per_token)
    assert found.num_micro_batches * layout.dp * layout.micro_batch == setting.work.global_batch


@few
@given(st.data())
def test_a_table_says_of_each_layout_what_the_layout_alone_says(data):
    setting = data.draw(settings())
    chosen = data.draw(st.lists(layouts(setting.model), min_size=1, max_size=12))
    table = estimate_table(setting, LayoutTable.from_layouts(chosen))
    for row, layout in enumerate(chosen):
        alone = estimate_layout(setting, layout)
        assert table.step_s[row] == pytest.approx(alone.step_s)
        assert table.parts_s[:, row] == pytest.approx([alone.time_parts_s[p] for p in TIME_PARTS], rel=1e-9, abs=1e-12)
        assert table.hidden_s[:, row] == pytest.approx(list(alone.hidden_comm_s.values()), rel=1e-9, abs=1e-12)
        assert table.memory_peak_bytes[row] == pytest.approx(alone.memory_peak_bytes)
        fullest = max(alone.memory, key=lambda stage: stage.total_bytes).parts_bytes
        assert table.memory_parts_bytes[:, row].sum() == pytest.approx(sum(fullest.values()))
        recomputed = alone.hardware_flops_per_token - alone.model_flops_per_token
        assert table.recompute_flops_per_token[row] == pytest.approx(recomputed, abs=1e-6 * alone.model_flops_per_token)


@few
@given(st.data())
def test_tables_of_batches_join(data):
    setting = data.draw(settings())
    chosen = LayoutTable.from_layouts(data.draw(st.lists(layouts(setting.model), min_size=2, max_size=8)))
    first = np.arange(len(chosen)) < len(chosen) // 2
    parts = [estimate_table(setting, chosen.take(rows)) for rows in (first, ~first)]
    whole = estimate_table(setting, chosen)
    for f in fields(TrainingTable):
        joined = np.concatenate([getattr(part, f.name) for part in parts], axis=-1)
        assert joined == pytest.approx(getattr(whole, f.name), rel=1e-9, abs=1e-12)


@few
@given(laid_out())
def test_states_alone_never_exceed_the_peak(drawn):
    setting, layout = drawn
    table = LayoutTable.from_layouts([layout])
    assert state_bytes_bound(setting, table) <= estimate_table(setting, table).memory_peak_bytes * SLACK


@few
@given(laid_out())
def test_larger_micro_batches_take_more_memory(drawn):
    setting, layout = plain(drawn)
    more = layout.model_copy(update={"micro_batch": 2 * layout.micro_batch})
    before, after = estimate_layout(setting, layout), estimate_layout(setting, more)
    if before.num_micro_batches >= 4 * layout.pp * layout.vpp:  # else fewer are in flight
        assert after.memory_peak_bytes >= before.memory_peak_bytes
        assert in_use(after) >= in_use(before)  # equal where copies of the optimizer step fill the place


@few
@given(laid_out())
def test_splitting_tensors_and_layers_takes_less_memory(drawn):
    """Twice the tensor-parallel ranks, or twice the stages, with as many replicas."""
    setting, layout = plain(drawn)
    setting = with_stack(setting, stage_outputs="freed")
    if layout.tp > 1:  # the first split adds gathered sequences
        split = layout.model_copy(update={"tp": 2 * layout.tp})
        assert in_use(estimate_layout(setting, split)) <= in_use(estimate_layout(setting, layout)) * SLACK
    if layout.pp == 1 and setting.model.num_layers % 2 == 0 and not setting.model.mtp_depths:
        halves = estimate_layout(setting, layout.model_copy(update={"pp": 2}))
        states = [sum(s.parts_bytes[p] for p in STATES) for s in halves.memory]
        whole = sum(estimate_layout(setting, layout).memory[0].parts_bytes[p] for p in STATES)
        assert max(states) <= whole * SLACK


@few
@given(laid_out())
def test_the_allocator_gives_back_what_it_can_before_memory_runs_out(drawn):
    setting, layout = drawn
    found = estimate_layout(setting, layout)
    for stage in found.memory:
        wasted = stage.parts_bytes["fragmentation"]
        loose = setting.stack.fragmentation_fraction * sum(
            stage.parts_bytes[p] for p in ("activations", "logits", "buffers")
        )
        assert STUCK_SHARE * loose / SLACK <= wasted <= loose * SLACK + 1
        if stage.total_bytes > setting.device.memory_bytes * SLACK:
            assert wasted == pytest.approx(STUCK_SHARE * loose, abs=1)


@few
@given(laid_out())
def test_recomputation_trades_memory_for_time_and_leaves_model_flops(drawn):
    setting, layout = drawn
    none, selective, full = (
        estimate_layout(setting, layout.model_copy(update={"recompute": modules}))
        for modules in ((), ("core_attn",), ("full",))
    )
    assert none.model_flops_per_token == selective.model_flops_per_token == full.model_flops_per_token
    assert none.hfu == pytest.approx(none.mfu)
    flops = [found.hardware_flops_per_token for found in (none, selective, full)]
    assert flops == sorted(flops)
    assert none.step_s <= selective.step_s * SLACK <= full.step_s * SLACK**2
    kept = [max(s.parts_bytes["activations"] for s in found.memory) for found in (none, selective, full)]
    assert kept[1] <= kept[0] * SLACK
    if setting.model.num_layers >= 2 * layout.pp:  # the layer in work is held whole either way
        assert kept[2] <= kept[1] * SLACK


@few
@given(laid_out())
def test_sharding_parameters_shrinks_weights_and_states(drawn):
    setting, layout = drawn
    lines = []
    for zero in (0, 1, 2, 3):
        found = estimate_layout(setting, layout.model_copy(update={"zero": zero}))
        lines.append([max(s.parts_bytes[p] for s in found.memory) for p in ("optimizer", "gradients", "weights")])
    for before, after in pairwise(lines):
        assert all(a <= b * SLACK for a, b in zip(after, before, strict=True))
    if layout.dp * layout.cp > 1 and layout.shard != 1:
        assert lines[3][2] < lines[0][2]


@few
@given(laid_out())
def test_offloaded_states_leave_the_device(drawn):
    setting, layout = drawn
    found = estimate_layout(setting, layout.model_copy(update={"offload_optimizer": True}))
    assert all(stage.parts_bytes["optimizer"] == 0 for stage in found.memory)


@few
@given(laid_out(), st.floats(1, 10))
def test_faster_links_never_slow_a_step(drawn, factor):
    setting, layout = drawn
    assert step_s(with_links(setting, bytes_per_s_one_way=factor), layout) <= step_s(setting, layout) * SLACK


@few
@given(laid_out(), st.floats(1, 100))
def test_more_latency_never_speeds_a_step(drawn, factor):
    setting, layout = drawn
    assert step_s(with_links(setting, latency_s=factor), layout) * SLACK >= step_s(setting, layout)


@few
@given(laid_out(experts=True), st.floats(1, 3))
def test_imbalance_never_speeds_a_step(drawn, factor):
    setting, layout = plain(drawn)
    layout = layout.model_copy(update={"pp": 1, "vpp": 1})  # layers may move between stages
    worse = setting.work.model_copy(update={"expert_imbalance": setting.work.expert_imbalance * factor})
    assert step_s(replace(setting, work=worse), layout) * SLACK >= step_s(setting, layout)


@few
@given(laid_out())
def test_contention_never_speeds_a_step(drawn):
    setting, layout = drawn
    free, shared = (with_stack(setting, contention=c) for c in (0.0, 0.2))
    assert step_s(free, layout) <= step_s(shared, layout) * SLACK


@few
@given(
    laid_out(), st.sampled_from(["tp_overlap", "cp_overlap", "ep_overlap", "pp_overlap", "dp_overlap", "fsdp_overlap"])
)
def test_more_overlap_never_slows_a_step(drawn, overlap):
    setting, layout = drawn
    free = with_stack(setting, contention=0.0)
    more = with_stack(free, **{overlap: 1.0})
    assert step_s(more, layout) <= step_s(free, layout) * SLACK


@few
@given(laid_out(), st.floats(1, 4))
def test_faster_chips_never_slow_a_step(drawn, factor):
    setting, layout = plain(drawn)
    for rate in ("gemm_flops_per_s", "attention_flops_per_s", "memory_bytes_per_s"):
        faster = replace(setting.device, **{rate: getattr(setting.device, rate) * factor})
        assert step_s(replace(setting, device=faster), layout) <= step_s(setting, layout) * SLACK


@few
@given(settings())
def test_model_flops_know_nothing_of_the_machine(setting):
    other = with_stack(setting, host_s_per_kernel=1.0, tp_overlap=0.0)
    assert model_flops_per_token(other) == model_flops_per_token(setting) > 0


@few
@given(settings(), st.data())
def test_equal_stages_stand_for_one_another(setting, data):
    """What is worked out once for equal stages is what it is with every stage on its own."""
    drawn = data.draw(st.lists(layouts(setting.model), min_size=1, max_size=8))
    together = estimate_table(setting, LayoutTable.from_layouts(drawn))
    for column, layout in enumerate(drawn):
        alone = evaluate_one(setting, layout).table
        for field in fields(TrainingTable):
            found, expected = getattr(together, field.name)[..., column], getattr(alone, field.name)[..., 0]
            assert found == pytest.approx(expected, rel=1e-12), field.name


@given(st.data())
def test_distinct_rows_give_back_the_table(data):
    """Whatever the width of the columns, which decides between looking up and sorting."""
    columns = [field.name for field in fields(LayoutTable)]
    size, widest = data.draw(st.integers(1, 30)), data.draw(st.sampled_from([2, 9, 1 << 23]))
    values = st.lists(st.integers(0, widest), min_size=size, max_size=size)
    table = LayoutTable(
        **{name: np.array(data.draw(values) if i < 4 else [1] * size) for i, name in enumerate(columns)}
    )
    asked = data.draw(st.sampled_from([columns[:1], columns[1:3], columns[:4], columns]))
    found = table.distinct(*asked)
    rows = list(zip(*(getattr(table, name).tolist() for name in asked), strict=True))
    assert [rows[i] for i in found.first] == list(dict.fromkeys(rows))
    assert [rows[found.first[i]] for i in found.index] == rows
    assert found.first.tolist() == [rows.index(row) for row in dict.fromkeys(rows)]
