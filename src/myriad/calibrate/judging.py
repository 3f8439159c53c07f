"""How far the catalog's kernel times are from measured ones, on the rows fitted and on whole tables.

The efficiencies are those of the catalog, never fitted again here. What a table's times hold beside the kernel
(`Operator.extras`) is fitted to the rows that were fitted, and counted as parameters.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from myriad.calibrate.fitting import Array, fit_log
from myriad.calibrate.kernels import PARAMETERS, alone, sample
from myriad.calibrate.operators import Operator, Operators
from myriad.errors import MissingDataError
from myriad.estimate.device import device
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import Kernels, Precision

MANY_ROWS = 200_000
"""Rows that are reckoned at a time: tables have millions."""


@dataclass(frozen=True)
class Errors:
    """Absolute errors |estimated / measured - 1| of some rows; `bias` is the geometric mean of the ratio, less 1."""

    rows: int
    median: float
    mean: float
    p90: float
    bias: float


@dataclass(frozen=True)
class Judgement:
    """One kind of kernel in one precision on one accelerator. `fitted` is missing where nothing was fitted."""

    accelerator: str
    kind: str
    precision: str
    parameters: int
    """Figures of the catalog that were fitted to these rows."""
    extras: int
    """Parts of the measurement fitted along, see `operators.Extra`."""
    fitted: Errors | None
    all_rows: Errors


def errors(estimated_s: Array, measured_s: Array) -> Errors:
    """The errors of estimated times."""
    ratio = estimated_s / measured_s
    off = np.abs(ratio - 1.0)
    return Errors(
        len(ratio), float(np.median(off)), float(np.mean(off)), float(np.quantile(off, 0.9)),
        float(np.expm1(np.mean(np.log(ratio)))),
    )  # fmt: skip


def judge_kernels(name: str, given: Operators, accelerator: Accelerator, kernels: Kernels) -> list[Judgement]:
    """One judgement for each operator that the entry has figures for."""
    return [judged for operator in given.found if (judged := _judge(name, operator, accelerator, kernels)) is not None]


def _judge(name: str, operator: Operator, accelerator: Accelerator, kernels: Kernels) -> Judgement | None:
    products = operator.kind in ("gemm", "grouped_gemm")
    precision = cast(Precision, operator.precision if products else "bf16")
    try:
        chip = alone(device(accelerator, kernels, precision))
    except MissingDataError:
        return None
    fitted = np.flatnonzero(operator.fitted)
    if operator.extras:
        rows = sample(fitted if len(fitted) else np.arange(len(operator.measured_s)))
        start, upper = zip(*((extra.start, extra.upper) for extra in operator.extras), strict=True)
        own = fit_log(lambda p: operator.model_s(chip, p, rows), operator.measured_s[rows], (start,), upper)
        extras = own.parameters
    else:
        extras = ()
    every = np.arange(len(operator.measured_s))
    parts = np.array_split(every, len(every) // MANY_ROWS + 1)
    estimated = np.concatenate([operator.model_s(chip, extras, part) for part in parts])
    measured = operator.measured_s
    return Judgement(
        name, operator.kind, operator.precision,
        parameters=len(PARAMETERS[operator.kind]) if len(fitted) else 0,
        extras=len(operator.extras),
        fitted=errors(estimated[fitted], measured[fitted]) if len(fitted) else None,
        all_rows=errors(estimated, measured),
    )  # fmt: skip


def text(judgements: list[Judgement], left_out: dict[str, dict[str, int]]) -> str:
    """The judgements as a table in Markdown, then the rows that were not judged."""
    lines = [
        "| accelerator | kind | precision | figures + extras | fitted rows | median | mean | p90 | bias "
        "| all rows | median | mean | p90 | bias |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for j in judgements:
        cells = [j.accelerator, j.kind, j.precision, f"{j.parameters} + {j.extras}"]
        for part in (j.fitted, j.all_rows):
            if part is None:
                cells += ["none", "", "", "", ""]
            else:
                shares = (f"{v:.1%}" for v in (part.median, part.mean, part.p90))
                cells += [f"{part.rows:,}", *shares, f"{part.bias:+.1%}"]
        lines.append(f"| {' | '.join(cells)} |")
    for name, reasons in left_out.items():
        rows = "; ".join(f"{reason}: {count:,} rows" for reason, count in reasons.items())
        lines.append(f"\nNot judged on {name}: {rows or 'nothing'}.")
    return "\n".join(lines) + "\n"


def json_text(
    judgements: list[Judgement],
    links: list[Any],
    serving: list[Any],
    left_out: dict[str, dict[str, int]],
    provenance: dict[str, Any],
) -> str:
    """The same as JSON, with the judgements of links and of serving kernels, errors rounded to four digits."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(of) for key, of in value.items()}
        return float(f"{value:.4g}") if isinstance(value, float) else value

    body = {
        "schema": 1,
        **provenance,
        "error": "absolute, |estimated / measured - 1|; bias: geometric mean of estimated / measured, less 1",
        "judgements": [rounded(asdict(judged)) for judged in judgements],
        "links": [rounded(asdict(judged)) for judged in links],
        "serving": [rounded(asdict(judged)) for judged in serving],
        "rows_not_judged": left_out,
    }
    return json.dumps(body, indent=1) + "\n"
