"""Errors of the shipped runs by fits that they were left out of, beside those of the fit to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from myriad.spec.fitted import TrainingFit
from myriad.spec.validation import LEFT_OUT_KINDS, Fitted, LeftOut, RowResult, Validation
from myriad.validate.errors import group_error
from myriad.validate.training import group_of


def with_left_out(result: Validation, fit: TrainingFit, held_out: Mapping[str, Mapping[str, float]]) -> Validation:
    """The judgement with what `python -m myriad.calibrate training` found by leaving groups of runs out.

    A row that the calibration does not know keeps no such error; if it knows none, nothing is added.
    """
    rows = tuple(row.model_copy(update={"left_out_errors": dict(held_out.get(row.id, {}))}) for row in result.per_row)
    known = [row for row in rows if row.left_out_errors]
    if not known:
        return result
    left_out = {kind: _left_out(known, kind, fit.coverage.get(kind)) for kind in LEFT_OUT_KINDS}
    fitted = Fitted(
        parameters=len(fit.factors),
        rows=fit.rows,
        fewest_rows=min((factor.rows for factor in fit.factors), default=0),
        bands=fit.bands,
        left_out=left_out,
    )
    return result.model_copy(update={"per_row": rows, "fitted": fitted})


def _left_out(rows: Sequence[RowResult], kind: str, in_band: float | None) -> LeftOut:
    groups: dict[str, list[float]] = {}
    for row in rows:
        groups.setdefault(group_of(row, kind), []).append(row.left_out_errors[kind])
    return LeftOut(
        overall=group_error([row.left_out_errors[kind] for row in rows]),
        groups={name: group_error(groups[name]) for name in sorted(groups)},
        in_band=in_band,
    )
