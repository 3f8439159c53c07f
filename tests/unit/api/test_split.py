"""Best splits of real layouts, alone and in searches; judged by the full estimate."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from myriad.api.search import search_training
from myriad.api.split import MISSES, REFINED, WORTH_FRACTION, best_split, refined
from myriad.api.step_timeline import timeline_step_s
from myriad.api.training import estimate_training, result_of, search_layouts, setting_of
from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.table import estimate_rows
from myriad.estimate.training import estimate_layout
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.system import MEMORY_HEADROOM

WORK = TrainingWork(seq_len=4096, global_batch=64)


def all_splits(layers: int, stages: int, first: bool = True):
    if stages == 1:
        yield (layers,)
        return
    for size in range(0 if first else 1, layers + 1):
        for rest in all_splits(layers - size, stages - 1, first=False):
            yield (size, *rest)


@pytest.mark.parametrize("pp", [2, 3, 4])
@pytest.mark.parametrize("name", ["llama3-8b", "deepseek-v3", "qwen3-30b-a3b"])
def test_the_best_split_is_the_fastest_of_all_that_fit(name, pp):
    work = WORK.model_copy(update={"global_batch": 512})  # with few micro-batches waiting may cost what a split saves
    setting = setting_of(name, "h100:64", work)
    model = setting.model.with_layers(9).model_copy(update={"mtp_depths": 0})
    setting = replace(setting, model=model)
    layout = Layout(pp=pp, dp=16, ep=16 if name != "llama3-8b" else 1)
    found = best_split(model, setting.cluster, layout, work)
    best = estimate_layout(setting, found.layout)
    layouts = [layout.model_copy(update={"split": split}) for split in all_splits(9, pp)]
    every = estimate_rows(setting, layouts)
    left = 1 - every.memory_peak_bytes / setting.device.memory_bytes
    fits = left >= (MEMORY_HEADROOM if (left >= MEMORY_HEADROOM).any() else 0.0)
    fastest = int(np.argmin(np.where(fits, every.step_s, np.inf)))
    assert best.fits
    assert best.step_s == pytest.approx(found.step_s)
    if best.step_s > every.step_s[fastest] / (1 - WORTH_FRACTION) * (1 + 1e-9):  # the timeline says no
        timed = [timeline_step_s(setting, estimate_layout(setting, one)) for one in (layouts[fastest], layout)]
        assert timed[0] > timed[1] * (1 - WORTH_FRACTION)
        assert not found.layout.split
    own = estimate_layout(setting, layout)
    assert best.step_s <= own.step_s


def test_prediction_depths_go_where_they_cost_least():
    """With the head or apart from it, but only where the software can."""
    layout = Layout(pp=32, tp=2, dp=32, ep=8, recompute=["moe_act", "layernorm", "mla_up_proj"])
    work = TrainingWork(seq_len=4096, global_batch=15360)
    apart = best_split("deepseek-v3", "h800:2048", layout, work).layout
    assert apart.split == (3, *[2] * 29, 1, 0)  # `Et*3|(tt|)*29,m|L` of Megatron-Core's documentation
    bridge = work.model_copy(update={"stack": "megatron-bridge"})
    together = best_split("deepseek-v3", "h800:2048", layout, bridge).layout
    assert sum(together.split or (61,)) == 61


def test_short_memory_moves_layers_from_the_first_stages():
    work = TrainingWork(seq_len=8192, global_batch=2048)
    layout = Layout(tp=8, pp=16, dp=128)
    own = estimate_training("llama3.1-405b", "h100:16384", layout, work)
    found = best_split("llama3.1-405b", "h100:16384", layout, work).layout
    split = estimate_training("llama3.1-405b", "h100:16384", found, work)
    assert not own.fits
    assert split.fits
    assert all(a <= b for a, b in pairwise(found.split[:-1]))  # the last stage holds the head too
    assert found.split[0] < found.split[-1]


@pytest.mark.parametrize(
    ("layout", "stack", "problem"),
    [
        (Layout(pp=2, dp=4), "nemo", "places layers by its own rule"),
        (Layout(dp=8), "megatron-core", "no split to choose .* one stage"),
        (Layout(pp=2, dp=4, schedule="dualpipe"), "megatron-core", "dualpipe"),
    ],
)
def test_where_there_is_no_split_to_choose(layout, stack, problem):
    with pytest.raises(SpecError, match=problem):
        best_split("llama3-8b", "h100:8", layout, WORK.model_copy(update={"stack": stack}))


def test_a_model_too_large_has_no_split():
    with pytest.raises(InfeasibleError, match="no split of its layers was found that fits"):
        best_split("llama3.1-405b", "h100:8", Layout(pp=8), WORK)


def test_a_split_that_only_the_closed_form_has_faster_is_not_taken():
    """Unequal chunks of one stage wait for one another, which the closed form of interleaving does not see."""
    work = TrainingWork(seq_len=4096, global_batch=8192)
    layout = Layout(tp=2, cp=2, pp=4, vpp=8, dp=1024, ep=128)
    split = "2*5,3*2,2,3*2,2,3*2,2*2,3,2*8,3,2*5,5,0"
    own, uneven = (
        estimate_training("mimo-v2-pro", "h800:16384", one, work)
        for one in (layout, Layout.model_validate(layout.model_dump() | {"split": split}))
    )
    assert uneven.step_s < own.step_s
    assert uneven.timeline_step_s > own.timeline_step_s
    found = best_split("mimo-v2-pro", "h800:16384", layout, work).layout
    timed = estimate_training("mimo-v2-pro", "h800:16384", found, work).timeline_step_s
    assert timed <= own.timeline_step_s


@pytest.fixture(scope="module")
def searched():
    work = TrainingWork(seq_len=4096, global_batch=256)
    return search_layouts(setting_of("qwen3-235b-a22b", "h100:128", work), least_gpus=128)


def test_a_search_with_splits_is_never_worse_and_says_what_they_gain(searched):
    after = refined(searched, "time")
    assert 0 < after.layouts_split <= REFINED + MISSES
    before, ranking = searched.ranking, after.ranking
    assert ranking.placed
    for row, placed in ranking.placed.items():
        alone = estimate_layout(searched.setting, ranking.layout(row))
        assert alone.step_s == pytest.approx(ranking.step_s[row], rel=1e-12)
        assert alone.memory_peak_bytes == pytest.approx(ranking.memory_peak_bytes[row], rel=1e-12)
        assert alone.memory_peak_bytes <= searched.capacity_bytes
        fitted = before.missing_bytes[row] <= 0
        assert placed.own_step_s == (before.step_s[row] if fitted else None)
        if fitted:
            assert ranking.step_s[row] < before.step_s[row]
    untouched = np.array([row not in ranking.placed for row in range(len(ranking.layouts))])
    assert np.array_equal(ranking.step_s[untouched], before.step_s[untouched])
    assert np.all(np.diff(ranking.step_s[ranking.order]) >= 0)

    result = result_of(after, "time")
    assert any(placed.own_step_s is None for placed in ranking.placed.values())  # layouts that fit only so
    assert result.layouts_fitting > len(before.order)
    assert result.ranked[0].layout == result.best.layout
    for row in result.ranked:
        if row.split_gain_fraction is not None:
            assert row.layout.split
            own = estimate_layout(searched.setting, row.layout.without_split())
            assert row.split_gain_fraction == pytest.approx(1 - row.step_s / own.step_s)
    again = result_of(refined(searched, "time"), "time")
    assert again.ranked == result.ranked


def test_searches_of_software_without_splits_stay_as_they_are():
    work = TrainingWork(seq_len=4096, global_batch=64, stack="nemo")
    found = search_training("llama3-8b", "h100:16", work)
    assert found.layouts_split == 0
    assert not any(row.layout.split for row in found.ranked)
