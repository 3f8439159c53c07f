"""Figures of one run, and what several runs say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from myriad.estimate.confidence import half_width
from myriad.sim.jobs.described import OUTCOMES, STATES, FloatArray, JobRuns, Machines, Submissions
from myriad.spec.jobs import Policy
from myriad.spec.jobs_result import WAITS_S, Figure, Over, PolicyResult, SizeLine, Waiting
from myriad.units import DAY_S

SIZE_EDGES: Final = (0.0, 1.0, 8.0, 64.0, 512.0, math.inf)
"""Accelerators: a job is larger than one edge and at most the next."""
SHARES: Final = (*OUTCOMES, "running", "lost", "overhead", "idle", "out_of_service")
CHART_PARTS: Final = 240
_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_RUNNING, _WAITING, _REFUSED = (STATES.index(name) for name in ("running", "waiting", "refused"))

Figures = dict[str, float]


def figures_of(
    jobs: Submissions, runs: JobRuns, machines: Machines, from_s: float, until_s: float, parts: int = 1
) -> list[Figures]:
    """Figures by name of each of so many equal parts of the time between.

    Waiting and ETTR are of the jobs submitted in it; what the cluster did is of the time itself. Shares of
    accelerator-time are those of jobs submitted in it, so they are there for the whole alone.
    """
    edges = np.linspace(from_s, until_s, parts + 1)
    pairs = pairwise(edges.tolist())
    return [_figures(jobs, runs, machines, low, high, parts == 1) for low, high in pairs]


def _figures(
    jobs: Submissions, runs: JobRuns, machines: Machines, from_s: float, until_s: float, whole: bool
) -> Figures:
    horizon_s = float(runs.series.edges_s[-1])
    total = machines.num_nodes * machines.accelerators_per_node
    inside = (jobs.submitted_s >= from_s) & (jobs.submitted_s < until_s)
    ours = inside & (runs.state != _REFUSED)
    started = np.isfinite(runs.started_s)
    waited = np.where(started, runs.started_s, horizon_s) - jobs.submitted_s
    wall = np.where(np.isfinite(runs.ended_s), runs.ended_s, horizon_s) - runs.started_s
    days = (until_s - from_s) / DAY_S
    found: Figures = {
        "utilisation": _mean(runs.series.busy, runs, from_s, until_s) / total,
        "in_service": _mean(runs.series.in_service, runs, from_s, until_s) / total,
        "waiting_jobs": _mean(runs.series.waiting, runs, from_s, until_s),
        "fragmented": _mean(runs.series.fragmented, runs, from_s, until_s) / total,
        "idle_while_waiting": _mean(runs.series.idle_while_waiting, runs, from_s, until_s) / total,
        "interruptions_per_day": float(runs.interruptions[ours].sum()) / days,
        "preemptions_per_day": float(runs.preemptions[ours].sum()) / days,
        "refused": float((inside & ~ours).sum()),
        "ettr": _ratio(runs.productive_s * runs.taken, wall * runs.taken, ours & started),
        **_waiting("waiting", waited[ours]),
    }
    if whole:
        found |= _shares(runs, from_s, until_s, found)
    least = _least_leaves(runs, machines)
    for low, high in pairwise(SIZE_EDGES):
        mine = ours & (jobs.accelerators > low) & (jobs.accelerators <= high)
        count = int(mine.sum())
        name = f"size.{low:g}"
        found[f"{name}.jobs"] = float(count)
        found |= _waiting(f"{name}.waiting", waited[mine])
        found[f"{name}.ettr"] = _ratio(runs.productive_s, wall, mine & started)
        found[f"{name}.interruptions"] = float(runs.interruptions[mine].mean()) if count else math.nan
        found[f"{name}.preemptions"] = float(runs.preemptions[mine].mean()) if count else math.nan
        ran = mine & started
        found[f"{name}.leaves"] = float((runs.leaves[ran] / least[ran]).mean()) if ran.any() else math.nan
    return found


def _waiting(name: str, waited: FloatArray) -> Figures:
    names = [*(f"{name}.{key}" for key in ("mean", *_QUANTILES)), *_within(name)]
    if not len(waited):
        return dict.fromkeys(names, math.nan)
    quantiles = np.quantile(waited, list(_QUANTILES.values()))
    within = np.searchsorted(np.sort(waited), WAITS_S, side="right") / len(waited)
    return dict(zip(names, [float(waited.mean()), *quantiles.tolist(), *within.tolist()], strict=True))


def _within(name: str) -> list[str]:
    """Names of the shares of jobs that waited at most so long."""
    return [f"{name}.within.{wait_s:g}" for wait_s in WAITS_S]


def _shares(runs: JobRuns, from_s: float, until_s: float, found: Figures) -> Figures:
    """By what it was spent on. Jobs are split among these by their whole lives, then scaled to what was held here.

    What a job held before the time or after it cannot be told apart from what it held within, so the split is that of
    jobs which held anything within.
    """
    held_from = np.where(np.isfinite(runs.started_s), runs.started_s, math.inf)
    held_until = np.where(np.isfinite(runs.ended_s), runs.ended_s, math.inf)
    here = (held_from < until_s) & (held_until > from_s)
    weight = np.where(here, runs.taken, 0.0)
    spent = {name: float((runs.productive_s * weight)[runs.state == code].sum()) for code, name in enumerate(OUTCOMES)}
    unfinished = (runs.state == _RUNNING) | (runs.state == _WAITING)
    spent["running"] = float((runs.productive_s * weight)[unfinished].sum())
    spent["lost"] = float((runs.lost_s * weight).sum())
    spent["overhead"] = float((runs.overhead_s * weight).sum())
    held = sum(spent.values())
    share = {f"shares.{name}": value / held * found["utilisation"] if held else 0.0 for name, value in spent.items()}
    # Broken nodes may still be held by jobs whose failure nobody has seen.
    share["shares.idle"] = max(found["in_service"] - found["utilisation"], 0.0)
    share["shares.out_of_service"] = 1.0 - sum(share.values())
    return share


def _mean(values: FloatArray, runs: JobRuns, from_s: float, until_s: float) -> float:
    edges = runs.series.edges_s
    weight = np.clip(np.minimum(edges[1:], until_s) - np.maximum(edges[:-1], from_s), 0.0, None)
    return float((values * weight).sum() / weight.sum())


def _ratio(above: FloatArray, below: FloatArray, chosen: np.ndarray) -> float:
    total = float(below[chosen].sum())
    return float(above[chosen].sum()) / total if total > 0.0 else math.nan


def _least_leaves(runs: JobRuns, machines: Machines) -> FloatArray:
    nodes = np.ceil(runs.taken / machines.accelerators_per_node)
    result: FloatArray = np.maximum(np.ceil(nodes / machines.nodes_per_leaf), 1.0)
    return result


def over_time(runs: JobRuns, machines: Machines, from_s: float) -> FloatArray:
    """Shortened series for a chart: rows of (time, busy, in service, waiting, fragmented)."""
    series = runs.series
    first = int(np.searchsorted(series.edges_s[1:], from_s, side="right"))
    total = machines.num_nodes * machines.accelerators_per_node
    columns = np.stack(
        [
            (0.5 * (series.edges_s[1:] + series.edges_s[:-1]) - from_s) / DAY_S,
            series.busy / total,
            series.in_service / total,
            series.waiting,
            series.fragmented / total,
        ]
    )[:, first:]
    each = -(-columns.shape[1] // CHART_PARTS)
    groups = columns.shape[1] // each
    # Equal parts up to the end; a remainder falls at the beginning.
    result: FloatArray = columns[:, columns.shape[1] - groups * each :].reshape(5, groups, each).mean(axis=2).T
    return result


def result_of(
    policy: Policy, found: Sequence[Figures], whole: Sequence[Figures], charts: list[FloatArray]
) -> PolicyResult:
    """The figures of a policy from those of its runs; `whole` are they without parts, where one run was parted."""

    def figure(name: str) -> Figure:
        return _figure([one[name] for one in found if name in one], [one[name] for one in whole])

    def some(name: str) -> Figure | None:
        return figure(name) if any(math.isfinite(one[name]) for one in whole) else None

    def waiting(name: str) -> Waiting:
        return Waiting(
            **{key: figure(f"{name}.{key}") for key in ("mean", *_QUANTILES)},
            within=tuple(figure(one).mean for one in _within(name)),
        )

    sizes = []
    for low, high in pairwise(SIZE_EDGES):
        name = f"size.{low:g}"
        if not any(one[f"{name}.jobs"] for one in whole):
            continue
        sizes.append(
            SizeLine(
                larger_than=low,
                up_to=None if high == math.inf else high,
                jobs=_figure([one[f"{name}.jobs"] for one in whole], [one[f"{name}.jobs"] for one in whole]),
                waiting=waiting(f"{name}.waiting"),
                ettr=some(f"{name}.ettr"),
                interruptions_per_job=figure(f"{name}.interruptions"),
                preemptions_per_job=figure(f"{name}.preemptions"),
                leaves_over_least=some(f"{name}.leaves"),
            )
        )
    chart = np.mean(charts, axis=0).T.tolist()
    plain = (
        "utilisation", "in_service", "waiting_jobs", "fragmented", "idle_while_waiting", "ettr",
        "interruptions_per_day", "preemptions_per_day", "refused",
    )  # fmt: skip
    return PolicyResult(
        policy=policy,
        waiting=waiting("waiting"),
        shares={name: figure(f"shares.{name}") for name in SHARES},
        sizes=tuple(sizes),
        over_time=Over(
            at_days=tuple(chart[0]),
            busy_fraction=tuple(chart[1]),
            in_service_fraction=tuple(chart[2]),
            waiting_jobs=tuple(chart[3]),
            fragmented_fraction=tuple(chart[4]),
        ),
        **{name: figure(name) for name in plain},
    )


def _figure(values: list[float], whole: list[float]) -> Figure:
    """Mean of the runs with the interval that the values say; runs without any such job count for nothing."""
    means = [value for value in whole if math.isfinite(value)]
    mean = float(np.mean(means)) if means else 0.0
    some = [value for value in values if math.isfinite(value)]
    if len(some) < 2:
        return Figure(mean=mean, low=None, high=None)
    half = half_width(np.array(some))
    # Nothing here can be negative, however few and uneven the runs are.
    return Figure(mean=mean, low=max(mean - half, 0.0), high=mean + half)
