"""Searches all deployments of one model on one cluster for the best that keeps the promised latency.

A first pass computes operating points of every kind of replica over a coarse grid of batches and combines the sides of
disaggregated ones. What may still be the best between two points of the grid is then computed at the loads between,
as steady states of the whole deployment: these are the figures reported. Rates rise with the load until a promise
breaks, so that nothing better lies outside.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from myriad.estimate.serving.machine import Array
from myriad.search.serving_pairs import Pairs, best_sides, fewest_pairs, filling_pairs
from myriad.search.serving_points import (
    BoolArray,
    Points,
    Prefills,
    aggregated_points,
    decode_points,
    prefill_sides,
)
from myriad.search.serving_states import Deployments, Kinds, States, states
from myriad.search.serving_units import IntArray, Question, units_of

LOADS = 24
"""Loads of a deployment that are computed between two points of the grid."""
MOST_CANDIDATES = 160
"""Deployments that are computed so."""


@dataclass(frozen=True)
class Passed:
    """The first pass: everything on the grid."""

    kinds: Kinds
    points: Points
    """Of aggregated replicas."""
    sides: Prefills
    decode: Points
    pairs: Pairs
    """Every pair on as many accelerators as it can use."""
    rejected: dict[str, int]

    @property
    def evaluated(self) -> int:
        """Deployments under a load whose rate and latency were computed."""
        return int(self.points.looked.sum()) + len(self.pairs.step)

    def fitting(self, question: Question) -> int:
        """Of these, the ones that keep every promise."""
        points, decode = self.points, self.decode
        kept = points.held & (points.ttft_at_s <= question.ttft_s) & (points.tpot_at_s <= question.tpot_s)
        fast = decode.tpot_at_s[self.pairs.decode, self.pairs.step] <= question.tpot_s
        return int(kept.sum()) + int(fast.sum())


@dataclass(frozen=True)
class Ranked:
    """Deployments that keep the promises under a load each, best first; columns (V,)."""

    deployments: Deployments
    concurrency: Array
    states: States
    order: IntArray


@dataclass(frozen=True)
class _Candidates:
    """Deployments that may be the best, columns (V,)."""

    deployments: Deployments
    low: Array
    """Fewest requests at once that are worth a look."""
    high: Array
    value: Array
    """What the answer is ranked by, as a point of the grid has it; more is better."""
    hope: Array
    """The same at the next point, which breaks a promise."""


def first_pass(question: Question, cores: int) -> Passed:
    """All points of the grid, and all pairs of sides."""
    kinds = Kinds(units_of(question, question.batched_tokens), units_of(question, (0,)))
    points, fits = aggregated_points(question, kinds.working, cores)
    sides = prefill_sides(question, kinds.working, cores)
    decode, decode_fits = decode_points(question, kinds.decoding, cores)
    rows = best_sides(question, kinds.working, sides)
    pairs = filling_pairs(question, kinds.working, sides, rows, kinds.decoding, decode)
    counted = Counter(
        {
            "weights and the cache of one request do not fit in memory": int((~fits).sum() + (~decode_fits).sum()),
            "replicas that prefill: a prompt alone takes longer than the promised TTFT": int(
                (sides.fits & (sides.busy == 0.0)).sum()
            ),
            "requests have no room in memory, or iterations none for their prefill": int(
                (points.looked & ~points.held).sum()
            ),
            "TTFT is longer than promised": int((points.held & (points.ttft_at_s > question.ttft_s)).sum()),
            "TPOT is longer than promised": int(
                (points.held & (points.ttft_at_s <= question.ttft_s) & (points.tpot_at_s > question.tpot_s)).sum()
            )
            + int((decode.tpot_at_s[pairs.decode, pairs.step] > question.tpot_s).sum()),
        }
    )
    return Passed(kinds, points, sides, decode, pairs, {reason: n for reason, n in counted.items() if n})


def rank_deployments(question: Question, passed: Passed, top: int) -> Ranked:
    """The deployments that keep the promises, best first; none where nothing does.

    Without a rate or concurrency, the highest rate of all accelerators together; for a rate, the fewest accelerators,
    then the shortest requests; for a concurrency, the highest rate per accelerator.
    """
    beside, apart = question.prefill != "apart", question.prefill != "beside"
    candidates = _joined(
        [*([_aggregated(question, passed)] if beside else []), *([_disaggregated(question, passed)] if apart else [])]
    )
    kept = _hopeful(question, passed.kinds, candidates, top)
    low, high = candidates.low[kept], candidates.high[kept]
    of, load = _loads(question, candidates.deployments.take(kept), low, high)
    found = states(question, passed.kinds, candidates.deployments.take(kept[of]), load)
    good = found.kept(question)
    if question.requests_per_s is not None:
        good &= found.requests_per_s >= question.requests_per_s * (1.0 - 1e-9)
    deployments = candidates.deployments.take(kept[of])
    gpus = passed.kinds.gpus(deployments)
    good &= gpus <= question.num_gpus
    keys = _keys(question, found, gpus, load)
    rows = np.flatnonzero(good)
    order = rows[np.lexsort([key[rows] for key in keys])]
    return Ranked(deployments, load, found, _distinct(question, passed.kinds, deployments, order, top))


def _keys(question: Question, found: States, gpus: Array, load: Array) -> list[Array]:
    """What is sorted by, the most important last."""
    if question.requests_per_s is not None:
        request_s = found.ttft_s + (question.requests.output_tokens - 1.0) * found.tpot_s
        return [request_s, gpus]
    if question.concurrency is not None:
        return [gpus, -found.requests_per_s / gpus]
    return [load, gpus, -found.requests_per_s]


def _loads(question: Question, of: Deployments, low: Array, high: Array) -> tuple[IntArray, Array]:
    """Requests at once that are looked at, as (row of the deployment, requests); whole numbers per replica."""
    if question.concurrency is not None:
        return np.arange(len(of)), np.full(len(of), question.concurrency)
    whole = np.where(of.prefill >= 0, 1, of.count).astype(float)
    steps = np.linspace(0.0, 1.0, LOADS)
    low, high = np.floor(low / whole), np.ceil(high / whole)
    loads = np.maximum(np.round(low[:, None] + (high - low)[:, None] * steps), 1.0) * whole[:, None]
    fresh = np.concatenate((np.ones((len(of), 1), bool), np.diff(loads, axis=1) > 0.0), axis=1)
    row, _ = np.nonzero(fresh)
    return row, loads[fresh]


def _aggregated(question: Question, passed: Passed) -> _Candidates:
    points, units = passed.points, passed.kinds.working
    kept = points.held & (points.ttft_at_s <= question.ttft_s) & (points.tpot_at_s <= question.tpot_s)
    step = np.argmax(np.where(kept, points.requests_per_s, -1.0), axis=1)
    rows = np.flatnonzero(kept[np.arange(len(units)), step] & (units.cut.gpus <= question.num_gpus))
    return _replicated(question, passed, rows, step[rows])


def _replicated(question: Question, passed: Passed, rows: IntArray, step: IntArray) -> _Candidates:
    """Aggregated replicas in the numbers that the question asks for."""
    points, units = passed.points, passed.kinds.working
    after = np.minimum(step + 1, points.looked.shape[1] - 1)
    after = np.where(points.looked[rows, after], after, step)
    rate, hoped = points.requests_per_s[rows, step], points.requests_per_s[rows, after]
    hoped = np.maximum(rate, hoped)
    low, high = points.concurrency[rows, step], points.concurrency[rows, after]
    gpus = units.cut.gpus[rows]
    most = np.floor(question.num_gpus / gpus)
    # Rates of the grid are those of the steady state within a percent.
    low, high = 0.97 * low, 1.03 * np.maximum(high, low)
    if question.requests_per_s is not None:
        counts = [np.ceil(question.requests_per_s / rate), np.ceil(question.requests_per_s / hoped)]
    elif question.concurrency is not None:
        counts = [np.ceil(question.concurrency / low), np.ceil(question.concurrency / high)]
    else:
        counts = [most]
    found = []
    for count in counts:
        if question.requests_per_s is not None:
            share = question.requests_per_s / count / rate
            span, value, hope = (0.75 * low * np.minimum(share, 1.0), high), -gpus * count, -gpus * count
        elif question.concurrency is not None:
            share = np.minimum(question.concurrency / count / low, 1.0)
            span, value, hope = (low, high), rate / gpus * share, hoped / gpus
        else:
            span, value, hope = (low, high), most * rate, most * hoped
        fits = count <= most
        number = count.astype(np.int64)
        none = np.zeros(len(rows), dtype=np.int64)
        every = Deployments(rows, number, none - 1, none)
        index = np.flatnonzero(fits)
        found.append(
            _Candidates(
                every.take(index), (span[0] * count)[index], (span[1] * count)[index], value[index], hope[index]
            )
        )
    return _joined(found)


def _disaggregated(question: Question, passed: Passed) -> _Candidates:
    kinds, sides, points = passed.kinds, passed.sides, passed.decode
    kept = points.held & (points.tpot_at_s <= question.tpot_s)
    if question.requests_per_s is None and question.concurrency is None:
        pairs = passed.pairs
        pairs = pairs.take(np.flatnonzero(kept[pairs.decode, pairs.step]))
        pairs = pairs.take(_best_of_each(pairs))
        after = np.minimum(pairs.step + 1, points.held.shape[1] - 1)
        more = pairs.decode_count * points.requests_per_s[pairs.decode, after]
        taken = pairs.prefill_count * sides.busy[pairs.prefill] * sides.per_s[pairs.prefill]
        value = pairs.requests_per_s
        hope = np.maximum(np.minimum(more, taken), value)
    else:
        last = np.where(kept.any(axis=1), kept.shape[1] - 1 - np.argmax(kept[:, ::-1], axis=1), -1)
        rows = best_sides(question, kinds.working, sides)
        pairs = fewest_pairs(question, kinds.working, sides, rows, kinds.decoding, points, last)
        gpus = _gpus(passed, pairs)
        pairs = pairs.take(np.flatnonzero(gpus <= question.num_gpus))
        gpus = _gpus(passed, pairs)
        value = -gpus if question.requests_per_s is not None else pairs.requests_per_s / gpus
        hope = value
    # Only what may be among the best is asked for its concurrency.
    chosen = np.argsort(-hope, kind="stable")[: 2 * MOST_CANDIDATES]
    pairs, value, hope = pairs.take(chosen), value[chosen], hope[chosen]
    deployments = Deployments(pairs.decode, pairs.decode_count, pairs.prefill, pairs.prefill_count)
    middle = pairs.concurrency(sides, points)
    if question.requests_per_s is not None:
        return _Candidates(deployments, 0.85 * middle, 1.2 * middle, value, hope)
    return _Candidates(deployments, 0.9 * middle, 1.35 * middle, value, hope)


def _gpus(passed: Passed, pairs: Pairs) -> Array:
    return passed.kinds.gpus(Deployments(pairs.decode, pairs.decode_count, pairs.prefill, pairs.prefill_count))


def _best_of_each(pairs: Pairs) -> IntArray:
    """Of each pair of sides, the counts and the batch with the highest rate; of equal rates, the smaller batch."""
    order = np.lexsort([pairs.step, -pairs.requests_per_s])
    key = pairs.prefill[order].astype(np.int64) * (1 + pairs.decode.max(initial=0)) + pairs.decode[order]
    _, first = np.unique(key, return_index=True)
    return np.asarray(order[np.sort(first)])


def _joined(several: list[_Candidates]) -> _Candidates:
    return _Candidates(
        Deployments.joined([c.deployments for c in several]),
        *(np.concatenate([getattr(c, name) for c in several]) for name in ("low", "high", "value", "hope")),
    )


def _hopeful(question: Question, kinds: Kinds, candidates: _Candidates, top: int) -> IntArray:
    """Candidates that may be among the `top` layouts, and the best of their own layouts."""
    if not len(candidates.value):
        return np.zeros(0, dtype=np.int64)
    keys = _layout_keys(question, kinds, candidates.deployments)
    _, of_key = np.unique(keys, axis=0, return_inverse=True)
    of_key = of_key.ravel()
    best = np.full(of_key.max() + 1, -np.inf)
    np.maximum.at(best, of_key, candidates.value)
    bar = np.sort(best)[::-1][min(top, len(best)) - 1]
    hopeful = np.flatnonzero((candidates.hope >= bar) & (candidates.hope >= best[of_key]))
    return hopeful[np.argsort(-candidates.hope[hopeful], kind="stable")[:MOST_CANDIDATES]]


def _layout_keys(question: Question, kinds: Kinds, of: Deployments) -> IntArray:
    """What tells deployments apart for a reader: layouts of both sides and the precision; not limits or counts."""
    precisions = sorted({choice.work.precision for choice in question.choices})
    of_choice = np.array([precisions.index(choice.work.precision) for choice in question.choices])
    apart = of.prefill >= 0

    def side(units: object, row: IntArray, there: BoolArray) -> list[Array]:
        cut = units.cut.take(np.where(there, row, 0))  # type: ignore[attr-defined]
        return [np.where(there, column, 0.0) for column in (cut.tp, cut.pp, cut.dp, cut.ep)]

    choice = np.where(
        apart,
        kinds.decoding.choice[np.where(apart, of.unit, 0)],
        kinds.working.choice[np.where(apart, 0, of.unit)],
    )
    columns = [
        *side(kinds.working, of.unit, ~apart),
        *side(kinds.decoding, of.unit, apart),
        *side(kinds.working, of.prefill, apart),
        of_choice[choice],
    ]
    return np.stack(columns, axis=1).astype(np.int64)


def _distinct(question: Question, kinds: Kinds, of: Deployments, order: IntArray, top: int) -> IntArray:
    """The first rows of an order that differ in layouts or precision."""
    keys = _layout_keys(question, kinds, of.take(order))
    found: dict[tuple[int, ...], int] = {}
    for row, key in zip(order, keys, strict=True):
        found.setdefault(tuple(key.tolist()), int(row))
        if len(found) == top:
            break
    return np.array(list(found.values()), dtype=np.int64)
