"""Judges the training estimate by published runs: error by row, by group, and of the memory judgement."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.result import TrainingEstimate
from myriad.spec.validation import GROUP_KINDS, GroupError, RowResult, Validation
from myriad.validate.conventions import peak_reading
from myriad.validate.errors import SkipError, group_error
from myriad.validate.layouts import Run, run_of
from myriad.validate.memory import memory_judgement, read_parts_bytes
from myriad.validate.rows import TrainingRow

Predict = Callable[[Model, Cluster, Layout, TrainingWork], TrainingEstimate]

_NO_MODELS: Final[Mapping[str, Model]] = {}


def lineage(name: str) -> str:
    """The name that a line of models shares, whatever their sizes and versions.

    >>> lineage("llama3.1-405b"), lineage("qwen3-30b-a3b"), lineage("gpt-oss-120b"), lineage("bs-gpt-h14336-l72-a64")
    ('llama', 'qwen', 'gpt-oss', 'bs-gpt')
    """
    match = re.match(r"[a-z]+(?:(?:\d+)?-(?:gpt|oss)\b)?", name)
    return match[0] if match else name


def parallelism(layout: Layout) -> str:
    """What a layout splits, for example `TP+PP+EP`, `FSDP+TP` or `DP`."""
    sizes = {"TP": layout.tp, "PP": layout.pp, "CP": layout.cp, "EP": layout.ep}
    split = (["FSDP"] if layout.zero >= 2 else []) + [name for name, size in sizes.items() if size > 1]
    return "+".join(split) or "DP"


def decade(number: int) -> str:
    """The decade of a count of GPUs or requests.

    >>> decade(8), decade(256), decade(16384)
    ('1-9', '100-999', '10000-99999')
    """
    low = 10 ** (len(str(number)) - 1)
    return f"{low}-{10 * low - 1}"


def judge(run: Run, predict: Predict) -> RowResult:
    """The estimate of one run beside its measurement."""
    for layout in run.layouts:
        estimate = predict(run.model, run.cluster, layout, run.work)
        if estimate.fits:
            break
    row, predicted = run.row, estimate.tokens_per_s_per_gpu
    reading, printed_bytes = peak_reading(row), row.peak_memory_bytes
    return RowResult(
        id=row.id,
        measured=run.measured_tokens_per_s_per_gpu,
        predicted=predicted,
        error=predicted / run.measured_tokens_per_s_per_gpu - 1.0,
        measured_from=run.measured_from,
        source=row.source,
        model=row.model,
        family=run.model.family,
        lineage=lineage(row.model),
        accelerator=run.cluster.accelerator_id,
        num_gpus=run.cluster.num_accelerators,
        precision=run.work.precision,
        stack=run.work.software,
        release=run.work.release,
        parallelism=parallelism(estimate.layout),
        layout=estimate.layout.text(),
        assumed=run.assumed,
        step_s=estimate.step_s,
        fits=estimate.fits,
        memory_peak_bytes=estimate.memory_peak_bytes,
        memory_capacity_bytes=estimate.memory_capacity_bytes,
        judges_memory=run.judges_memory,
        measured_memory_peak_bytes=printed_bytes * reading.unit if printed_bytes else None,
        read_memory_parts_bytes=read_parts_bytes(estimate, reading) if printed_bytes else None,
    )


def group_of(result: RowResult, kind: str) -> str:
    """The group of a row, for a kind of `GROUP_KINDS`."""
    return decade(result.num_gpus) if kind == "gpus" else str(getattr(result, kind))


def grouped(results: Sequence[RowResult], kind: str) -> dict[str, list[RowResult]]:
    """Group -> its rows, by name, for a kind of `GROUP_KINDS`."""
    groups: dict[str, list[RowResult]] = {}
    for result in results:
        groups.setdefault(group_of(result, kind), []).append(result)
    return {name: groups[name] for name in sorted(groups)}


def _groups(results: Sequence[RowResult]) -> dict[str, dict[str, GroupError]]:
    return {
        kind: {name: group_error([row.error for row in rows]) for name, rows in grouped(results, kind).items()}
        for kind in GROUP_KINDS
    }


def validate_rows(
    rows: Iterable[TrainingRow], predict: Predict, models: Mapping[str, Model] = _NO_MODELS
) -> Validation:
    """The errors of `predict` on every row that can be judged; error = predicted / measured - 1 of tokens/s per GPU.

    `predict(model, cluster, layout, work)` is the estimate under judgement; `models` are looked up before
    the catalog's. Rows that cannot be judged are counted by reason (see `layouts`), among them those whose
    layout no run can have and those whose precision the accelerator lacks. Raises SpecError if none is left.
    """
    rows = list(rows)
    skipped: Counter[str] = Counter()
    results: list[RowResult] = []
    for row in rows:
        try:
            results.append(judge(run_of(row, models), predict))
        except (SkipError, InfeasibleError, MissingDataError) as reason:
            skipped[str(reason)] += 1
    if not results:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in skipped.most_common(3))
        raise SpecError(f"none of the {len(rows)} rows can be judged: {reasons}")
    results.sort(key=lambda r: -abs(r.error))
    overall = group_error([r.error for r in results])
    return Validation(
        rows=len(rows),
        predicted=len(results),
        skipped=dict(skipped.most_common()),
        mean_abs_error=overall.mean_abs_error,
        median_abs_error=overall.median_abs_error,
        p90_abs_error=overall.p90_abs_error,
        bias=overall.bias,
        groups=_groups(results),
        per_row=tuple(results),
        memory=memory_judgement(results),
    )
