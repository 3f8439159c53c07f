from __future__ import annotations

import numpy as np
import pytest

from myriad.estimate.table import TrainingTable
from myriad.search import rank as ranking
from myriad.search.rank import distinct_rows, loses_by, pareto_rows, rank
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.result import TIME_PARTS
from small_setting import columns


def evaluate(layouts: LayoutTable) -> TrainingTable:
    """Time falls and memory rises with replicas; micro-batches cost a little of both."""
    step_s = 8.0 / layouts.dp + 0.001 * layouts.micro_batch
    memory = layouts.dp + 0.001 * layouts.micro_batch
    nothing = np.zeros((1, len(layouts)))
    return TrainingTable(nothing, nothing, step_s, nothing, memory, nothing[0])


TABLE = columns(*(Layout(dp=dp, micro_batch=m) for dp in (1, 2, 4, 8) for m in (1, 2)))


def replicas(found, rows) -> list[int]:
    return found.layouts.dp[rows].tolist()


def test_only_what_fits_is_ranked():
    found = rank(TABLE, evaluate, 4.5, "time")
    assert replicas(found, found.order) == [4, 4, 2, 2, 1, 1]
    assert found.missing_bytes.max() == pytest.approx(8.002 - 4.5)


def test_objectives_order_differently():
    assert replicas(rank(TABLE, evaluate, 99, "time"), rank(TABLE, evaluate, 99, "time").order[:1]) == [8]
    assert replicas(rank(TABLE, evaluate, 99, "cost"), rank(TABLE, evaluate, 99, "cost").order[:1]) == [1]
    in_time = rank(TABLE, evaluate, 99, "gpus", step_limit_s=4.5)
    assert replicas(in_time, in_time.order[:3]) == [2, 2, 4]
    anyway = rank(TABLE, evaluate, 99, "gpus")
    assert replicas(anyway, anyway.order[:1]) == [1]


def test_nothing_fits():
    found = rank(TABLE, evaluate, 0.5, "gpus", step_limit_s=1.0)
    assert len(found.order) == 0
    assert len(pareto_rows(found)) == 0
    assert len(distinct_rows(found, 5)) == 0


def test_batches_join_and_report_their_progress(monkeypatch):
    monkeypatch.setattr(ranking, "MOST_ROWS_PER_BATCH", 3)
    seen = []
    found = rank(TABLE, evaluate, 99, "time", progress=lambda done, of: seen.append((done, of)))
    assert seen == [(3, 8), (6, 8), (8, 8)]
    assert found.step_s.tolist() == evaluate(TABLE).step_s.tolist()


def test_errors_of_the_estimate_come_through():
    def broken(layouts: LayoutTable) -> TrainingTable:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rank(TABLE, broken, 99, "time")


def test_front_drops_the_larger_micro_batches():
    found = rank(TABLE, evaluate, 99, "time")
    assert replicas(found, pareto_rows(found)) == [8, 4, 2, 1]
    assert set(found.layouts.micro_batch[pareto_rows(found)]) == {1}


def test_long_fronts_keep_their_ends():
    found = rank(columns(*(Layout(dp=d) for d in range(1, 101))), evaluate, 999, "time")
    short = pareto_rows(found, limit=10)
    assert len(short) == 10
    assert replicas(found, short[[0, -1]]) == [100, 1]


def test_losses_name_the_largest_parts_first():
    best = np.zeros(len(TIME_PARTS))
    best[0] = 10.0
    other = best.copy()
    other[TIME_PARTS.index("bubble")] += 0.3
    other[TIME_PARTS.index("tp_comm")] += 1.0
    other[TIME_PARTS.index("host")] += 1e-4
    assert loses_by(other, best) == "tp_comm +1 s, bubble +0.3 s"
    assert loses_by(best, best) == ""
