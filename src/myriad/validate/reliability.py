"""Judges drawn failures, the closed form of goodput and simulated campaigns by published clusters and runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from myriad.estimate.confidence import two_sided
from myriad.estimate.poisson import count_range, mean_interval
from myriad.spec.reliability_validation import Claim, Part, PartJudgement, ReliabilityRow, ReliabilityValidation
from myriad.units import THOUSAND_DAYS_S
from myriad.validate.reliability_rows import (
    EveryStep,
    PublishedCluster,
    PublishedMttf,
    PublishedOverhead,
    PublishedReliability,
    PublishedRun,
)

CAUSES: Final[Part] = "interruptions by cause"
CLUSTERS: Final[Part] = "interruptions of clusters"
MTTF: Final[Part] = "MTTF by job size"
ETTR: Final[Part] = "ETTR"
OVERHEAD: Final[Part] = "checkpoint overhead"

MTTF_WITHIN: Final = 0.05
"""What printing two digits leaves open."""
ETTR_WITHIN: Final = 0.02
OVERHEAD_WITHIN: Final = 0.15
"""Of the overhead itself: a blocking time of 0.04 s is printed to one digit."""
LEAST_OTHERS: Final = 3
"""Clusters that a further one is predicted from."""
LAW_SIZES: Final = (8, 64, 512, 1024, 4096, 16384, 65536, 131072)
LAW_RATE: Final = 6.50
"""Failures per 1,000 node-days that the law is drawn with: RSC-1's."""
NODE: Final = 8


Maker = Callable[[], Iterator[ReliabilityRow]]
"""What makes one row or several."""


@dataclass(frozen=True)
class Goodput:
    """The effective training time that a question leads to."""

    formula: float
    simulated: float
    low: float
    """Of the 95 % interval of the simulated mean."""
    high: float
    assumed: tuple[str, ...]


@dataclass(frozen=True)
class Predictors:
    """What predicts: the formulas and simulations of other layers."""

    counts: Callable[[PublishedCluster], Mapping[str, float]]
    """Cause of the cluster's profile -> simulated mean count in its days."""
    draw: Callable[[float, int], tuple[int, float]]
    """Failures per 1,000 node-days and nodes -> events drawn, and in how many seconds."""
    goodput: Callable[[Mapping[str, Any]], Goodput]
    """Keys of a question about goodput -> what it leads to."""


def validate_published(
    published: Sequence[PublishedReliability],
    predict: Predictors,
    runs: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> ReliabilityValidation:
    """Every published figure with what follows from its source, and why others cannot be judged."""
    makers = list(_makers(published, predict))
    rows: list[ReliabilityRow] = []
    for number, make in enumerate(makers):
        rows += make()
        if progress is not None:
            progress(number + 1, len(makers))
    order = (CAUSES, CLUSTERS, MTTF, ETTR, OVERHEAD)
    rows.sort(key=lambda row: (order.index(row.part), row.holds, -abs(row.error)))
    return ReliabilityValidation(
        runs=runs,
        seed=seed,
        parts={part: _part(rows, part) for part in order if any(row.part == part for row in rows)},
        unjudged={one.id: f"{one.says}: {one.reason}" for file in published for one in file.unjudged},
        per_row=tuple(rows),
    )


def _part(rows: Sequence[ReliabilityRow], part: Part) -> PartJudgement:
    mine = [row for row in rows if row.part == part]
    hold = [row for row in mine if row.holds]
    return PartJudgement(rows=len(mine), hold=len(hold), bounds=sum(row.claim == "at-least" for row in hold))


def _makers(published: Sequence[PublishedReliability], predict: Predictors) -> Iterator[Maker]:
    clusters = [cluster for file in published for cluster in file.clusters]
    for file in published:
        source = file.source.title
        for cluster in file.clusters:
            if cluster.profile is not None:
                yield partial(_by_cause, cluster, source, predict)
            yield partial(_left_out, cluster, source, clusters)
        yield from (partial(_mttf, row, source, predict) for row in file.mttf)
        yield from (partial(_run, run, source, predict) for run in file.runs)
        yield from (partial(_overhead, row, source) for row in file.overheads)
        for step in file.every_step:
            yield partial(_every_step, step, [one for one in file.every_step if one is not step], source)
    if any(file.mttf for file in published):
        yield from (partial(_law, size, predict) for size in LAW_SIZES)


def _by_cause(cluster: PublishedCluster, source: str, predict: Predictors) -> Iterator[ReliabilityRow]:
    """One row per cause, and their total: the published count within the Poisson interval of the simulated mean."""
    means = predict.counts(cluster)
    total = sum(means[one.cause] for one in cluster.causes.values())
    seen = {name: (one.count, means[one.cause]) for name, one in cluster.causes.items()}
    seen["all of these"] = (sum(one.count for one in cluster.causes.values()), total)
    for name, (count, mean) in seen.items():
        low, high = count_range(mean)
        yield ReliabilityRow(
            id=f"{cluster.id}: {name}", part=CAUSES, what=name, source=source, unit="interruptions", claim="exact",
            published=count, formula=None, simulated=mean, low=low, high=high, error=mean / count - 1.0, allowed=None,
            holds=low <= count <= high, note=f"the profile {cluster.profile} was made from these counts",
        )  # fmt: skip


def _left_out(cluster: PublishedCluster, source: str, clusters: Sequence[PublishedCluster]) -> Iterator[ReliabilityRow]:
    """The rate by the geometric mean of the other clusters that count alike, judged by their 95 % prediction interval.

    exp(mean +- t sd sqrt(1 + 1/n)) of the logarithms of n rates, t Student's with n - 1 degrees
    """
    others = np.log(
        [one.rate for one in clusters if one is not cluster and one.counts == cluster.counts and one.claim == "exact"]
    )
    if len(others) < LEAST_OTHERS:
        return
    predicted = math.exp(float(others.mean()))
    within = two_sided(len(others) - 1) * float(others.std(ddof=1)) * math.sqrt(1.0 + 1.0 / len(others))
    low, high = predicted * math.exp(-within), predicted * math.exp(within)
    note = f"{len(others)} other clusters"
    if cluster.events is not None and cluster.days is not None:
        scale = cluster.nodes * cluster.days / 1000.0
        note += f": {predicted * scale:,.0f} interruptions for {cluster.events:,.4g} counted"
    yield ReliabilityRow(
        id=cluster.id, part=CLUSTERS, what=cluster.what, source=source, unit="per 1,000 node-days",
        claim=cluster.claim, published=cluster.rate, formula=predicted, simulated=None, low=low, high=high,
        error=predicted / cluster.rate - 1.0, allowed=None,
        holds=predicted >= cluster.rate if cluster.claim == "at-least" else low <= cluster.rate <= high,
        note=f"{note}. {cluster.note}".strip(),
    )  # fmt: skip


def _mttf(row: PublishedMttf, source: str, predict: Predictors) -> Iterator[ReliabilityRow]:
    formula = mttf_s(row.per_1000_node_days, row.accelerators)
    simulated, low, high = _drawn(row.per_1000_node_days, row.accelerators, predict)
    error = simulated / row.published - 1.0
    yield ReliabilityRow(
        id=row.id, part=MTTF, what=f"{row.accelerators:,} accelerators", source=source, unit="seconds",
        claim="projected" if row.projected else "exact", published=row.published, formula=formula,
        simulated=simulated, low=low, high=high, error=error, allowed=MTTF_WITHIN,
        holds=low * (1.0 - MTTF_WITHIN) <= row.published <= high * (1.0 + MTTF_WITHIN), note=row.note,
    )  # fmt: skip


def _law(accelerators: int, predict: Predictors) -> Iterator[ReliabilityRow]:
    """The law itself against draws: no published figure, whatever the size."""
    formula = mttf_s(LAW_RATE, accelerators)
    simulated, low, high = _drawn(LAW_RATE, accelerators, predict)
    yield ReliabilityRow(
        id=f"law-{accelerators}", part=MTTF, what=f"{accelerators:,} accelerators", source="1 / (nodes x rate)",
        unit="seconds", claim="exact", published=None, formula=formula, simulated=simulated, low=low, high=high,
        error=simulated / formula - 1.0, allowed=None, holds=low <= formula <= high,
        note="the law against what is drawn",
    )  # fmt: skip


def mttf_s(per_1000_node_days: float, accelerators: int) -> float:
    """1 / (nodes * rate), in seconds."""
    return THOUSAND_DAYS_S / (per_1000_node_days * -(-accelerators // NODE))


def _drawn(per_1000_node_days: float, accelerators: int, predict: Predictors) -> tuple[float, float, float]:
    events, seconds = predict.draw(per_1000_node_days, -(-accelerators // NODE))
    fewest, most = mean_interval(events)
    return seconds / events, seconds / most, seconds / fewest


def _run(run: PublishedRun, source: str, predict: Predictors) -> Iterator[ReliabilityRow]:
    """An effective training time from what its source states; a bound only says too little."""
    found = predict.goodput(run.given)
    error = found.simulated - run.published
    taken = [f"{name.replace('_', ' ')} {value}: {run.reasons[name]}" for name, value in run.taken.items()]
    yield ReliabilityRow(
        id=run.id, part=ETTR, what=run.what, source=source, unit="share", claim=run.claim, published=run.published,
        formula=found.formula, simulated=found.simulated, low=found.low, high=found.high, error=error,
        allowed=ETTR_WITHIN, holds=_within(run.claim, error, found.formula - run.published),
        taken=(*taken, *found.assumed), note=run.note,
    )  # fmt: skip


def _within(claim: Claim, *errors: float) -> bool:
    """Formula and simulation both; a bound is not too high."""
    if claim == "at-least":
        return all(error >= -ETTR_WITHIN for error in errors)
    return all(abs(error) <= ETTR_WITHIN for error in errors)


def _overhead(row: PublishedOverhead, source: str) -> Iterator[ReliabilityRow]:
    yield from _judged_overhead(row.id, row.what, source, row.published, row.blocking / row.interval, row.note)


def _every_step(row: EveryStep, others: Sequence[EveryStep], source: str) -> Iterator[ReliabilityRow]:
    """What is lost is b / (T + b); the step's time T is the median of those that the other rows imply."""
    step_s = float(np.median([one.blocking * one.kept / (1.0 - one.kept) for one in others]))
    predicted = row.blocking / (step_s + row.blocking)
    note = f"step of {step_s:.2f} s by the other rows. {row.note}".strip()
    yield from _judged_overhead(row.id, row.what, source, 1.0 - row.kept, predicted, note)


def _judged_overhead(
    row_id: str, what: str, source: str, published: float, predicted: float, note: str
) -> Iterator[ReliabilityRow]:
    error = predicted / published - 1.0
    yield ReliabilityRow(
        id=row_id, part=OVERHEAD, what=what, source=source, unit="share", claim="exact", published=published,
        formula=predicted, simulated=None, low=None, high=None, error=error, allowed=OVERHEAD_WITHIN,
        holds=abs(error) <= OVERHEAD_WITHIN, note=note,
    )  # fmt: skip
