"""The training estimate: one formula, one layout, a table of layouts."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.api.training import setting_of
from myriad.estimate.collectives import all_to_all_s
from myriad.estimate.kernels import gemm_s
from myriad.estimate.setting import model_flops_per_token
from myriad.estimate.table import estimate_table
from myriad.estimate.tiers import place
from myriad.estimate.training import estimate_layout
from myriad.search.rules import Case
from myriad.search.space import default_space, enumerate_layouts
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout

WORK = TrainingWork(seq_len=4096, global_batch=8192)
ROWS = 65_536


@pytest.mark.parametrize("size", [1, 1000])
def test_small_product(benchmark, size) -> None:
    device = setting_of("llama3-8b", "h100:8", WORK).device
    m = np.full(size, 4096.0)
    assert np.all(benchmark(gemm_s, m, 8192.0, 4096.0, device) > 0)


@pytest.mark.parametrize("size", [1, 1000])
def test_small_all_to_all(benchmark, size) -> None:
    links = setting_of("llama3-8b", "h100:1024", WORK).cluster.links
    ranks = np.full(size, 64.0)
    assert np.all(benchmark(lambda: all_to_all_s(1e8, place(ranks, 1.0, links))) > 0)


def test_small_model_flops(benchmark) -> None:
    setting = setting_of("deepseek-v3", "h800:2048", WORK)
    assert benchmark(model_flops_per_token, setting) > 0


@pytest.mark.parametrize("model", ["llama3.1-405b", "mimo-v2-pro"])
def test_typical_layout(benchmark, model) -> None:
    setting = setting_of(model, "h100:16384", WORK)
    assert benchmark(estimate_layout, setting, Layout(tp=8, pp=16, dp=128)).step_s > 0


@pytest.mark.parametrize("model", ["llama3.1-405b", "mimo-v2-pro"])
def test_typical_table(benchmark, model) -> None:
    setting = setting_of(model, "h100:16384", WORK)
    case = Case(setting.model, setting.cluster, WORK)
    layouts = enumerate_layouts(case, default_space(case), "own").layouts
    rows = np.random.default_rng(0).integers(len(layouts), size=ROWS)
    table = benchmark.pedantic(estimate_table, (setting, layouts.take(rows)), rounds=3)
    benchmark.extra_info["layouts_per_s"] = ROWS / benchmark.stats.stats.min
    assert len(table.step_s) == ROWS
