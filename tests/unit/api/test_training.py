"""The verbs on small jobs; names are looked up, errors say where."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.api.search import search_training
from myriad.api.training import (
    estimate_training,
    open_up,
    operations_of,
    result_of,
    scaled,
    search_layouts,
    setting_of,
)
from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.estimate.table import estimate_table
from myriad.estimate.training import estimate_layout
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.result import TIME_PARTS
from myriad.spec.system import MEMORY_HEADROOM

WORK = TrainingWork(seq_len=4096, global_batch=32)


@pytest.fixture(scope="module", params=["llama3-8b", "qwen3-30b-a3b"])
def searched(request):
    return search_layouts(setting_of(request.param, "h100:16", WORK), least_gpus=12)


def test_the_best_is_the_fastest_of_the_whole_table_that_fits(searched):
    table = estimate_table(searched.setting, searched.enumerated.layouts)
    fits = searched.ranking.missing_bytes <= 0
    assert np.all(table.memory_peak_bytes[fits] <= searched.setting.device.memory_bytes)
    result = result_of(searched, "time")
    assert result.best.step_s == pytest.approx(table.step_s[fits].min())
    assert result.best.fits


def test_the_best_opens_up_to_the_same_step(searched):
    best = result_of(searched, "time").best
    alone = estimate_training(searched.setting.model, searched.setting.cluster, best.layout, WORK)
    assert alone == best


def test_every_layout_is_accounted_for(searched):
    result = result_of(searched, "time")
    assert result.layouts_enumerated == result.layouts_fitting + sum(result.rejected.values())
    assert result.layouts_evaluated == len(searched.ranking.layouts)


def test_rows_are_in_order_and_keep_their_parts(searched):
    result = result_of(searched, "time", top=10, job_usd=lambda gpus, step_s: gpus * step_s)
    steps = [row.step_s for row in result.ranked]
    assert steps == sorted(steps)
    assert result.ranked[0].rank == 1
    assert result.ranked[0].loses_by == ""
    for row in (*result.ranked, *result.pareto):
        assert sum(row.time_parts_s.values()) == pytest.approx(row.step_s)
        assert set(row.time_parts_s) == set(TIME_PARTS)
        assert row.cost_usd == pytest.approx(row.num_gpus * row.step_s)
        assert row.num_gpus == row.layout.world_size
        assert row.runs_on["megatron-core"] == ""
        assert row.step_s >= result.best.step_s * (1 - 1e-12)


def test_front_is_not_beaten_by_any_row(searched):
    ranking = searched.ranking
    rows = ranking.order
    for found in result_of(searched, "time").pareto:
        better = (
            (ranking.step_s[rows] < found.step_s * (1 - 1e-9))
            & (ranking.memory_peak_bytes[rows] < found.memory_peak_bytes * (1 - 1e-9))
            & (ranking.num_gpus[rows] <= found.num_gpus)
        )
        assert not better.any()


def test_hopeless_layouts_would_not_have_fitted(searched):
    """The cheap bound drops nothing that the whole estimate would have kept."""
    case_layouts = searched.enumerated
    dropped = case_layouts.rejected.get("weights, gradients and optimizer states alone do not fit in memory", 0)
    roomy = scaled(searched.setting, "memory_capacity", 100.0)
    everything = search_layouts(roomy, least_gpus=12)
    assert len(everything.ranking.layouts) == len(searched.ranking.layouts) + dropped
    capacity = searched.setting.device.memory_bytes * (1 - MEMORY_HEADROOM)  # what the search itself allows
    ours = searched.ranking.memory_peak_bytes
    assert (everything.ranking.memory_peak_bytes <= capacity).sum() == (ours <= capacity).sum()


def test_progress_ends_with_everything():
    seen = []
    search_training("llama3-8b", "h100:8", WORK, progress=lambda done, of: seen.append((done, of)))
    assert seen[-1][0] == seen[-1][1] > 0


def test_fewest_gpus_within_a_limit():
    fast = search_training("llama3-8b", "h100:16", WORK).best
    limit = 3 * fast.step_s
    few = search_training("llama3-8b", "h100:16", WORK, objective="gpus", step_limit_s=limit).best
    assert few.step_s <= limit
    assert few.world_size < fast.world_size


def test_operations_are_those_of_the_slowest_stage():
    layout = Layout(tp=2, pp=2, dp=2)
    operations = operations_of("llama3-8b", "h100:8", layout, WORK)
    assert {"qkv", "attention", "ffn up"} <= {op.name for op in operations}
    assert all(op.seconds_per_step > 0 and op.bytes > 0 for op in operations)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("llama3-8c", "h100:8", Layout()), SpecError, "did you mean 'llama3-8b'"),
        (("llama3-8b", "h10:8", Layout()), SpecError, "unknown accelerator or node 'h10'"),
        (("llama3-8b", "h100:8", Layout(tp=3)), SpecError, "tp does not divide .* 32 layers; global batch 32"),
        (("llama3-8b", "h100:8", Layout(dp=16)), SpecError, "more ranks than accelerators .* 8 accelerators"),
        (("llama3-8b", "h100:8", Layout(pp=16, vpp=4)), SpecError, "fewer layers than pipeline chunks"),
    ],
)
def test_wrong_input_is_refused_in_one_line(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        estimate_training(*arguments, WORK)
    assert "\n" not in str(caught.value)


def test_precisions_that_a_chip_lacks_are_missing_data():
    work = WORK.model_copy(update={"precision": "fp8"})
    with pytest.raises(MissingDataError, match="no fp8 matrix rate"):
        estimate_training("llama3-8b", "a100:8", Layout(), work)


def test_layouts_that_do_not_fit_are_estimated_and_say_so():
    found = estimate_training("llama3-70b", "h100:8", Layout(), WORK)
    assert not found.fits
    assert found.headroom_bytes < 0


def test_what_cannot_fit_names_what_it_lacks():
    with pytest.raises(InfeasibleError, match=r"Llama 3.1 405B on 8 x .*GiB|Llama 3.1 405B on 8 x .*memory"):
        search_training("llama3.1-405b", "h100:8", WORK)


@pytest.mark.parametrize("resource", ["matrix_rate", "memory_bandwidth", "scale_up", "scale_out", "latency"])
def test_more_of_a_resource_never_slows_a_step(resource):
    setting = setting_of("llama3-8b", "h100:64", WORK)
    layout = Layout(tp=8, pp=2, dp=4)
    assert estimate_layout(scaled(setting, resource, 1.1), layout).step_s <= estimate_layout(setting, layout).step_s


def test_only_known_resources_scale():
    with pytest.raises(SpecError, match="unknown resource 'luck'"):
        scaled(setting_of("llama3-8b", "h100:8", WORK), "luck", 1.1)


def test_frameworks_are_asked():
    found = open_up(setting_of("llama3-8b", "h100:8", WORK), Layout(dp=8))
    assert found.runs_on["megatron-core"] == ""
    assert found.runs_on["torchtitan"] == "data parallelism is FSDP2 (ZeRO-3) or HSDP"
