"""The best pipeline whose stages lie in two pools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from myriad import catalog
from myriad.api.training import states_fit
from myriad.errors import InfeasibleError
from myriad.estimate.mixed.crossing import Crossing
from myriad.estimate.mixed.pipeline import CrossingTable, costs_of, crossing_table, room_for_layers, step_bound_s
from myriad.estimate.operations import Array
from myriad.estimate.setting import Setting
from myriad.search.divisors import Mask
from myriad.search.rank import Progress
from myriad.search.rules import Case, Rule
from myriad.search.space import default_space, enumerate_layouts
from myriad.spec.layout import IntArray, LayoutTable
from myriad.spec.mixed import LongLink, MixedEstimate, MixPart
from myriad.spec.result import TIME_PARTS

MOST_STAGES = 64
LEAST_SHARE = 0.75
"""Of all accelerators of both pools, that a pipeline uses."""
ROWS_AT_ONCE = 256


def join_pipeline(
    settings: Mapping[str, Setting], link: LongLink, memory_headroom: float, progress: Progress | None = None
) -> MixedEstimate:
    """The pipeline across two pools with the shortest step, either pool first.

    Each layout takes as many stages of either pool as it has room for. Layouts are tried in the order of their
    bound until none that is left could be faster, so that the best of the space is found. Raises InfeasibleError
    if there is none.
    """
    one, other = settings.items()
    both = tuple(s.cluster.num_accelerators for s in settings.values())
    layouts = _layouts(one[1], other[1])
    groups = [
        group
        for (first, last), sizes in (((one, other), both), ((other, one), both[::-1]))
        for group in _groups(first, last, sizes, layouts, link, memory_headroom)
    ]
    if not len(layouts):
        raise InfeasibleError("no pipeline divides over the pools")
    if not groups:
        raise InfeasibleError(f"none of {2 * len(layouts):,} pipelines across the pools fits in memory")
    best, least_s, tried = _best(groups, memory_headroom, progress)
    if best is None:
        raise InfeasibleError(f"none of {tried:,} pipelines across the pools fits in memory")
    return _estimate(*best, least_s, tried)


@dataclass(frozen=True)
class _Group:
    """Layouts with the same number of stages in each pool, and the least that their steps take."""

    pools: tuple[str, str]
    crossing: Crossing
    bound_s: Array

    def take(self, rows: IntArray) -> _Group:
        crossing = replace(self.crossing, layouts=self.crossing.layouts.take(rows))
        return _Group(self.pools, crossing, self.bound_s[rows])


def _layouts(one: Setting, other: Setting) -> LayoutTable:
    """Layouts without chunks that fill both pools, and whose states could fit."""
    sizes = one.cluster.num_accelerators, other.cluster.num_accelerators
    narrow = min((one.cluster, other.cluster), key=lambda cluster: cluster.scale_up_domain)
    whole = narrow.model_copy(update={"num_accelerators": sum(sizes)})
    case = Case(one.model, whole, one.work, one.end_layers)

    def leaves_room(_: Case, x: LayoutTable) -> Mask:
        cell = x.tp * x.cp * x.dp
        before, after = sizes[0] // cell, sizes[1] // cell
        return np.asarray((before < 1) | (after < 1) | (x.pp != before + after))

    def copies_states(_: Case, x: LayoutTable) -> Mask:
        return np.asarray((x.zero == 0) & (x.dp * x.cp > 1))

    space = replace(
        default_space(case, int(LEAST_SHARE * sum(sizes)), one.stack.fused_attention, strictly=True),
        pp=tuple(range(2, min(MOST_STAGES, one.model.num_layers) + 1)),
        vpp=(1,),
        schedule=(0,),
        offload_optimizer=(0,),
    )
    filled = Rule("stages do not fill both pools", frozenset({"tp", "cp", "pp", "dp"}), leaves_room)
    sharded = Rule("optimizer states are copied", frozenset({"zero", "dp", "cp"}), copies_states)
    fits = states_fit(one, max(s.device.memory_bytes for s in (one, other)))
    return enumerate_layouts(case, space, one.stack.framework, (filled, sharded, fits)).layouts


def _groups(
    first: tuple[str, Setting],
    last: tuple[str, Setting],
    sizes: tuple[int, ...],
    layouts: LayoutTable,
    link: LongLink,
    memory_headroom: float,
) -> Iterator[_Group]:
    """Layouts by their stages in each pool, without those that cannot fit in memory however the layers are cut."""
    clusters = [first[1].cluster, last[1].cluster]
    cell = layouts.tp * layouts.cp * layouts.dp
    before = sizes[0] // cell
    for stages in np.unique(np.stack([before, layouts.pp]), axis=1).T:
        rows = np.flatnonzero((before == stages[0]) & (layouts.pp == stages[1]))
        whole = Crossing(
            (first[1], last[1]),
            (int(stages[0]), int(stages[1] - stages[0])),
            layouts.take(rows),
            lambda carriers: catalog.long_link(clusters, link, carriers),
        )
        costs = costs_of(whole)
        could_fit = np.flatnonzero(room_for_layers(whole, costs, memory_headroom) >= first[1].model.num_layers)
        group = _Group((first[0], last[0]), whole, step_bound_s(whole, costs))
        if len(could_fit):
            yield group.take(could_fit)


def _best(
    groups: list[_Group], memory_headroom: float, progress: Progress | None
) -> tuple[tuple[_Group, int, CrossingTable] | None, float, int]:
    """The fastest row that fits, with the table of its batch and its place there; the bound; how many were tried.

    The bound is the least of all rows that fit: those that were not tried have a larger one than the best row's step.
    """
    bounds = np.concatenate([group.bound_s for group in groups])
    group_of = np.repeat(np.arange(len(groups)), [len(group.bound_s) for group in groups])
    row_of = np.concatenate([np.arange(len(group.bound_s)) for group in groups])
    order = np.argsort(bounds, kind="stable")
    best: tuple[_Group, int, CrossingTable] | None = None
    best_s, least_s, tried = np.inf, np.inf, 0
    for start in range(0, len(order), 4 * ROWS_AT_ONCE):
        batch = order[start : start + 4 * ROWS_AT_ONCE]
        batch = batch[bounds[batch] < best_s]
        if not len(batch):
            break
        for index in np.unique(group_of[batch]):
            group = groups[int(index)]
            rows = row_of[batch[group_of[batch] == index]]
            for part in np.array_split(rows, -(-len(rows) // ROWS_AT_ONCE)):
                taken = group.take(part)
                try:
                    table = crossing_table(taken.crossing, costs_of(taken.crossing), memory_headroom)
                except InfeasibleError:
                    continue  # too few layers for so many stages
                fits = table.missing_bytes <= 0
                if not fits.any():
                    continue
                least_s = min(least_s, float(taken.bound_s[fits].min()))
                at = int(np.argmin(np.where(fits, table.step_s, np.inf)))
                if table.step_s[at] < best_s:
                    best, best_s = (taken, at, table), float(table.step_s[at])
        tried += len(batch)
        if progress is not None:
            progress(min(start + len(batch), len(order)), len(order))
    return best, least_s, tried


def _estimate(group: _Group, row: int, table: CrossingTable, least_s: float, tried: int) -> MixedEstimate:
    crossing = group.crossing
    layout = crossing.layouts.row(row)
    model, work = crossing.settings[0].model, crossing.settings[0].work
    micro_batches = int(crossing.num_micro_batches[row])
    step_s = float(table.step_s[row])
    before = int(table.layers_before[row])
    exposed_s, transfer_s = float(table.link_wait_s[row]), float(table.transfer_s[row])
    cross_s = micro_batches * transfer_s + float(table.flight_s[row])
    parts = []
    for index, (pool, stages) in enumerate(zip(group.pools, crossing.stages, strict=True)):
        layers = (before, model.num_layers - before)[index]
        busy_s = micro_batches * float(table.pass_s[index, row])
        parts.append(
            MixPart(
                pool=pool,
                num_gpus=layout.tp * layout.cp * layout.dp * stages,
                layout=layout,
                stages=stages,
                layers=layers,
                sequences=work.global_batch,
                num_micro_batches=micro_batches,
                share=layers / model.num_layers,
                busy_s=busy_s,
                cross_exposed_s=exposed_s,
                cross_hidden_s=max(cross_s - exposed_s, 0.0),
                idle_s=max(step_s - busy_s - exposed_s, 0.0),
                time_parts_s={},
                memory_peak_bytes=float(table.memory_peak_bytes[index, row]),
                memory_capacity_bytes=crossing.settings[index].device.memory_bytes,
            )
        )
    tokens = float(work.global_batch) * work.seq_len
    return MixedEstimate(
        join="pipeline",
        parts=tuple(parts),
        step_s=step_s,
        tokens_per_step=tokens,
        tokens_per_s=tokens / step_s,
        bound_tokens_per_s=tokens / least_s,
        time_parts_s={p: float(v) for p, v in zip(TIME_PARTS, table.parts_s[:, row], strict=True)},
        cross_bytes=micro_batches * float(table.sent_bytes[row]) * int(table.pipelines[row]),
        cross_s=cross_s,
        extra_micro_batches=int(table.extra[row]),
        tried=tried,
    )
