"""Errors of shipped serving runs by fits that they were left out of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from myriad.spec.serving_validation import (
    ERROR_KINDS,
    SERVING_LEFT_OUT_KINDS,
    ServingLeftOut,
    ServingRowResult,
    ServingValidation,
)
from myriad.validate.serving import group_of, summary


def with_serving_left_out(result: ServingValidation, held_out: Mapping[str, Mapping[str, float]]) -> ServingValidation:
    """The judgement with what `python -m myriad.calibrate engines` found by leaving groups of runs out.

    Rows that the calibration does not know are left out of these errors; if it knows none, nothing is added.
    """
    known = [row for row in result.per_row if row.id in held_out]
    if not known:
        return result
    left_out = {kind: _left_out(known, kind, held_out) for kind in SERVING_LEFT_OUT_KINDS}
    return result.model_copy(update={"left_out": left_out})


def _left_out(
    rows: Sequence[ServingRowResult], kind: str, held_out: Mapping[str, Mapping[str, float]]
) -> ServingLeftOut:
    by_others = []
    for row in rows:
        errors = {judged: held_out[row.id].get(f"{kind} {judged}") for judged in ERROR_KINDS}
        by_others.append(row.model_copy(update={"errors": errors}))
    groups: dict[str, list[ServingRowResult]] = {}
    for row in by_others:
        groups.setdefault(group_of(row, kind), []).append(row)
    return ServingLeftOut(overall=summary(by_others), groups={name: summary(groups[name]) for name in sorted(groups)})
