"""The search: its enumeration, its ranking, and a whole one."""

from __future__ import annotations

import numpy as np

import myriad
from myriad.api.training import setting_of
from myriad.search.rank import Ranking, pareto_rows
from myriad.search.rules import Case
from myriad.search.space import default_space, enumerate_layouts
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout, LayoutTable

WORK = TrainingWork(seq_len=4096, global_batch=8192)


def test_typical_enumeration(benchmark) -> None:
    setting = setting_of("mimo-v2-pro", "h800:16384", WORK)
    case = Case(setting.model, setting.cluster, WORK)
    space = default_space(case, 12288)
    found = benchmark.pedantic(enumerate_layouts, (case, space, "megatron-core"), rounds=3)
    benchmark.extra_info["layouts"] = len(found.layouts)
    assert len(found.layouts)


def test_typical_front(benchmark) -> None:
    rng, size = np.random.default_rng(0), 200_000
    nothing = LayoutTable.from_layouts([Layout()]).take(np.zeros(size, dtype=np.int64))
    step_s, memory, gpus = rng.random(size), rng.random(size), rng.integers(1, 20, size)
    ranking = Ranking(nothing, step_s, memory, memory - 2, gpus, np.arange(size))
    assert len(benchmark(pareto_rows, ranking))


def test_whole_dense_search(benchmark) -> None:
    work = WORK.model_copy(update={"seq_len": 8192, "global_batch": 2048})
    found = benchmark.pedantic(myriad.search_training, ("llama3.1-405b", "h100:16384", work), rounds=3)
    benchmark.extra_info["layouts_per_s"] = found.layouts_per_s
    assert found.layouts_fitting
