"""What holds for every search: nothing is missed, nothing is counted twice, the best is the best."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from myriad.estimate.table import estimate_table
from myriad.search.rank import Ranking, distinct_rows, pareto_rows, rank
from myriad.search.rules import DIVISION_RULES, FRAMEWORK_RULES, Case, first_violation, violations
from myriad.search.space import Space, enumerate_layouts
from myriad.spec.layout import PIPELINE_SCHEDULES, Layout, LayoutTable, recompute_modules
from myriad.spec.model import MixtureOfExperts
from myriad.testing import clusters, layouts, models, settings, works

few = runs(max_examples=25)
NAMES = ("megatron-core", "torchtitan", "fsdp", "own")


def some(*values: int) -> st.SearchStrategy[tuple[int, ...]]:
    """The first value and up to two others."""
    others = st.sets(st.sampled_from(values), max_size=2)
    return others.map(lambda found: tuple(sorted(found | {values[0]})))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    cluster = draw(clusters()).model_copy(update={"num_accelerators": draw(st.sampled_from([1, 8, 12, 32]))})
    work = draw(works()).model_copy(update={"global_batch": draw(st.sampled_from([8, 12, 16]))})
    return Case(draw(models()), cluster, work)


@st.composite
def spaces(draw: st.DrawFn, model) -> Space:
    has_experts = any(isinstance(b.feed_forward, MixtureOfExperts) for b in model.blocks.values())
    return Space(
        tp=draw(some(1, 2, 3, 8)), cp=draw(some(1, 2, 3)), pp=draw(some(1, 2, 3, 4)), vpp=draw(some(1, 2, 3)),
        ep=draw(some(1, 2, 4, 8)) if has_experts else (1,), etp=draw(st.sampled_from([(1,), (1, 0)])),
        micro_batch=draw(some(1, 2, 3)), zero=(0, 1, 2, 3), recompute=draw(some(0, 1, 128)),
        offload_optimizer=draw(some(0, 1)), schedule=draw(some(0, 2, 3)),
        least_gpus=draw(st.sampled_from([1, 6])),
    )  # fmt: skip


def naive(case: Case, space: Space, framework: str) -> set[Layout]:
    """The same space by plain loops, each layout asked alone."""
    gpus, batch = case.cluster.num_accelerators, case.work.global_batch
    found = set()
    for tp, cp, pp, vpp, micro_batch in product(space.tp, space.cp, space.pp, space.vpp, space.micro_batch):
        if vpp > 1 and pp == 1:
            continue
        inner = tp * cp * pp
        fitting = [d for d in range(1, gpus // inner + 1) if batch % (d * micro_batch) == 0]
        replicas = [d for d in fitting if inner * d >= space.least_gpus or d == max(fitting)]
        for dp, ep, etp, zero, schedule in product(replicas, space.ep, space.etp, space.zero, space.schedule):
            if etp == 0 and tp == 1:  # the same as 1
                continue
            if zero > 0 and dp * cp == 1:  # nothing to shard over
                continue
            if schedule != 0 and (pp == 1 or vpp > 1):  # such schedules have stages and no chunks
                continue
            for recompute, offload in product(space.recompute, space.offload_optimizer):
                layout = Layout(
                    tp=tp, sp=tp > 1, cp=cp, pp=pp, vpp=vpp, dp=dp, ep=ep, etp=etp or tp, zero=zero,
                    micro_batch=micro_batch, recompute=recompute_modules(recompute), offload_optimizer=bool(offload),
                    schedule=PIPELINE_SCHEDULES[schedule],
                )  # fmt: skip
                bad, _ = violations(FRAMEWORK_RULES[framework], case, LayoutTable.from_layouts([layout]))
                if not first_violation(case, layout) and not bad.any():
                    found.add(layout)
    return found


@few
@given(st.data(), st.sampled_from(NAMES))
def test_the_columns_hold_what_plain_loops_find(data, framework):
    case = data.draw(cases())
    space = data.draw(spaces(case.model))
    enumerated = enumerate_layouts(case, space, framework)
    rows = [enumerated.layouts.row(i) for i in range(len(enumerated.layouts))]
    assert len(set(rows)) == len(rows)
    assert set(rows) == naive(case, space, framework)
    assert enumerated.total == len(rows) + sum(enumerated.rejected.values())
    known = {rule.reason for rule in DIVISION_RULES}
    known |= {f"{framework}: {rule.reason}" for rule in FRAMEWORK_RULES[framework]}
    assert set(enumerated.rejected) <= known
    assert all(count > 0 for count in enumerated.rejected.values())


@few
@given(st.data(), st.sampled_from(["time", "cost", "gpus"]), st.floats(0, 1))
def test_the_best_is_the_best_of_all_that_fit(data, objective, tightness):
    setting = data.draw(settings())
    table = LayoutTable.from_layouts(data.draw(st.lists(layouts(setting.model), min_size=1, max_size=20)))
    whole = estimate_table(setting, table)
    smallest, largest = whole.memory_peak_bytes.min(), whole.memory_peak_bytes.max()
    capacity = smallest + tightness * (largest - smallest)
    limit_s = float(np.median(whole.step_s))
    found = rank(table, lambda x: estimate_table(setting, x), capacity, objective, limit_s)
    fits = [row for row in range(len(table)) if found.memory_peak_bytes[row] <= capacity]

    def price(row: int) -> tuple[float, ...]:
        step_s, gpus = float(found.step_s[row]), table.row(row).world_size
        late = objective != "time" and step_s > limit_s
        wanted = {"time": step_s, "cost": step_s * gpus, "gpus": gpus}[objective]
        return (late, step_s if late else wanted, step_s)

    assert sorted(found.order) == fits
    prices = [price(int(row)) for row in found.order]
    assert prices == sorted(prices)
    assert found.step_s == pytest.approx(whole.step_s)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)), min_size=1, max_size=40))
def test_the_front_is_what_nothing_beats(points):
    """Against all pairs; of equal points one stays."""
    step_s, memory, gpus = (np.array(column) for column in zip(*points, strict=True))
    nothing = LayoutTable.from_layouts([Layout(dp=d) for d in range(1, len(points) + 1)])
    ranking = Ranking(nothing, step_s.astype(float), memory.astype(float), memory - 1e9, gpus, np.arange(len(points)))
    front = [points[row] for row in pareto_rows(ranking, limit=1000)]
    best = {p for p in points if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in points)}
    assert sorted(front) == sorted(best)


@few
@given(st.data(), st.integers(1, 10))
def test_rows_shown_differ_in_more_than_recomputation(data, limit):
    setting = data.draw(settings())
    table = LayoutTable.from_layouts(data.draw(st.lists(layouts(setting.model), min_size=1, max_size=12)))
    ranking = rank(table, lambda x: estimate_table(setting, x), np.inf, "time")
    rows = distinct_rows(ranking, limit)
    assert rows[0] == ranking.order[0]
    assert len(rows) <= limit
    assert np.all(np.diff(ranking.step_s[rows]) >= 0)
    keys = {(x.tp, x.cp, x.pp, x.vpp, x.ep, x.etp, x.dp, x.micro_batch) for x in map(table.row, rows)}
    assert len(keys) == len(rows)


@given(models(), st.data())
def test_layouts_read_back_from_columns(model, data):
    chosen = data.draw(st.lists(layouts(model), min_size=1, max_size=5))
    table = LayoutTable.from_layouts(chosen)
    assert [table.row(i) for i in range(len(table))] == chosen
