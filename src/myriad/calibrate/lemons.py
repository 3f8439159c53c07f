"""Nodes that fail far more often than the others: which stand out by name, and what share of all nodes they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.calibrate.failure_law import DROP
from myriad.estimate.poisson import at_least
from myriad.spec.reliability_fit import Interval, LemonFit, LemonNode

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SIGNIFICANCE: Final = 0.05
"""Of the chance that any node at all is called a lemon where there is none."""
_ROUNDS: Final = 300


@dataclass(frozen=True)
class Lemons:
    """Nodes that fail far more often than the others."""

    fit: LemonFit
    times: FloatArray
    """By named node: how often it fails against the mean of all."""
    gain: float
    """Of the log-likelihood, over one rate for all."""


def lemons_of(events: IntArray, num_nodes: int, names: Sequence[str]) -> Lemons | None:
    """The lemons; `None` where no node stands out.

    `events` counts by named node, each burst once; other nodes had none. A node stands out where so many events on it
    have a probability of `SIGNIFICANCE` over the number of nodes, with the rate of all that do not stand out. Share
    and times are those of a mixture of two Poisson laws, by maximum likelihood.
    """
    counts = np.zeros(num_nodes, dtype=np.int64)
    counts[: len(events)] = events
    standing = _standing_out(counts)
    if not standing.any():
        return None
    values, numbers = np.unique(counts, return_counts=True)
    usual = float(counts[~standing].mean())
    most = float(counts[standing].mean())
    share, means, top = _mixture(values, numbers, None, (max(standing.mean(), 0.5 / num_nodes), usual, most))
    start = (share, *means)

    def gain(at: float) -> float:
        return _mixture(values, numbers, at, start)[2]

    low = _share_end(gain, share, top, share / 20.0)
    high = _share_end(gain, share, top, min(share * 20.0, 0.5))
    chance = [at_least(int(counts[one]), usual) * num_nodes for one in np.flatnonzero(standing)]
    found = LemonFit(
        nodes=tuple(
            LemonNode(node=names[int(one)], events=int(counts[one]), probability=min(p, 1.0))
            for one, p in sorted(zip(np.flatnonzero(standing), chance, strict=True), key=lambda pair: pair[1])
        ),
        share=Interval(value=share, low=low, high=high),
        times=means[1] / max(means[0], 1e-12),
    )
    lemon = _lemon_probability(events.astype(float), share, means)
    expected = means[0] + lemon * (means[1] - means[0])
    mean = float(counts.mean())
    alike = float(numbers @ (values * np.log(mean) - mean))
    return Lemons(found, expected / ((1.0 - share) * means[0] + share * means[1]), top - alike)


def _standing_out(counts: IntArray) -> npt.NDArray[np.bool_]:
    """Nodes with more events than chance gives any node; their own events leave the mean that others are held to."""
    standing = np.zeros(len(counts), dtype=bool)
    while not standing.all():
        mean = float(counts[~standing].mean())
        limit = SIGNIFICANCE / len(counts)
        values = np.unique(counts)
        lemons = [value for value in values if value > mean and at_least(int(value), mean) < limit]
        now = np.isin(counts, lemons)
        if (now == standing).all():
            break
        standing = now | standing
    return standing


def _lemon_probability(counts: FloatArray, share: float, means: tuple[float, float]) -> FloatArray:
    log_odds = np.log(share / (1.0 - share)) + counts * np.log(means[1] / means[0]) - (means[1] - means[0])
    result: FloatArray = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -700.0, 700.0)))
    return result


def _mixture(
    values: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    share: float | None,
    start: tuple[float, float, float],
) -> tuple[float, tuple[float, float], float]:
    """Share, means of both kinds and log-likelihood, by expectation and maximisation; a given share stays."""
    counts, held = values.astype(float), share
    now, usual, lemon = start
    if held is not None:
        now = held
    floor = 1e-9
    for _ in range(_ROUNDS):
        is_lemon = _lemon_probability(counts, now, (usual, lemon))
        of_lemons = numbers * is_lemon
        of_others = numbers * (1.0 - is_lemon)
        before, share_before = usual, now
        usual = max(float(of_others @ counts / max(of_others.sum(), floor)), floor)
        lemon = max(float(of_lemons @ counts / max(of_lemons.sum(), floor)), usual * (1.0 + floor))
        now = min(max(float(of_lemons.sum() / numbers.sum()), floor), 0.5) if held is None else held
        if abs(now - share_before) <= 1e-8 * now and abs(usual - before) <= 1e-8 * usual:
            break
    each = np.logaddexp(np.log1p(-now) + counts * np.log(usual) - usual, np.log(now) + counts * np.log(lemon) - lemon)
    return now, (usual, lemon), float(numbers @ each)


def _share_end(gain: Callable[[float], float], share: float, top: float, outside: float) -> float:
    """The last share on the way outside whose likelihood is within the 95 % interval."""
    if gain(outside) >= top - DROP:
        return outside
    inside = share
    for _ in range(16):
        middle = float(np.sqrt(inside * outside))
        inside, outside = (middle, outside) if gain(middle) >= top - DROP else (inside, middle)
    return inside
