"""Judges the serving estimate by published runs: errors of TPOT, TTFT and throughput, by row and by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from myriad.errors import InfeasibleError, SpecError
from myriad.spec.serving import Replicas
from myriad.spec.serving_validation import (
    ERROR_KINDS,
    SERVING_GROUP_KINDS,
    ErrorKind,
    ErrorSummary,
    ServingRowResult,
    ServingValidation,
)
from myriad.spec.validation import GroupError
from myriad.validate.errors import SkipError, group_error
from myriad.validate.serving_cases import ServingCase, case_of
from myriad.validate.serving_estimates import CaseEstimate, Outcome
from myriad.validate.serving_rows import ServingRow
from myriad.validate.training import decade, lineage

Predict = Callable[[Sequence[ServingCase]], Sequence[Outcome]]
"""Estimates of cases, or why there is none, in their order."""

NOT_FITTING: Final = "ran, but by the estimate its weights do not fit"
"""The reason of rows that the estimate has no times for."""


def judge(case: ServingCase, estimate: CaseEstimate) -> ServingRowResult:
    """The estimate of one run beside its measurement."""
    predicted: dict[ErrorKind, float] = {
        "tpot": estimate.tpot_s,
        "ttft": estimate.ttft_s,
        "throughput": estimate.output_tokens_per_s_per_gpu,
    }
    measured: dict[ErrorKind, float | None] = {
        "tpot": case.measured.tpot_s,
        "ttft": case.measured.ttft_s,
        "throughput": case.measured.tokens_per_s_per_gpu,
    }
    row, deployment, work = case.row, case.deployment, case.deployment.replicas.work
    return ServingRowResult(
        id=row.id,
        errors={kind: _error(predicted[kind], measured[kind]) for kind in ERROR_KINDS},
        measured=measured,
        predicted=predicted,
        measured_from=case.measured.throughput_from,
        source=row.source,
        model=case.model.name,
        family=case.model.family,
        lineage=lineage(case.model.name.lower()),
        accelerator=deployment.accelerator,
        num_gpus=deployment.gpus,
        precision=work.expert_precision or work.precision,
        engine=work.software,
        release=case.release,
        mode=case.mode,
        deployment="disaggregated" if deployment.disaggregated else "aggregated",
        concurrency=case.concurrency,
        input_tokens=case.requests.input_tokens,
        output_tokens=case.requests.output_tokens,
        speculation=work.speculation.method if work.speculation else "none",
        layout=_layout(deployment.replicas, deployment.prefill),
        assumed=case.assumed,
        fits=estimate.fits,
        saturated=estimate.saturated,
    )


def _error(predicted: float, measured: float | None) -> float | None:
    return None if measured is None else predicted / measured - 1.0


def _layout(replicas: Replicas, prefill: Replicas | None) -> str:
    text = f"{replicas.count} x {replicas.layout.text()}"
    return text if prefill is None else f"prefill {prefill.count} x {prefill.layout.text()}, decode {text}"


def worst_error(result: ServingRowResult) -> float:
    """The largest absolute error of a row in TPOT and throughput; of TTFT where it states nothing else."""
    main = [abs(error) for kind, error in result.errors.items() if error is not None and kind != "ttft"]
    return max(main, default=abs(result.errors["ttft"] or 0.0))


def group_of(result: ServingRowResult, kind: str) -> str:
    """The group of a row, for a kind of `SERVING_GROUP_KINDS`."""
    if kind == "concurrency":
        return "unbounded" if result.concurrency is None else decade(result.concurrency)
    if kind == "release":
        return f"{result.engine} {result.release or 'of unknown release'}"
    return str(getattr(result, kind))


def summary(results: Sequence[ServingRowResult]) -> ErrorSummary:
    """The errors of some rows, each kind over the rows that state it."""
    return ErrorSummary(
        tpot=_errors(results, "tpot"),
        ttft=_errors(results, "ttft"),
        throughput=_errors(results, "throughput"),
        ttft_unsaturated=_errors([result for result in results if not result.saturated], "ttft"),
    )


def _errors(results: Sequence[ServingRowResult], kind: ErrorKind) -> GroupError | None:
    found = [error for result in results if (error := result.errors[kind]) is not None]
    return group_error(found) if found else None


def _groups(results: Sequence[ServingRowResult]) -> dict[str, dict[str, ErrorSummary]]:
    members: dict[str, dict[str, list[ServingRowResult]]] = {kind: {} for kind in SERVING_GROUP_KINDS}
    for result in results:
        for kind, groups in members.items():
            groups.setdefault(group_of(result, kind), []).append(result)
    return {kind: {name: summary(groups[name]) for name in sorted(groups)} for kind, groups in members.items()}


def validate_serving_rows(rows: Iterable[ServingRow], predict: Predict) -> ServingValidation:
    """The errors of `predict` on every row that can be judged; each is predicted / measured - 1.

    Rows that cannot be judged are counted by reason (see `serving_cases`), among them those that the estimate has no
    answer for. Raises SpecError if none is left.
    """
    rows = list(rows)
    skipped: Counter[str] = Counter()
    results: list[ServingRowResult] = []
    cases: list[ServingCase] = []
    for row in rows:
        try:
            cases.append(case_of(row))
        except SkipError as reason:
            skipped[str(reason)] += 1
    for case, outcome in zip(cases, predict(cases), strict=True):
        if isinstance(outcome, CaseEstimate):
            results.append(judge(case, outcome))
        else:
            skipped[NOT_FITTING if isinstance(outcome, InfeasibleError) else str(outcome)] += 1
    if not results:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in skipped.most_common(3))
        raise SpecError(f"none of the {len(rows)} rows can be judged: {reasons}")
    results.sort(key=lambda result: -worst_error(result))
    return ServingValidation(
        rows=len(rows),
        predicted=len(results),
        answered_fraction=len(results) / len(rows),
        skipped=dict(skipped.most_common()),
        not_fitting=sum(not result.fits for result in results) + skipped[NOT_FITTING],
        overall=summary(results),
        groups=_groups(results),
        per_row=tuple(results),
    )
