"""Pairs of replicas that prefill and others that decode: each side is known once, rates are combined by broadcasting.

A pair's rate is the lesser of what its decode side yields at a batch and of what its prefill side may take under the
promised TTFT. Of prefill sides with equal accelerators, whatever they are paired with, the one that may take most is
the best, so that the others are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.serving.machine import Array
from myriad.estimate.serving.percentile import ttft_at_s
from myriad.estimate.serving.queue import wait_s
from myriad.search.serving_points import BoolArray, Points, Prefills
from myriad.search.serving_units import IntArray, Question, Units

MOST_RATIOS = 32
"""Counts of prefill replicas that are looked at per pair."""


@dataclass(frozen=True)
class Pairs:
    """Deployments with prefill apart under a load, columns (V,)."""

    prefill: IntArray
    prefill_count: IntArray
    decode: IntArray
    decode_count: IntArray
    step: IntArray
    """Of the grid of batches of the decode side."""
    requests_per_s: Array
    """Of the whole deployment."""
    bound: BoolArray
    """Whether the prefill side bounds it, and not the batch."""

    def take(self, index: IntArray) -> Pairs:
        return Pairs(**{name: getattr(self, name)[index] for name in self.__dataclass_fields__})

    def ttft_s(self, sides: Prefills, percentile: float) -> tuple[Array, Array]:
        """Time to the first token, the mean and at a percentile, in seconds."""
        busy = self.requests_per_s / (self.prefill_count * sides.per_s[self.prefill])
        waited = wait_s(sides.alone_s[self.prefill], busy)
        mean_s = sides.least_s[self.prefill] + waited
        return mean_s, ttft_at_s(mean_s, waited, busy, percentile)

    def concurrency(self, sides: Prefills, points: Points) -> Array:
        """Requests in each deployment, of which its rate and the times of its sides follow (Little's law)."""
        busy = self.requests_per_s / (self.prefill_count * sides.per_s[self.prefill])
        each = self.requests_per_s / self.decode_count
        full_rate = points.requests_per_s[self.decode, self.step]
        # Below a decode side's own rate its batch is smaller: of the steps below, the two that the rate lies between.
        decoding = np.array(
            [
                np.interp(rate, points.requests_per_s[row, : step + 1], points.concurrency[row, : step + 1])
                for rate, row, step in zip(np.minimum(each, full_rate), self.decode, self.step, strict=True)
            ]
        )
        found: Array = self.requests_per_s * sides.ready_s(self.prefill, busy) + self.decode_count * decoding
        return found


def best_sides(question: Question, units: Units, sides: Prefills) -> IntArray:
    """Prefill sides worth pairing: per number of accelerators the one that may take most, if it keeps the promise."""
    best: dict[tuple[object, ...], int] = {}
    rate = sides.busy * sides.per_s
    for row in np.flatnonzero(sides.busy > 0.0):
        key = (float(units.cut.gpus[row]), *question.choices[units.choice[row]].meets)
        if key not in best or rate[row] > rate[best[key]]:
            best[key] = int(row)
    return np.array(list(best.values()), dtype=np.int64)


def filling_pairs(
    question: Question, prefill: Units, sides: Prefills, rows: IntArray, decode: Units, points: Points
) -> Pairs:
    """Every pair at every batch on as many of the accelerators as it can use, at every count of prefill replicas."""
    found = []
    for row, mates in _mates(question, prefill, rows, decode):
        size, other = int(prefill.cut.gpus[row]), decode.cut.gpus[mates].astype(np.int64)
        if size >= question.num_gpus:
            continue
        most = question.num_gpus // size
        counts = np.unique(np.geomspace(1, most, MOST_RATIOS).round().astype(np.int64)) if most > MOST_RATIOS else (
            np.arange(1, most + 1)
        )  # fmt: skip
        decode_counts = (question.num_gpus - counts * size)[:, None] // other[None, :]
        at_count, at_mate, step = np.nonzero((decode_counts > 0)[:, :, None] & points.held[mates][None, :, :])
        mate, count = mates[at_mate], counts[at_count]
        decode_count = decode_counts[at_count, at_mate]
        offered, taken = decode_count * points.requests_per_s[mate, step], count * sides.busy[row] * sides.per_s[row]
        found.append(
            Pairs(np.full(len(mate), row), count, mate, decode_count, step, np.minimum(offered, taken), offered > taken)
        )
    return _joined(found)


def fewest_pairs(
    question: Question,
    prefill: Units,
    sides: Prefills,
    rows: IntArray,
    decode: Units,
    points: Points,
    steps: IntArray,
) -> Pairs:
    """Every pair with the fewest replicas that answer the rate or the concurrency asked for.

    `steps` is the batch of each decode side that it may have; one step more, were it just missed, is looked at too.
    """
    found = []
    for row, mates in _mates(question, prefill, rows, decode):
        for more in (0, 1):
            step = np.minimum(steps[mates] + more, points.held.shape[1] - 1)
            usable = (steps[mates] >= 0) & points.held[mates, step]
            mate, at = mates[usable], step[usable]
            each = points.requests_per_s[mate, at]
            if question.requests_per_s is not None:
                rate = np.full(len(mate), question.requests_per_s)
            else:
                assert question.concurrency is not None
                decoding_s = points.concurrency[mate, at] / each
                rate = question.concurrency / (decoding_s + sides.alone_s[row] + sides.sent_s[row])
            count = np.ceil(rate / (sides.busy[row] * sides.per_s[row])).astype(np.int64)
            decode_count = np.ceil(rate / each).astype(np.int64)
            found.append(Pairs(np.full(len(mate), row), count, mate, decode_count, at, rate, np.zeros(len(mate), bool)))
    return _joined(found)


def _mates(question: Question, prefill: Units, rows: IntArray, decode: Units) -> list[tuple[int, IntArray]]:
    """Each prefill side with the decode sides that can read its cache."""
    kinds = [choice.meets for choice in question.choices]
    found = []
    for row in rows:
        same = [number for number, kind in enumerate(kinds) if kind == kinds[prefill.choice[row]]]
        found.append((int(row), np.flatnonzero(np.isin(decode.choice, same))))
    return found


def _joined(pairs: list[Pairs]) -> Pairs:
    none = np.zeros(0, dtype=np.int64)
    every = pairs or [Pairs(none, none, none, none, none, none.astype(float), none.astype(bool))]
    return Pairs(**{name: np.concatenate([getattr(p, name) for p in every]) for name in Pairs.__dataclass_fields__})
