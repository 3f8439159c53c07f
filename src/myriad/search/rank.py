"""Evaluates the enumerated layouts, drops what does not fit, ranks the rest and explains the order."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from myriad.estimate.training import TrainingTable
from myriad.spec.layout import LayoutTable
from myriad.spec.result import TIME_PARTS, RankedLayout

IntArray = npt.NDArray[np.int64]
Objective = Literal["time", "cost", "gpus"]
Progress = Callable[[int, int], None]

ROWS_PER_BATCH = 1 << 16


@dataclass(frozen=True)
class Ranking:
    """Evaluated layouts and the order of those that fit."""

    layouts: LayoutTable
    table: TrainingTable
    num_gpus: IntArray
    order: IntArray
    """Rows that fit, best first."""
    missing_bytes: npt.NDArray[np.float64]
    """How much each layout lacks; negative is headroom."""


def evaluate_all(
    layouts: LayoutTable, evaluate: Callable[[LayoutTable], TrainingTable], progress: Progress | None = None
) -> TrainingTable:
    """The estimate of every layout, in batches over the processor's cores."""
    batches = [
        layouts.take(np.arange(start, min(start + ROWS_PER_BATCH, len(layouts))))
        for start in range(0, len(layouts), ROWS_PER_BATCH)
    ]
    if len(batches) <= 1:
        return evaluate(layouts)
    tables = []
    done = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for batch, table in zip(batches, pool.map(evaluate, batches), strict=True):
            tables.append(table)
            done += len(batch)
            if progress is not None:
                progress(done, len(layouts))
    return TrainingTable.concat(tables)


def rank(
    layouts: LayoutTable,
    table: TrainingTable,
    capacity_bytes: float,
    objective: Objective,
    step_limit_s: float | None = None,
) -> Ranking:
    """Rows that fit in memory, by objective.

    `time` is the shortest step; `cost` the fewest accelerator-seconds per step; `gpus` the fewest
    accelerators among the steps within `step_limit_s` (all, if none is given). Ties go to the shorter
    step, then to the smaller memory.
    """
    num_gpus = layouts.tp * layouts.cp * layouts.pp * layouts.dp
    missing = table.memory_peak_bytes - capacity_bytes
    rows = np.flatnonzero(missing <= 0)
    step_s, memory = table.step_s[rows], table.memory_peak_bytes[rows]
    first: npt.NDArray[np.float64]
    match objective:
        case "time":
            first = step_s
        case "cost":
            first = step_s * num_gpus[rows]
        case "gpus":
            late = step_s > step_limit_s if step_limit_s is not None else np.zeros(len(rows), dtype=bool)
            first = num_gpus[rows] + np.where(late, float(num_gpus.max(initial=0)) + 1.0, 0.0)
    return Ranking(layouts, table, num_gpus, rows[np.lexsort((memory, step_s, first))], missing)


def pareto_rows(ranking: Ranking, limit: int = 60) -> IntArray:
    """Rows not beaten in step time, memory and number of accelerators at once; at most `limit`, fastest first.

    For each number of accelerators, the front of time against memory is a running minimum; the fronts
    are then held against those with fewer accelerators.
    """
    rows = ranking.order
    front: list[int] = []
    for gpus in np.unique(ranking.num_gpus[rows]):
        same = rows[ranking.num_gpus[rows] == gpus]
        same = same[np.lexsort((ranking.table.memory_peak_bytes[same], ranking.table.step_s[same]))]
        memory = ranking.table.memory_peak_bytes[same]
        best_before = np.minimum.accumulate(np.concatenate(([np.inf], memory[:-1])))
        candidates = same[memory < best_before * (1 - 1e-9)]
        for row in candidates:
            step, size = ranking.table.step_s[row], ranking.table.memory_peak_bytes[row]
            if not any(ranking.table.step_s[f] <= step and ranking.table.memory_peak_bytes[f] <= size for f in front):
                front.append(int(row))
    found = np.array(front, dtype=np.int64)
    found = found[np.argsort(ranking.table.step_s[found], kind="stable")] if len(found) else found
    if len(found) > limit:
        found = found[np.unique(np.linspace(0, len(found) - 1, limit).astype(np.int64))]
    return found


def describe(
    ranking: Ranking,
    row: int,
    position: int,
    tokens_per_step: float,
    mfu_per_token_rate: float,
    runs_on: dict[str, str],
) -> RankedLayout:
    """One row for a table of results; `mfu_per_token_rate` is MFU per token/s of one accelerator."""
    gpus, step_s = int(ranking.num_gpus[row]), float(ranking.table.step_s[row])
    per_gpu = tokens_per_step / step_s / gpus
    best = int(ranking.order[0]) if len(ranking.order) else row
    return RankedLayout(
        rank=position,
        layout=ranking.layouts.row(row),
        step_s=step_s,
        tokens_per_s_per_gpu=per_gpu,
        mfu=per_gpu * mfu_per_token_rate,
        memory_peak_bytes=float(ranking.table.memory_peak_bytes[row]),
        num_gpus=gpus,
        time_parts_s={p: float(v) for p, v in zip(TIME_PARTS, ranking.table.parts_s[:, row], strict=True)},
        runs_on=runs_on,
        loses_by=loses_by(ranking, row, best),
    )


def loses_by(ranking: Ranking, row: int, best: int, limit: int = 3) -> str:
    """The parts that a row spends more time on than the best, largest first: `bubble +0.31 s, ...`."""
    if row == best:
        return ""
    more = ranking.table.parts_s[:, row] - ranking.table.parts_s[:, best]
    worst = [i for i in np.argsort(-more)[:limit] if more[i] > 5e-4 * ranking.table.step_s[best]]
    return ", ".join(f"{TIME_PARTS[i]} +{more[i]:.3g} s" for i in worst)
