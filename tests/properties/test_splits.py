"""Splits of layers over stages: nothing is lost, and what a search of splits is told is what the estimate says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from myriad.estimate.placement import predicts_apart, split_problem
from myriad.estimate.setting import Setting
from myriad.estimate.stage_costs import StageCosts
from myriad.estimate.training import estimate_layout, layout_operations
from myriad.search.interleaved import interleaved_splits
from myriad.search.split import Pipeline, plain_splits
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.result import TIME_PARTS
from myriad.testing import laid_out

few = hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEARCHED_WITHOUT = ("dualpipe", "zb-v")
OPERATION_PARTS = TIME_PARTS[: TIME_PARTS.index("host")]


@st.composite
def split_layouts(draw: st.DrawFn, without: tuple[str, ...] = ("dualpipe",)) -> tuple[Setting, Layout]:
    """A setting and a layout that divides in it, its layers dealt out anyhow, prediction depths counted or not."""
    setting, layout = draw(laid_out().filter(lambda drawn: drawn[1].schedule not in without))
    model, chunks = setting.model, layout.pp * layout.vpp
    apart = bool(model.mtp_depths) and chunks > 1 and draw(st.booleans())
    places = chunks - 1 if apart else chunks
    spare = model.num_layers - max(places - 2 + apart, 0) * (chunks > 1)
    if chunks == 1 or spare < 0:
        return setting, layout.model_copy(update={"split": (model.num_layers,)} if chunks == 1 else {})
    sizes = [0, *[1] * (places - 2), 0] if places > 1 else [0]
    if apart and places > 1:
        sizes[-1] = 1
    for _ in range(model.num_layers - sum(sizes)):
        sizes[draw(st.integers(0, places - 1))] += 1
    if apart:
        sizes = [*sizes[:-1], sizes[-1] + model.mtp_depths, 0]
    return setting, Layout.model_validate(layout.model_dump() | {"split": sizes})


@few
@given(split_layouts())
def test_a_split_changes_where_work_is_and_not_how_much(drawn):
    setting, layout = drawn
    assert split_problem(setting.model, layout.split) == ""
    found, own = estimate_layout(setting, layout), estimate_layout(setting, layout.without_split())
    assert sum(found.time_parts_s.values()) == pytest.approx(found.step_s)
    assert found.model_flops_per_token == own.model_flops_per_token
    assert found.hardware_flops_per_token == pytest.approx(own.hardware_flops_per_token)
    assert found.step_s >= found.lower_bound_s * (1 - 1e-9)
    assert sum(sum(stage.layers.values()) for stage in found.stages) == setting.model.num_layers
    assert sum(stage.prediction_depths for stage in found.stages) == setting.model.mtp_depths
    whole_s = [sum(stage.micro_batch_s for stage in one.stages) for one in (found, own)]
    if not predicts_apart(setting.model, layout.split):  # apart from the head, host waits are another sum
        assert whole_s[0] == pytest.approx(whole_s[1])
    operations_s = sum(op.seconds_per_step for op in layout_operations(setting, layout))
    assert operations_s == pytest.approx(sum(found.time_parts_s[part] for part in OPERATION_PARTS))


@few
@given(split_layouts(without=SEARCHED_WITHOUT))
def test_a_search_of_splits_is_told_what_the_estimate_says(drawn):
    setting, layout = drawn
    apart = predicts_apart(setting.model, layout.split)
    table = LayoutTable.from_layouts([layout.without_split()])
    costs = StageCosts(setting, table, setting.costs_of(table, apart), apart)
    found = estimate_layout(setting, layout)
    counts = np.zeros((1, layout.pp, len(costs.costs.kinds)), dtype=np.int64)
    for stage in found.stages:
        for kind, number in stage.layers.items():
            counts[0, stage.stage, costs.costs.kinds.index(kind)] = number
        counts[0, stage.stage, -1] += apart and stage.prediction_depths > 0
    kinds_s, (first_s, last_s) = costs.seconds()
    stages_s = counts[0] @ kinds_s
    stages_s[0] += first_s
    stages_s[-1] += last_s
    np.testing.assert_allclose(stages_s, [stage.micro_batch_s for stage in found.stages], rtol=1e-9)
    if layout.pp > 1:
        expected = [stage.total_bytes for stage in found.memory]
        np.testing.assert_allclose(costs.memory_bytes(counts)[0], expected, rtol=1e-9)


@few
@given(st.data())
def test_more_layers_never_free_memory(data):
    """What the search of splits relies on to skip segments; also under an allocator that wastes."""
    setting, layout = data.draw(split_layouts(without=SEARCHED_WITHOUT).filter(lambda drawn: drawn[1].pp > 1))
    table = LayoutTable.from_layouts([layout.without_split()])
    costs = StageCosts(setting, table, setting.costs_of(table), False)
    shape = (1, layout.pp, len(costs.costs.kinds))
    size = shape[1] * shape[2]
    some, added = (np.array(data.draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))) for _ in range(2))
    before, after = (costs.memory_bytes(layers.reshape(shape)) for layers in (some, some + added))
    assert np.all(after >= before * (1 - 1e-12))


@few
@given(
    st.lists(st.integers(0, 2), min_size=4, max_size=40), st.integers(1, 6), st.integers(1, 3),
    st.lists(st.floats(0.1, 3), min_size=3, max_size=3), st.floats(0, 4), st.floats(0, 8),
)  # fmt: skip
def test_found_splits_hold_all_layers_and_respect_the_bound(kinds, pp, vpp, kind_s, first_s, last_s):
    pipeline = Pipeline(
        kinds=np.array(kinds), kind_s=np.array(kind_s), ends_s=(first_s, last_s), kind_parameters=np.ones(3),
        ends_parameters=(1.0, 1.0), pp=pp, vpp=vpp if pp > 1 else 1,
    )  # fmt: skip
    found = plain_splits(pipeline) if pipeline.vpp == 1 else interleaved_splits(pipeline)
    bound_s = pipeline.slowest_bound * pipeline.load.unit
    for split in found:
        assert sum(split.sizes) == len(kinds)
        assert len(split.sizes) == pp * pipeline.vpp
        assert 0 not in split.sizes[1:-1]
        edges = np.cumsum([[0, *split.sizes]], axis=1)
        slowest_s = pipeline.load.on_stages(edges, pp).max() * pipeline.load.unit
        assert split.slowest_s == pytest.approx(slowest_s)
        assert bound_s <= slowest_s * (1 + 1e-9)
        assert split.gap_fraction >= 0
