"""What stages cost by the layers on them: equal to the estimate of whole layouts."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small_setting import dense_model, moe_model, setting, stack

from myriad.estimate.stage_costs import StageCosts
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import Layout, LayoutTable

PREDICTING = {"mtp_depths": 2, "mtp_block": "moe"}


@pytest.mark.parametrize(
    ("model", "layout", "apart"),
    [
        (dense_model(9), Layout(pp=4, dp=2, split=(2, 3, 3, 1)), False),
        (dense_model(9, tied_embeddings=True), Layout(pp=2, vpp=2, tp=2, split=(2, 3, 3, 1)), False),
        (moe_model(2, 7), Layout(pp=4, tp=2, dp=4, ep=4, split=(3, 3, 2, 1), recompute=("full",)), False),
        (moe_model(2, 7, **PREDICTING), Layout(pp=4, dp=4, ep=4, zero=3, split=(3, 3, 3, 0)), False),
        (moe_model(2, 7, **PREDICTING), Layout(pp=4, dp=4, ep=4, micro_batch=2, split=(3, 3, 5, 0)), True),
    ],
)
def test_stages_cost_what_the_estimate_says(model, layout, apart):
    wasteful = stack(fragmentation_fraction=0.1, reserved_bytes=1e9, stage_outputs="in-flight")
    case = setting(model, stack=wasteful)
    table = LayoutTable.from_layouts([layout.without_split()])
    costs = StageCosts(case, table, case.costs_of(table, apart), apart)
    expected = estimate_layout(case, layout)

    # A row's last layer stands for all depths where they may lie apart.
    counts = np.zeros((1, layout.pp, len(costs.costs.kinds)), dtype=np.int64)
    for stage in expected.stages:
        for kind, number in stage.layers.items():
            counts[0, stage.stage, costs.costs.kinds.index(kind)] = number
        if apart:
            counts[0, stage.stage, -1] = stage.prediction_depths > 0
    memory = costs.memory_bytes(counts)[0]
    np.testing.assert_allclose(memory, [stage.total_bytes for stage in expected.memory], rtol=1e-12)

    kinds, (first, last) = costs.seconds()
    seconds = counts[0] @ kinds
    seconds[0] += first
    seconds[-1] += last
    np.testing.assert_allclose(seconds, [stage.micro_batch_s for stage in expected.stages], rtol=1e-12)
    assert costs.num_micro_batches == expected.num_micro_batches


def test_stages_hold_every_layer_and_depth_once():
    found = estimate_layout(setting(moe_model(2, 7, **PREDICTING)), Layout(pp=2, vpp=2, split=(2, 3, 6, 0)))
    assert [stage.chunks for stage in found.stages] == [(2, 4), (3, 0)]
    assert [stage.layers for stage in found.stages] == [{"dense": 2, "moe": 4}, {"moe": 3}]
    assert [stage.prediction_depths for stage in found.stages] == [2, 0]
    own = estimate_layout(setting(moe_model(2, 7, **PREDICTING)), Layout(pp=2))
    assert [stage.prediction_depths for stage in own.stages] == [0, 2]
    assert sum(sum(stage.layers.values()) for stage in own.stages) == 9
