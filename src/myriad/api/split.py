"""The best split of layers over pipeline stages, for one layout and for the best of a search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from myriad.api.step_timeline import timeline_step_s
from myriad.api.training import Searched, check_divides, setting_of
from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.operations import Array
from myriad.estimate.pipeline import DUALPIPE, ZB_V
from myriad.estimate.placement import chunk_layers
from myriad.estimate.setting import Setting
from myriad.estimate.stage_costs import StageCosts
from myriad.estimate.table import estimate_table
from myriad.estimate.training import estimate_layout
from myriad.search.interleaved import interleaved_splits
from myriad.search.rank import Objective, Placed, first_rows, ordered
from myriad.search.split import Mask, Pipeline, plain_splits
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import IntArray, Layout, LayoutTable
from myriad.spec.model import Model
from myriad.spec.result import TIME_PARTS, BestSplit
from myriad.spec.system import MEMORY_HEADROOM

REFINED = 20
"""Fitting layouts of a search, distinct in parallelism and best first, whose layers are placed anew."""
MISSES = 10
"""As many of those that would be among them, but do not fit."""
MISS_FRACTION = 0.1
"""Share of the memory that such a miss lacks at most."""
WORTH_FRACTION = 1e-3
"""Share of a step that a split must save to be preferred to the software's own rule."""
NODES = 20_000
"""Chunks that the exhaustive search tries for one layout; in a search of layouts, none."""


def best_split(model: str | Model, cluster: str | Cluster, layout: Layout, work: TrainingWork) -> BestSplit:
    """The layout with the split of layers over stages that makes its step shortest among those that fit in memory.

    Without one if the software's own rule is as good, by the closed forms or by the timeline. `MEMORY_HEADROOM` is left
    free if any split can. For one chunk a stage the least slowest stage is exact, for several the search says how far
    from the best it may be. Raises SpecError if the software takes no splits or the layout cannot have one,
    InfeasibleError if none fits.
    """
    setting, whole = setting_of(model, cluster, work), layout.without_split()
    check_divides(setting, whole)
    if setting.stack.splits == "none":
        raise SpecError(f"{setting.stack.name} places layers by its own rule")
    table = LayoutTable.from_layouts([whole])
    if not _may_split(table)[0]:
        raise SpecError(f"no split to choose for layout {whole.text()}: one stage, or the dualpipe or zb-v schedule")
    own = estimate_table(setting, table)
    for headroom in (MEMORY_HEADROOM, 0.0):
        capacity = setting.device.memory_bytes * (1.0 - headroom)
        (found,) = _found(setting, table, own.step_s, own.memory_peak_bytes, capacity, NODES)
        if found.step_s is not None:
            return BestSplit(
                layout=whole.model_copy(update={"split": found.split}),
                step_s=found.step_s,
                own_step_s=found.own_step_s,
                gap_fraction=found.gap_fraction,
            )
    raise InfeasibleError(f"layout {whole.text()}: no split of its layers was found that fits in memory")


@dataclass(frozen=True)
class _Found:
    """The best way to place the layers of one layout; empty split for the software's own rule, no time if none fits."""

    split: tuple[int, ...]
    step_s: float | None
    memory_bytes: float
    own_step_s: float | None
    gap_fraction: float


def refined(searched: Searched, objective: Objective, step_limit_s: float | None = None) -> Searched:
    """The search with its best layouts split as is best for them, ranked anew.

    Covered are the best `REFINED` layouts that differ in parallelism or micro-batch, each with the recomputation,
    offloading and sharding that was best for it, and the best `MISSES` of those that lack at most `MISS_FRACTION` of
    the memory and would be among them if they fitted; if nothing fits, those that lack the least. Only layouts with one
    chunk per stage: unequal chunks of one stage wait for one another, which mostly costs what they save (`best_split`
    tries them). Each split is confirmed by its timeline. All others keep the software's own rule.
    """
    start = time.perf_counter()
    setting, ranking = searched.setting, searched.ranking
    if setting.stack.splits == "none" or not len(ranking.layouts):
        return searched
    may = _may_split(ranking.layouts) & (ranking.layouts.vpp == 1)
    best = first_rows(ranking.layouts, ranking.order, REFINED)
    near = np.flatnonzero(
        may & (ranking.missing_bytes > 0) & (ranking.missing_bytes <= MISS_FRACTION * setting.device.memory_bytes)
    )

    def in_order(rows: IntArray) -> IntArray:
        return ordered(rows, ranking.step_s, ranking.memory_peak_bytes, ranking.num_gpus, objective, step_limit_s)

    if last := best[-1:].tolist():
        with_last = in_order(np.concatenate((near, best[-1:])))
        ahead = with_last[: int(np.flatnonzero(with_last == last[0])[0])]
    else:
        ahead = near[np.argsort(ranking.missing_bytes[near], kind="stable")]
    rows = np.concatenate((best[may[best]], first_rows(ranking.layouts, ahead, MISSES)))
    if not len(rows):
        return searched
    step_s, memory = ranking.step_s.copy(), ranking.memory_peak_bytes.copy()
    missing, placed = ranking.missing_bytes.copy(), {}
    capacity = searched.capacity_bytes
    layouts = ranking.layouts.take(rows)
    splits = _found(setting, layouts, step_s[rows], memory[rows], capacity)
    for row, found in zip(rows.tolist(), splits, strict=True):
        if found.split and found.step_s is not None:
            step_s[row], memory[row], missing[row] = found.step_s, found.memory_bytes, found.memory_bytes - capacity
            placed[row] = Placed(found.split, found.own_step_s, found.gap_fraction)
    order = ordered(np.flatnonzero(missing <= 0), step_s, memory, ranking.num_gpus, objective, step_limit_s)
    anew = replace(ranking, step_s=step_s, memory_peak_bytes=memory, missing_bytes=missing, order=order, placed=placed)
    seconds = searched.seconds + time.perf_counter() - start
    return replace(searched, ranking=anew, seconds=seconds, layouts_split=len(rows))


def _may_split(layouts: LayoutTable) -> Mask:
    """Not with schedules that put chunks of both ends on one stage: the search deals chunks out round and round."""
    return np.asarray((layouts.pp > 1) & (layouts.schedule != DUALPIPE) & (layouts.schedule != ZB_V))


def _found(
    setting: Setting,
    layouts: LayoutTable,
    own_step_s: Array,
    own_bytes: Array,
    capacity_bytes: float,
    nodes: int = 0,
) -> list[_Found]:
    """The best split of each layout, judged by the full estimate among the few that the search of splits proposes.

    `own_step_s` and `own_bytes` are by the software's own rule.
    """
    plain = np.flatnonzero(layouts.vpp == 1)
    by_parameters_s = np.zeros(len(layouts))
    if len(plain):
        by_parameters_s[plain] = estimate_table(setting, layouts.take(plain)).parts_s[_BY_PARAMETERS].sum(axis=0)
    apart = setting.stack.splits == "depths" and setting.model.mtp_depths > 0
    costs = setting.costs_of(layouts, apart)
    proposed: list[tuple[int, tuple[int, ...], float]] = []
    own_gaps = []
    for row in range(len(layouts)):
        index = np.array([row])
        stages = StageCosts(setting, layouts.take(index), costs.take(index), apart)
        # Where the software's own rule does not fit, any split is worth it.
        worth_s = WORTH_FRACTION * own_step_s[row] if own_bytes[row] <= capacity_bytes else 0.0
        splits, own_gap = _proposed(stages, worth_s, float(by_parameters_s[row]), capacity_bytes, nodes)
        proposed += [(row, split, gap) for split, gap in splits]
        own_gaps.append(own_gap)
    if proposed:
        rows = np.array([row for row, _, _ in proposed])
        judged = estimate_table(setting, layouts.take(rows), [split for _, split, _ in proposed])
    found = []
    for row in range(len(layouts)):
        own_s = float(own_step_s[row]) if own_bytes[row] <= capacity_bytes else None
        limit_s = own_s * (1.0 - WORTH_FRACTION) if own_s is not None else np.inf
        better = [
            _Found(split, float(judged.step_s[number]), float(judged.memory_peak_bytes[number]), own_s, gap)
            for number, (of_row, split, gap) in enumerate(proposed)
            if of_row == row and judged.memory_peak_bytes[number] <= capacity_bytes and judged.step_s[number] < limit_s
        ]
        better.sort(key=lambda one: one.step_s or 0.0)
        own = _Found((), own_s, float(own_bytes[row]), own_s, own_gaps[row])
        layout = layouts.row(row) if better else None
        found.append(next((one for one in better if layout and _confirmed(setting, layout, one)), own))
    return found


def _confirmed(setting: Setting, own: Layout, found: _Found) -> bool:
    """Whether the timeline too has the split faster than the software's own rule.

    The closed forms of bubbles add up the chunks of a stage and do not see that unequal ones wait for one another.
    True where the own rule does not fit, or where either has too many operations to be timed.
    """
    if found.own_step_s is None:
        return True
    split_s, own_s = (
        timeline_step_s(setting, estimate_layout(setting, layout))
        for layout in (own.model_copy(update={"split": found.split}), own)
    )
    return split_s is None or own_s is None or split_s < own_s * (1.0 - WORTH_FRACTION)


def _proposed(
    stages: StageCosts, worth_s: float, by_parameters_s: float, capacity_bytes: float, nodes: int
) -> tuple[list[tuple[tuple[int, ...], float]], float]:
    """Splits of one layout that may save as much as they must to be worth it, with their gaps; and the own rule's gap.

    `by_parameters_s` is the part of the step that grows with the parameters of one stage, where that is looked at.
    """
    setting = stages.setting
    pipeline = _pipeline(stages, capacity_bytes)
    sizes = chunk_layers(setting.model, pipeline.pp * pipeline.vpp, setting.end_layers, setting.stack.counts_layers)
    start = (*sizes[:-1], sizes[-1] + stages.apart)
    slowest = int(pipeline.load.on_stages(np.cumsum([[0, *start]], axis=1), pipeline.pp).max())
    bound = pipeline.slowest_bound
    pace = stages.num_micro_batches - 1 / pipeline.vpp  # what a second of the slowest stage costs
    most_s = pace * (slowest - bound) * pipeline.load.unit + by_parameters_s
    if most_s < worth_s:
        return [], slowest / bound - 1.0
    if pipeline.vpp == 1:
        # A slower stage pays only as long as it costs less than all that fewer parameters could save.
        found = plain_splits(pipeline, by_parameters_s / max(pace, 1e-9))
    else:
        found = interleaved_splits(pipeline, nodes)
    depths = setting.model.mtp_depths if stages.apart else 0
    bound_s = found[0].bound_s if found else bound * pipeline.load.unit
    # Under the memory and the equal chunks that splits must respect, the own rule may be faster than they can be.
    own_gap = max(slowest * pipeline.load.unit / bound_s - 1.0, 0.0)
    return [(_with_depths(split.sizes, depths), split.gap_fraction) for split in found], own_gap


_BY_PARAMETERS = [TIME_PARTS.index("dp_comm"), TIME_PARTS.index("optimizer")]


def _pipeline(stages: StageCosts, capacity_bytes: float) -> Pipeline:
    """The row of layers of one layout; prediction depths that may lie apart are one more, which must not be parted."""
    numbers = {kind: number for number, kind in reversed(list(enumerate(stages.costs.kinds)))}
    kinds = [numbers[kind] for kind in stages.setting.model.layer_kinds()]
    kinds += [len(stages.costs.kinds) - 1] if stages.apart else []
    seconds, parameters = stages.seconds(), stages.parameters()
    return Pipeline(
        kinds=np.array(kinds, dtype=np.int64),
        kind_s=seconds[0],
        ends_s=seconds[1],
        kind_parameters=parameters[0],
        ends_parameters=parameters[1],
        pp=int(stages.layout.pp[0]),
        vpp=int(stages.layout.vpp[0]),
        missing_bytes=lambda layers: stages.memory_bytes(layers) - capacity_bytes,
    )


def _with_depths(sizes: Sequence[int], depths: int) -> tuple[int, ...]:
    """The sizes as a layout has them: the last of the row stands for all depths, counted only apart from the head."""
    if not depths:
        return tuple(sizes)
    found = list(sizes)
    chunk = max(c for c, size in enumerate(sizes) if size)
    found[chunk] += depths - 1 if chunk < len(sizes) - 1 else -1
    return tuple(found)
