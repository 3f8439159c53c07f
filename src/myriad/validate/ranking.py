"""Judges the ranking of layouts: within each job, whether the layout estimated fastest was measured fastest.

A job is one model, accelerator, GPU count, network, global batch, sequence length, precision and release of a
software (one document of one source); a set is all its measured layouts, five or more. An error that all
layouts share moves no rank, so that this judges what a search leans on, and `validate.training` the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.validation import RankedSet, RankingGroup, RankingValidation
from myriad.validate.errors import SkipError
from myriad.validate.layouts import Run, run_of
from myriad.validate.rows import TrainingRow

Array = npt.NDArray[np.float64]

PredictSteps = Callable[[Model, Cluster, TrainingWork, Sequence[Layout]], tuple[Array, npt.NDArray[np.bool_]]]
"""Step time of every layout of one job in seconds, and whether it fits."""

FEWEST_LAYOUTS: Final = 5
"""Layouts that make a set: the rank correlation of fewer is mostly chance."""

_NO_MODELS: Final[Mapping[str, Model]] = {}


def ranks(values: npt.ArrayLike) -> Array:
    """Ranks from 1 upwards; equal values share the mean of their ranks.

    >>> ranks([30.0, 10.0, 20.0, 10.0]).tolist()
    [4.0, 1.5, 3.0, 1.5]
    """
    _, place, counts = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: Array = (last - (counts - 1) / 2.0)[place]
    return shared


def spearman(predicted: npt.ArrayLike, measured: npt.ArrayLike) -> float:
    """Spearman's rank correlation, -1 to 1: Pearson's of the ranks, which holds with ties too.

    0 where all values of one side are equal: nothing was told apart.
    """
    p, m = ranks(predicted), ranks(measured)
    p, m = p - p.mean(), m - m.mean()
    scale = float(np.sqrt((p @ p) * (m @ m)))
    return float(p @ m) / scale if scale else 0.0


def regret(predicted: npt.ArrayLike, measured: npt.ArrayLike) -> float:
    """Measured time of the layout predicted fastest over the best measured one, minus 1: at least 0.

    Of several predicted equally fast, the mean of their measured times: one of them would be taken.
    """
    p, m = np.asarray(predicted, float), np.asarray(measured, float)
    return float(m[p == p.min()].mean() / m.min()) - 1.0


def _job_key(run: Run) -> tuple[object, ...]:
    cluster = run.cluster.model_copy(update={"name": ""})
    return (
        run.row.source,
        run.row.document,
        run.model.name,
        run.model.num_layers,
        run.model.mtp_depths,
        cluster.model_dump_json(),
        run.work.model_dump_json(),
    )


def _steps(runs: Sequence[Run], predict: PredictSteps) -> dict[Layout, tuple[float, float]]:
    """Predicted and measured step time by layout; of one that was measured repeatedly, the median."""
    first = runs[0]
    candidates = [layout for run in runs for layout in run.layouts]
    step_s, fits = predict(first.model, first.cluster, first.work, candidates)
    predicted: dict[Layout, float] = {}
    measured: dict[Layout, list[float]] = {}
    tokens = float(first.work.global_batch) * first.work.seq_len / first.cluster.num_accelerators
    start = 0
    for run in runs:
        own = range(start, start + len(run.layouts))
        start = own.stop
        # Where recomputation is not stated: the first that fits, else the last, as `validate.training` takes it.
        taken = next((i for i in own if fits[i]), own[-1])
        predicted[candidates[taken]] = float(step_s[taken])
        measured.setdefault(candidates[taken], []).append(tokens / run.measured_tokens_per_s_per_gpu)
    return {layout: (predicted[layout], float(np.median(times))) for layout, times in measured.items()}


def _ranked_set(runs: Sequence[Run], steps: Mapping[Layout, tuple[float, float]]) -> RankedSet:
    first, layouts = runs[0], list(steps)
    predicted, measured = (np.array(column) for column in zip(*steps.values(), strict=True))
    picked, best = int(np.argmin(predicted)), int(np.argmin(measured))
    return RankedSet(
        source=first.row.source,
        model=first.row.model,
        accelerator=first.cluster.accelerator_id,
        num_gpus=first.cluster.num_accelerators,
        global_batch=first.work.global_batch,
        seq_len=first.work.seq_len,
        precision=first.work.precision,
        stack=first.work.stack,
        layouts=len(layouts),
        spearman=spearman(predicted, measured),
        regret=regret(predicted, measured),
        picked=layouts[picked].text(),
        picked_measured_s=float(measured[picked]),
        best=layouts[best].text(),
        best_measured_s=float(measured[best]),
    )


def _group(sets: Sequence[RankedSet]) -> RankingGroup:
    correlations, regrets = [s.spearman for s in sets], [s.regret for s in sets]
    return RankingGroup(
        sets=len(sets),
        layouts=sum(s.layouts for s in sets),
        median_spearman=float(np.median(correlations)),
        lowest_spearman=min(correlations),
        mean_regret=float(np.mean(regrets)),
        worst_regret=max(regrets),
    )


def validate_ranking(
    rows: Iterable[TrainingRow], predict: PredictSteps, models: Mapping[str, Model] = _NO_MODELS
) -> RankingValidation:
    """Rank correlation and regret of `predict` within every job of which five or more layouts were measured.

    `models` are looked up before the catalog's. Rows that cannot be judged are counted by reason as in
    `validate.training`, and so are those of jobs with fewer layouts. Raises SpecError if no set is left.
    """
    rows = list(rows)
    skipped: Counter[str] = Counter()
    jobs: dict[tuple[object, ...], list[Run]] = {}
    for row in rows:
        try:
            run = run_of(row, models)
        except (SkipError, InfeasibleError, MissingDataError) as reason:
            skipped[str(reason)] += 1
            continue
        jobs.setdefault(_job_key(run), []).append(run)
    sets = []
    for runs in jobs.values():
        if len(runs) >= FEWEST_LAYOUTS:
            try:
                steps = _steps(runs, predict)
            except (InfeasibleError, MissingDataError) as reason:
                skipped[str(reason)] += len(runs)
                continue
            if len(steps) >= FEWEST_LAYOUTS:
                sets.append(_ranked_set(runs, steps))
                continue
        skipped[f"fewer than {FEWEST_LAYOUTS} layouts of the job"] += len(runs)
    if not sets:
        raise SpecError(f"none of the {len(rows)} rows belongs to a job with {FEWEST_LAYOUTS} or more measured layouts")
    sets.sort(key=lambda s: (-s.regret, s.spearman))
    return RankingValidation(
        rows=len(rows),
        skipped=dict(skipped.most_common()),
        overall=_group(sets),
        by_source={
            source: _group([s for s in sets if s.source == source]) for source in sorted({s.source for s in sets})
        },
        per_set=tuple(sets),
    )
