"""The best replicas in several pools at once, and how they divide the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np

from myriad import catalog
from myriad.api.training import Searched, nothing_fits
from myriad.errors import InfeasibleError
from myriad.estimate.mixed.replicas import (
    Pace,
    StepLines,
    cross_exposed_s,
    cross_reduce_s,
    divide_batch,
    step_lines,
    wait_of_all_s,
)
from myriad.estimate.operations import Array
from myriad.estimate.parameters import model_parameters
from myriad.estimate.training import Setting, estimate_layout
from myriad.spec.layout import IntArray, Layout
from myriad.spec.mixed import LongLink, MixedEstimate, MixPart

COMBINATIONS = 1024
"""Combinations of the pools' layouts that are tried: the best 32 of each of two pools, fewer of more."""


@dataclass(frozen=True)
class _Candidate:
    """A layout of one pool as a mix sees it."""

    layout: Layout
    sequences: int
    fixed_s: float
    each_s: float
    compute_each_s: float
    window_s: float
    """Of the backward pass of a micro-batch that traffic inside the pool leaves free."""


def join_replicas(searches: Mapping[str, Searched], link: LongLink) -> MixedEstimate:
    """Whole replicas in every pool: the layouts and the division of the batch with the shortest step.

    Tried are the layouts of each pool that are fastest for a share of the batch in proportion to the pools' own
    rates, every combination of them with its exact best division. Raises InfeasibleError if a pool cannot hold the
    model, or no division of the batch suits the layouts.
    """
    for name, searched in searches.items():
        if not len(searched.ranking.order):
            raise InfeasibleError(f"{name} cannot hold a replica: {nothing_fits(searched)}")
    each = list(searches.values())
    setting = each[0].setting
    alone_s = np.array([float(s.ranking.step_s[s.ranking.order[0]]) for s in each])
    shares = (1.0 / alone_s) / (1.0 / alone_s).sum()
    number = int(COMBINATIONS ** (1.0 / len(each)) + 1e-9)
    gradient_bytes = setting.work.optimizer.gradient_reduce_bytes * model_parameters(setting.model).total_with_mtp
    clusters = [s.setting.cluster for s in each]

    @cache
    def cross_s(carriers: int) -> float:
        return cross_reduce_s(gradient_bytes, len(each), carriers, catalog.long_link(clusters, link, carriers))

    least_cross_s = cross_s(min(cluster.num_accelerators for cluster in clusters))
    candidates = [_candidates(s, float(share), least_cross_s, number) for s, share in zip(each, shares, strict=True)]
    best: _Replicas | None = None
    tried = 0
    for combination in product(*candidates):
        found = _divided(setting, combination, cross_s(min(one.layout.world_size for one in combination)))
        tried += 1
        if found is not None and (best is None or found.step_s < best.step_s):
            best = found
    if best is None:
        raise InfeasibleError(
            f"no division of the global batch of {setting.work.global_batch} over {', '.join(searches)} is a whole "
            "number of micro-batches of every replica"
        )
    return _replicas_estimate(searches, best, float((_tokens_per_step(setting) / alone_s).sum()), gradient_bytes, tried)


def _candidates(searched: Searched, share: float, cross_s: float, number: int) -> list[_Candidate]:
    """The pool's fastest layouts for a share of the batch with the traffic across, each parallelism once.

    A step takes at least `share` of the step for the whole batch, so that layouts of which this alone takes longer
    than the best found need no look.
    """
    setting, ranking = searched.setting, searched.ranking
    batch, order = setting.work.global_batch, ranking.order

    def looked_at(rows: IntArray) -> tuple[StepLines, Array]:
        layouts = ranking.layouts.take(rows)
        lines = step_lines(setting, layouts)
        exposed_s, _ = cross_exposed_s(cross_s, lines.window_s, layouts.zero, setting.stack)
        return lines, lines.at_s(share * batch) + exposed_s

    least_s = looked_at(order[:256])[1].min()
    rows = order[: int(np.searchsorted(ranking.step_s[order], least_s / share, side="right"))]
    lines, step_s = looked_at(rows)
    found: dict[tuple[int, ...], _Candidate] = {}
    x = ranking.layouts
    for at in np.argsort(step_s, kind="stable"):
        row = rows[at]
        key = tuple(int(column[row]) for column in (x.tp, x.cp, x.pp, x.vpp, x.ep, x.etp, x.dp, x.micro_batch))
        if key in found:
            continue
        found[key] = _Candidate(
            layout=x.row(int(row)),
            sequences=int(lines.sequences[at]),
            fixed_s=float(lines.fixed_s[at]),
            each_s=float(lines.each_s[at]),
            compute_each_s=float(lines.compute_each_s[at]),
            window_s=float(lines.window_s[at]),
        )
        if len(found) == number:
            break
    return list(found.values())


@dataclass(frozen=True)
class _Replicas:
    """One combination of layouts with its best division."""

    candidates: tuple[_Candidate, ...]
    micro_batches: tuple[int, ...]
    waits_s: tuple[float, ...]
    """For the slowest of the ranks of all pools, per micro-batch."""
    exposed_s: tuple[float, ...]
    hidden_s: tuple[float, ...]
    cross_s: float
    step_s: float


def _divided(setting: Setting, combination: Sequence[_Candidate], cross_s: float) -> _Replicas | None:
    everyone = sum(one.layout.world_size for one in combination)
    paces, waits, crossing = [], [], []
    for one in combination:
        multiple, least = whole_rounds(setting.stack.framework, one.layout)
        waits.append(wait_of_all_s(one.compute_each_s, one.layout.world_size, everyone))
        exposed_s, hidden_s = cross_exposed_s(cross_s, np.array(one.window_s), np.array(one.layout.zero), setting.stack)
        crossing.append((float(exposed_s), float(hidden_s)))
        fixed_s, each_s = one.fixed_s + crossing[-1][0], one.each_s + waits[-1]
        paces.append(Pace(one.sequences, fixed_s, each_s, multiple, least))
    division = divide_batch(setting.work.global_batch, paces)
    if division is None:
        return None
    exposed, hidden = zip(*crossing, strict=True)
    return _Replicas(
        tuple(combination), division.micro_batches, tuple(waits), exposed, hidden, cross_s, division.step_s
    )


def whole_rounds(framework: str, layout: Layout) -> tuple[int, int]:
    """Micro-batches come in multiples of the first number and are at least the second, as `search.rules` wants it."""
    if layout.vpp > 1 and framework != "fsdp":
        return layout.pp, layout.pp
    return 1, layout.pp if framework == "torchtitan" else 1


def _replicas_estimate(
    searches: Mapping[str, Searched], best: _Replicas, bound: float, gradient_bytes: float, tried: int
) -> MixedEstimate:
    setting = next(iter(searches.values())).setting
    batch = setting.work.global_batch
    parts: list[MixPart] = []
    for index, (name, searched) in enumerate(searches.items()):
        one, micro_batches = best.candidates[index], best.micro_batches[index]
        sequences = one.sequences * micro_batches
        own = searched.setting
        work = own.work.model_copy(update={"global_batch": sequences})
        estimate = estimate_layout(replace(own, work=work), one.layout)
        wait_s = micro_batches * best.waits_s[index]
        busy_s = estimate.step_s + wait_s
        overhead_s = estimate.time_parts_s["overhead"] + wait_s
        parts.append(
            MixPart(
                pool=name,
                num_gpus=one.layout.world_size,
                layout=one.layout,
                stages=one.layout.pp,
                layers=setting.model.num_layers,
                sequences=sequences,
                num_micro_batches=micro_batches,
                share=sequences / batch,
                busy_s=busy_s,
                cross_exposed_s=best.exposed_s[index],
                cross_hidden_s=best.hidden_s[index],
                idle_s=max(best.step_s - busy_s - best.exposed_s[index], 0.0),
                time_parts_s=estimate.time_parts_s | {"overhead": overhead_s},
                memory_peak_bytes=estimate.memory_peak_bytes,
                memory_capacity_bytes=estimate.memory_capacity_bytes,
            )
        )
    slowest = min(parts, key=lambda part: part.idle_s)
    gradients_s = slowest.time_parts_s["dp_comm"] + slowest.cross_exposed_s
    tokens = _tokens_per_step(setting)
    num_pools = len(parts)
    return MixedEstimate(
        join="data",
        parts=tuple(parts),
        step_s=best.step_s,
        tokens_per_step=tokens,
        tokens_per_s=tokens / best.step_s,
        bound_tokens_per_s=bound,
        time_parts_s=slowest.time_parts_s | {"dp_comm": gradients_s},
        cross_bytes=2 * (num_pools - 1) / num_pools * gradient_bytes,
        cross_s=best.cross_s,
        tried=tried,
    )


def _tokens_per_step(setting: Setting) -> float:
    return float(setting.work.global_batch) * setting.work.seq_len
