"""The best replicas in several pools at once, and how they divide the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np

from myriad import catalog
from myriad.api.training import Searched, nothing_fits
from myriad.errors import InfeasibleError
from myriad.estimate.mixed.replicas import (
    Division,
    Pace,
    StepLines,
    cross_exposed_s,
    cross_reduce_s,
    divide_batch,
    division_bound_s,
    step_lines,
    wait_of_all_s,
)
from myriad.estimate.parameters import model_parameters
from myriad.estimate.setting import Setting
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import IntArray, Layout, LayoutTable
from myriad.spec.mixed import LongLink, MixedEstimate, MixPart

COMBINATIONS = 1024
"""Combinations of the pools' layouts that are tried: the best 32 of each of two pools, fewer of more."""

OF_ONE_ROUND = 4
"""Layouts that take the batch in equal pieces, so that among those tried some go together."""

LOOKS_AT_ONCE = 2048
"""Layouts whose straight line is computed at a time."""

LEAST_LOOKS = 4 * LOOKS_AT_ONCE
"""So many at least, since the fastest may not go with any of the other pool."""


@dataclass(frozen=True)
class _Candidate:
    """A layout of one pool as a mix sees it."""

    layout: Layout
    sequences: int
    multiple: int
    least: int
    """Of micro-batches, see `Pace`."""
    fixed_s: float
    each_s: float
    compute_each_s: float
    window_s: float
    """Of the backward pass of a micro-batch that traffic inside the pool leaves free."""


def join_replicas(searches: Mapping[str, Searched], link: LongLink) -> MixedEstimate:
    """Whole replicas in every pool: the layouts and the division of the batch with the shortest step.

    Tried are the layouts of each pool that are fastest for a share of the batch in proportion to the pools' own
    rates, every combination of them with its exact best division, the most promising first. Raises
    InfeasibleError if a pool cannot hold the model, or no division of the batch suits the layouts.
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

    @cache
    def crossing(one: _Candidate, carriers: int) -> tuple[float, float]:
        exposed_s, hidden_s = cross_exposed_s(
            cross_s(carriers), np.array(one.window_s), np.array(one.layout.zero), setting.stack
        )
        return float(exposed_s), float(hidden_s)

    combined = []
    for combination in product(*candidates):
        carriers = min(one.layout.world_size for one in combination)
        traffic = tuple(crossing(one, carriers) for one in combination)
        together = _together(combination, traffic, cross_s(carriers))
        combined.append((division_bound_s(setting.work.global_batch, together.paces), together))
    best: tuple[_Together, Division] | None = None
    tried = 0
    for least_s, together in sorted(combined, key=lambda item: item[0]):
        if best is not None and least_s >= best[1].step_s:
            break
        found = divide_batch(setting.work.global_batch, together.paces)
        tried += 1
        if found is not None and (best is None or found.step_s < best[1].step_s):
            best = together, found
    if best is None:
        raise InfeasibleError(
            f"no division of the global batch of {setting.work.global_batch} over {', '.join(searches)} is a whole "
            "number of micro-batches of every replica"
        )
    bound = float((_tokens_per_step(setting) / alone_s).sum())
    return _replicas_estimate(searches, *best, bound, gradient_bytes, tried)


def _candidates(searched: Searched, share: float, cross_s: float, number: int) -> list[_Candidate]:
    """The pool's fastest layouts for a share of the batch with the traffic across, each parallelism once.

    Layouts are looked at in the order of the least that they can take: `share` of the step for the whole batch and
    what of the traffic cannot hide behind a whole micro-batch.
    """
    setting, ranking = searched.setting, searched.ranking
    batch = setting.work.global_batch
    rows = ranking.order
    layouts = ranking.layouts.take(rows)
    multiple, least = whole_rounds(setting.stack.framework, layouts)
    sequences = layouts.dp * layouts.micro_batch
    leaves_some = sequences * np.maximum(multiple, least) < batch
    exposed_s, _ = cross_exposed_s(cross_s, ranking.step_s[rows] * sequences / batch, layouts.zero, setting.stack)
    at_least_s = np.where(leaves_some, share * ranking.step_s[rows] + exposed_s, np.inf)
    order = np.argsort(at_least_s, kind="stable")[: int(leaves_some.sum())]
    looked, taken = [], np.empty(0)
    for start in range(0, len(order), LOOKS_AT_ONCE):
        part = order[start : start + LOOKS_AT_ONCE]
        if start >= LEAST_LOOKS and at_least_s[part[0]] > taken.min():
            break
        looked.append(step_lines(setting, layouts.take(part)))
        exposed_s, _ = cross_exposed_s(cross_s, looked[-1].window_s, layouts.zero[part], setting.stack)
        taken = np.concatenate((taken, looked[-1].at_s(share * batch, multiple[part]) + exposed_s))
    if not looked:
        return []
    lines = StepLines.concat(looked)
    found: dict[tuple[int, ...], _Candidate] = {}
    of_round: Counter[int] = Counter()
    for at in np.argsort(taken, kind="stable"):
        x, row = layouts, order[at]
        key = tuple(int(column[row]) for column in (x.tp, x.cp, x.pp, x.vpp, x.ep, x.etp, x.dp, x.micro_batch))
        one_round = int(sequences[row] * multiple[row])
        if key in found or of_round[one_round] == OF_ONE_ROUND:
            continue
        of_round[one_round] += 1
        found[key] = _Candidate(
            layout=x.row(int(row)),
            sequences=int(lines.sequences[at]),
            multiple=int(multiple[row]),
            least=int(least[row]),
            fixed_s=float(lines.fixed_s[at]),
            each_s=float(lines.each_s[at]),
            compute_each_s=float(lines.compute_each_s[at]),
            window_s=float(lines.window_s[at]),
        )
        if len(found) == number:
            break
    return list(found.values())


@dataclass(frozen=True)
class _Together:
    """One combination of layouts, a pool each."""

    candidates: tuple[_Candidate, ...]
    paces: tuple[Pace, ...]
    """With the traffic across and the wait for the slowest of the ranks of all pools."""
    waits_s: tuple[float, ...]
    """Of these, the wait, per micro-batch."""
    traffic_s: tuple[tuple[float, float], ...]
    """Exposed and hidden traffic across."""
    cross_s: float


def _together(
    combination: tuple[_Candidate, ...], traffic: tuple[tuple[float, float], ...], cross_s: float
) -> _Together:
    everyone = sum(one.layout.world_size for one in combination)
    paces, waits = [], []
    for one, (exposed_s, _) in zip(combination, traffic, strict=True):
        waits.append(wait_of_all_s(one.compute_each_s, one.layout.world_size, everyone))
        fixed_s, each_s = one.fixed_s + exposed_s, one.each_s + waits[-1]
        paces.append(Pace(one.sequences, fixed_s, each_s, one.multiple, one.least))
    return _Together(combination, tuple(paces), tuple(waits), traffic, cross_s)


def whole_rounds(framework: str, layouts: LayoutTable) -> tuple[IntArray, IntArray]:
    """Micro-batches come in multiples of the first and are at least the second, (C,), as `search.rules` wants it."""
    multiple = np.where((layouts.vpp > 1) & (framework != "fsdp"), layouts.pp, 1)
    return multiple, np.where(framework == "torchtitan", layouts.pp, 1)


def _replicas_estimate(
    searches: Mapping[str, Searched],
    together: _Together,
    division: Division,
    bound: float,
    gradient_bytes: float,
    tried: int,
) -> MixedEstimate:
    setting = next(iter(searches.values())).setting
    batch = setting.work.global_batch
    parts: list[MixPart] = []
    for index, (name, searched) in enumerate(searches.items()):
        one, micro_batches = together.candidates[index], division.micro_batches[index]
        exposed_s, hidden_s = together.traffic_s[index]
        sequences = one.sequences * micro_batches
        own = searched.setting
        work = own.work.model_copy(update={"global_batch": sequences})
        estimate = estimate_layout(replace(own, work=work), one.layout)
        wait_s = micro_batches * together.waits_s[index]
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
                cross_exposed_s=exposed_s,
                cross_hidden_s=hidden_s,
                idle_s=max(division.step_s - busy_s - exposed_s, 0.0),
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
        step_s=division.step_s,
        tokens_per_step=tokens,
        tokens_per_s=tokens / division.step_s,
        bound_tokens_per_s=bound,
        time_parts_s=slowest.time_parts_s | {"dp_comm": gradients_s},
        cross_bytes=2 * (num_pools - 1) / num_pools * gradient_bytes,
        cross_s=together.cross_s,
        tried=tried,
    )


def _tokens_per_step(setting: Setting) -> float:
    return float(setting.work.global_batch) * setting.work.seq_len
