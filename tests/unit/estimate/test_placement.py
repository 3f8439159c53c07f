"""Where layers lie: own rule, splits, prediction depths at the head and apart from it."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small_setting import dense_model, moe_model, one, setting

from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.pipeline import chunk_places
from myriad.estimate.placement import chunk_layers, prediction_chunk, predicts_apart, split_problem, stage_layers
from myriad.estimate.table import estimate_rows
from myriad.estimate.training import estimate_layout, layout_operations
from myriad.spec.layout import Layout, LayoutTable

PREDICTING = moe_model(1, 7, mtp_depths=1, mtp_block="moe")


def test_layers_go_to_stages_in_order_and_chunks_go_round():
    model, four, two = moe_model(2, 6), chunk_places(4, 1), chunk_places(2, 2)
    assert stage_layers(model, four).tolist() == [[2, 0, 0, 0], [0, 2, 2, 2]]
    assert stage_layers(model, chunk_places(2, 4)).tolist() == [[1, 1], [3, 3]]
    assert stage_layers(model, four, split=(3, 2, 2, 1)).tolist() == [[2, 0, 0, 0], [1, 2, 2, 1]]
    assert stage_layers(model, two, split=(1, 2, 4, 1)).tolist() == [[1, 1], [4, 2]]


def test_in_a_v_the_first_stage_has_both_ends():
    model, in_a_v = moe_model(1, 7, mtp_depths=1, mtp_block="dense"), chunk_places(4, 2, in_a_v=True)
    assert stage_layers(model, in_a_v).tolist() == [[2, 0, 0, 0], [1, 2, 2, 2]]
    assert stage_layers(model, in_a_v, split=(2, *[1] * 6, 0)).tolist() == [[2, 0, 0, 0], [1, 2, 2, 2]]
    assert stage_layers(model, in_a_v, split=(1, *[1] * 5, 3, 0)).tolist() == [[1, 0, 0, 0], [0, 3, 2, 2], [0, 1, 0, 0]]


def test_counts_hold_every_layer_once():
    model = moe_model(13, 26)
    for pp, vpp in ((1, 1), (3, 1), (4, 1), (4, 3), (5, 8)):
        assert stage_layers(model, chunk_places(pp, vpp), 2).sum(axis=1).tolist() == [13, 26]


def test_a_split_equal_to_the_own_rule_changes_nothing():
    for model in (dense_model(9), PREDICTING):
        own = Layout(pp=4, dp=2)
        split = own.model_copy(update={"split": chunk_layers(model, 4, setting(model).end_layers)})
        there, here = (estimate_layout(setting(model), x) for x in (split, own))
        assert there.model_copy(update={"layout": own}) == here


def test_depths_lie_with_the_head_or_where_the_split_counts_them():
    four = chunk_places(4, 1)
    assert stage_layers(PREDICTING, four, split=(2, 3, 3, 0)).tolist() == [[1, 0, 0, 0], [1, 3, 3, 1]]
    assert stage_layers(PREDICTING, four, split=(2, 3, 3, 1)).tolist() == [[1, 0, 0, 0], [1, 3, 3, 1]]
    apart = stage_layers(PREDICTING, four, split=(2, 3, 4, 0))
    assert apart.tolist() == [[1, 0, 0, 0], [1, 3, 3, 0], [0, 0, 1, 0]]
    assert predicts_apart(PREDICTING, (2, 3, 4, 0))
    assert not predicts_apart(PREDICTING, (2, 3, 3, 1))
    assert prediction_chunk(PREDICTING, (2, 3, 4, 0)) == 2


def test_the_published_layout_of_deepseek_v3_with_its_depth_apart():
    """`Et*3|(tt|)*29,m|L` (Megatron-Core's documentation): depth on stage 14, head on stage 15."""
    model = moe_model(3, 58, mtp_depths=1, mtp_block="moe")
    split = (3, *[2] * 29, 1, 0)
    counts = stage_layers(model, chunk_places(16, 2), split=split)
    assert counts[2].tolist() == [0] * 14 + [1, 0]
    assert counts.sum(axis=0).tolist() == [5, *[4] * 13, 3, 2]


def test_moving_the_depth_moves_its_time_memory_and_operations():
    here, there = Layout(pp=4, split=(2, 3, 3, 0)), Layout(pp=4, split=(2, 3, 4, 0))
    at_head, apart = estimate_layout(setting(PREDICTING), here), estimate_layout(setting(PREDICTING), there)
    assert apart.model_flops_per_token == at_head.model_flops_per_token
    total = [sum(stage.parts_bytes["gradients"] for stage in x.memory) for x in (at_head, apart)]
    assert total[0] == pytest.approx(total[1])
    assert apart.memory[3].parts_bytes["gradients"] < at_head.memory[3].parts_bytes["gradients"]
    operations = layout_operations(setting(PREDICTING), there)
    assert "mtp projection" in {op.name for op in operations}
    assert "logits" not in {op.name for op in operations}
    compute = sum(op.seconds_per_step for op in operations)
    parts = ("gemm", "expert_gemm", "attention", "recurrent", "memory_bound", "embedding_loss", "recompute")
    assert compute == pytest.approx(sum(apart.time_parts_s[p] for p in parts))


def test_the_slowest_stage_sets_the_pace():
    model = dense_model(8)
    steps = [estimate_layout(setting(model), Layout(pp=2, split=s)).step_s for s in ((4, 4), (5, 3), (6, 2))]
    assert steps[2] < steps[1] < steps[0]  # the head of so small a model is worth three layers


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        ((2, 2, 2, 1), "split places 7 layers; the model has 8, 9 with its prediction depths"),
        ((2, 2, 2, 2), ""),
        ((2, 2, 2, 3), ""),
        ((2, 2, 3, 3), "split places 10 layers; the model has 8, 9 with its prediction depths"),
    ],
)
def test_sums_that_do_not_fit_are_named(split, problem):
    assert split_problem(PREDICTING, split) == problem
    if problem:
        with pytest.raises(InfeasibleError, match="split places"):
            estimate_layout(setting(PREDICTING), Layout(pp=4, split=split))


def test_depths_stay_together():
    model = dense_model(8, mtp_depths=2, mtp_block="dense")
    assert split_problem(model, (3, 3, 3, 1)).startswith("split parts the prediction depths")
    assert split_problem(model, (3, 3, 4, 0)) == ""
    assert split_problem(model, (5, 4, 1, 0)).startswith("split parts the prediction depths")


def test_a_table_has_no_splits_but_rows_beside_it_may():
    uneven = Layout(pp=2, split=(5, 3))
    with pytest.raises(SpecError, match=r"split\(5,3\).*cannot hold a split"):
        LayoutTable.from_layouts([uneven])
    rows = estimate_rows(setting(), [Layout(pp=2), uneven, Layout(dp=2), uneven])
    single = [estimate_layout(setting(), x).step_s for x in (Layout(pp=2), uneven, Layout(dp=2), uneven)]
    np.testing.assert_allclose(rows.step_s, single)
    assert one(estimate_rows(setting(), [uneven]).memory_peak_bytes) == rows.memory_peak_bytes[1]
