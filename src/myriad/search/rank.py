"""Evaluates the enumerated layouts, drops what does not fit, ranks the rest and explains the order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from myriad.estimate.table import TrainingTable
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.result import TIME_PARTS

IntArray = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]
Objective = Literal["time", "cost", "gpus"]
Progress = Callable[[int, int], None]

MOST_ROWS_PER_BATCH = 1 << 17
"""So many that what a batch works out once is little, so few that its results are soon let go."""


Evaluate = Callable[[LayoutTable], TrainingTable]


@dataclass(frozen=True)
class Placed:
    """How the layers of a layout are placed by hand."""

    split: tuple[int, ...]
    own_step_s: float | None
    """Step time by the software's own rule; `None` if the layout does not fit so."""
    gap_fraction: float
    """How far the slowest stage may be above that of the best split, as a share of it."""


@dataclass(frozen=True)
class Ranking:
    """Evaluated layouts and the order of those that fit."""

    layouts: LayoutTable
    step_s: Array
    memory_peak_bytes: Array
    missing_bytes: Array
    """How much each layout lacks; negative is headroom."""
    num_gpus: IntArray
    order: IntArray
    """Rows that fit, best first."""
    placed: Mapping[int, Placed] = field(default_factory=dict)
    """Rows whose times and memory are those of a split, and not of the software's own rule."""

    def layout(self, row: int) -> Layout:
        """A row with its split."""
        found = self.layouts.row(row)
        return found.model_copy(update={"split": self.placed[row].split}) if row in self.placed else found

    def splits(self, rows: Iterable[int]) -> list[tuple[int, ...]]:
        """The split of each of the rows, empty for the software's own rule."""
        return [self.placed[row].split if row in self.placed else () for row in rows]


def rank(
    layouts: LayoutTable,
    evaluate: Evaluate,
    capacity_bytes: float,
    objective: Objective,
    step_limit_s: float | None = None,
    progress: Progress | None = None,
    cores: int | None = None,
) -> Ranking:
    """Evaluates every layout over all cores, or so many of them, and ranks those that fit in memory by objective.

    `time` is the shortest step; `cost` the fewest accelerator-seconds per step and `gpus` the fewest
    accelerators, both among the steps within `step_limit_s` if one is given. Steps beyond it come last,
    the shortest first. Ties go to the shorter step, then to the smaller memory.
    """
    step_s, memory = _evaluate_all(layouts, evaluate, progress, cores or os.cpu_count() or 1)
    num_gpus = layouts.tp * layouts.cp * layouts.pp * layouts.dp
    missing = memory - capacity_bytes
    order = ordered(np.flatnonzero(missing <= 0), step_s, memory, num_gpus, objective, step_limit_s)
    return Ranking(layouts, step_s, memory, missing, num_gpus, order)


def ordered(
    rows: IntArray,
    step_s: Array,
    memory: Array,
    num_gpus: IntArray,
    objective: Objective,
    step_limit_s: float | None = None,
) -> IntArray:
    """The rows, best first; see `rank`."""
    step, keys = step_s[rows], [memory[rows], step_s[rows]]
    if objective != "time":
        gpus = num_gpus[rows].astype(float)
        late = step > (np.inf if step_limit_s is None else step_limit_s)
        keys += [np.where(late, step, step * gpus if objective == "cost" else gpus), late.astype(float)]
    return np.asarray(rows[np.lexsort(keys)])


def _evaluate_all(
    layouts: LayoutTable, evaluate: Evaluate, progress: Progress | None, cores: int
) -> tuple[Array, Array]:
    """Step time and memory of every layout; the parts of a batch are let go once they are summed."""
    step_s, memory = np.empty(len(layouts)), np.empty(len(layouts))
    size = max(1, min(MOST_ROWS_PER_BATCH, -(-len(layouts) // cores)))

    def run(start: int) -> int:
        rows = slice(start, start + size)
        table = evaluate(layouts.take(rows))
        step_s[rows], memory[rows] = table.step_s, table.memory_peak_bytes
        return len(table.step_s)

    done = 0
    with ThreadPoolExecutor(max_workers=cores) as pool:
        try:
            for number in pool.map(run, range(0, len(layouts), size)):
                done += number
                if progress is not None:
                    progress(done, len(layouts))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupt need not wait for what has not begun
            raise
    return step_s, memory


def distinct_rows(ranking: Ranking, limit: int) -> IntArray:
    """The best rows that differ in parallelism or micro-batch, best first.

    Of layouts that differ in recomputation, offloading or sharding alone only the best is kept.
    """
    return first_rows(ranking.layouts, ranking.order, limit)


def first_rows(layouts: LayoutTable, order: IntArray, limit: int) -> IntArray:
    """The first rows of an order that differ in parallelism or micro-batch."""
    x = layouts
    found: dict[tuple[int, ...], int] = {}
    for row in order:
        key = tuple(int(column[row]) for column in (x.tp, x.cp, x.pp, x.vpp, x.ep, x.etp, x.dp, x.micro_batch))
        found.setdefault(key, int(row))
        if len(found) == limit:
            break
    return np.array(list(found.values()), dtype=np.int64)


def pareto_rows(ranking: Ranking, limit: int = 30) -> IntArray:
    """Rows not beaten in step time, memory and number of accelerators at once; at most `limit`, fastest first.

    For each number of accelerators, the front of time against memory is a running minimum; a point of it
    stays unless a point with fewer accelerators is at least as fast and as small.
    """
    rows = ranking.order
    front = rows[:0]
    for gpus in np.unique(ranking.num_gpus[rows]):
        same = rows[ranking.num_gpus[rows] == gpus]
        same = same[np.lexsort((ranking.memory_peak_bytes[same], ranking.step_s[same]))]
        memory = ranking.memory_peak_bytes[same]
        before = np.minimum.accumulate(np.concatenate(([np.inf], memory[:-1])))
        fresh = same[memory < before * (1 - 1e-9)]
        faster = ranking.step_s[front][None, :] <= ranking.step_s[fresh][:, None]
        smaller = ranking.memory_peak_bytes[front][None, :] <= ranking.memory_peak_bytes[fresh][:, None]
        front = np.concatenate((front, fresh[~np.any(faster & smaller, axis=1)]))
    front = front[np.argsort(ranking.step_s[front], kind="stable")]
    if len(front) > limit:
        front = front[np.unique(np.linspace(0, len(front) - 1, limit).astype(np.int64))]
    return front


def loses_by(parts_s: Array, best_parts_s: Array, limit: int = 3) -> str:
    """The parts of the time that cost more than in the best, largest first: `bubble +0.31 s, ...`."""
    more = parts_s - best_parts_s
    worst = [i for i in np.argsort(-more)[:limit] if more[i] > 5e-4 * best_parts_s.sum()]
    return ", ".join(f"{TIME_PARTS[i]} +{more[i]:.3g} s" for i in worst)
