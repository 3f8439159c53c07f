"""Deployments that none beats in tokens per accelerator and tokens per user at once, over all points of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from myriad.estimate.serving.machine import Array
from myriad.search.serving import Passed
from myriad.search.serving_points import BoolArray
from myriad.search.serving_states import Deployments
from myriad.search.serving_units import IntArray, Question

DISAGGREGATED = "disaggregated"
DATA_PARALLEL = "aggregated, data-parallel attention"
MOST_POINTS = 24
"""Points of one front that are kept, evenly chosen."""


@dataclass(frozen=True)
class Front:
    """Points that none beats, the fastest for a user first; columns (V,)."""

    deployments: Deployments
    concurrency: Array
    requests_per_s: Array
    ttft_s: Array
    ttft_at_s: Array
    tpot_s: Array
    tpot_at_s: Array


def fronts(question: Question, passed: Passed) -> dict[str, Front]:
    """The front of each kind of deployment, and that of all of them under an empty name.

    Every point keeps the promised TTFT, if there is one. Aggregated replicas fill the accelerators.
    """
    kinds = dict(_kinds(question, passed))
    found = {name: _front(passed, several) for name, several in kinds.items()}
    every = _front(passed, _joined(list(kinds.values()))) if kinds else None
    return ({} if every is None else {"": every}) | found


def _kinds(question: Question, passed: Passed) -> Iterator[tuple[str, Front]]:
    units, points = passed.kinds.working, passed.points
    kept = points.held & (points.ttft_at_s <= question.ttft_s) & (points.concurrency >= 1.0)
    kept &= (units.cut.gpus <= question.num_gpus)[:, None]
    copied = units.cut.dp > 1.0
    for tp in np.unique(units.cut.tp):
        own = ~copied & (units.cut.tp == tp)
        yield from _aggregated(question, passed, f"aggregated TP{tp:.0f}", kept & own[:, None])
    yield from _aggregated(question, passed, DATA_PARALLEL, kept & copied[:, None])
    pairs, decode = passed.pairs, passed.decode
    # Where prefill bounds the rate, a smaller batch has the same.
    rows = np.flatnonzero(~pairs.bound)
    if len(rows):
        pairs = pairs.take(rows)
        gpus = passed.kinds.gpus(Deployments(pairs.decode, pairs.decode_count, pairs.prefill, pairs.prefill_count))
        best = _best(pairs.requests_per_s / gpus, decode.tpot_s[pairs.decode, pairs.step])
        pairs = pairs.take(best)
        yield (
            DISAGGREGATED,
            Front(
                Deployments(pairs.decode, pairs.decode_count, pairs.prefill, pairs.prefill_count),
                pairs.concurrency(passed.sides, decode),
                pairs.requests_per_s,
                *pairs.ttft_s(passed.sides, question.objective.percentile),
                *(times[pairs.decode, pairs.step] for times in (decode.tpot_s, decode.tpot_at_s)),
            ),
        )


def _aggregated(question: Question, passed: Passed, name: str, kept: BoolArray) -> Iterator[tuple[str, Front]]:
    unit, step = np.nonzero(kept)
    if not len(unit):
        return
    points = passed.points
    count = np.floor(question.num_gpus / passed.kinds.working.cut.gpus[unit])
    none = np.zeros(len(unit), dtype=np.int64)
    where = (unit, step)
    yield (
        name,
        Front(
            Deployments(unit, count.astype(np.int64), none - 1, none),
            points.concurrency[where] * count,
            points.requests_per_s[where] * count,
            points.ttft_s[where],
            points.ttft_at_s[where],
            points.tpot_s[where],
            points.tpot_at_s[where],
        ),
    )


def _front(passed: Passed, several: Front) -> Front:
    best = _best(several.requests_per_s / passed.kinds.gpus(several.deployments), several.tpot_s)
    if len(best) > MOST_POINTS:
        best = best[np.unique(np.linspace(0, len(best) - 1, MOST_POINTS).round().astype(np.int64))]
    return _taken(several, best)


def _best(rate: Array, tpot_s: Array) -> IntArray:
    """Rows that none beats in rate and time per token at once, the shortest time first."""
    order = np.lexsort([-rate, tpot_s])
    before = np.maximum.accumulate(np.concatenate(([-np.inf], rate[order][:-1])))
    return np.asarray(order[rate[order] > before])


def _taken(front: Front, index: IntArray) -> Front:
    columns = {name: getattr(front, name)[index] for name in Front.__dataclass_fields__ if name != "deployments"}
    return Front(front.deployments.take(index), **columns)


def _joined(several: list[Front]) -> Front:
    names = [name for name in Front.__dataclass_fields__ if name != "deployments"]
    columns = {name: np.concatenate([getattr(front, name) for front in several]) for name in names}
    return Front(Deployments.joined([front.deployments for front in several]), **columns)
