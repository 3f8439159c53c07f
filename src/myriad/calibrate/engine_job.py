"""The job `python -m myriad.calibrate engines`: reads the shipped serving runs, fits, and writes the calibration."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from myriad import catalog
from myriad.calibrate.engine_parameters import engine_parameters
from myriad.calibrate.engines import EngineFit, Group, estimate, fit, groups
from myriad.calibrate.entries import DATE
from myriad.calibrate.written import counted, fit_text
from myriad.errors import InfeasibleError, MissingDataError
from myriad.spec.fitted import Factor, ServingFit
from myriad.spec.serving_validation import ERROR_KINDS, SERVING_LEFT_OUT_KINDS
from myriad.validate.errors import SkipError
from myriad.validate.serving_cases import ServingCase, case_of
from myriad.validate.serving_rows import ServingRow

COMMAND = "python -m myriad.calibrate engines"


def measured_cases(rows: Sequence[ServingRow]) -> list[ServingCase]:
    """The runs that can be judged and that fit into memory by the assumed figures."""
    found = []
    for row in rows:
        try:
            found.append(case_of(row))
        except SkipError:
            continue
    kept: list[ServingCase] = []
    for group in groups(found):
        try:
            estimates = estimate(group, ())
        except (InfeasibleError, MissingDataError):
            continue
        kept += [case for case, one in zip(group.cases, estimates, strict=True) if one.fits]
    return kept


def left_out_groups(cases: Sequence[ServingCase]) -> dict[str, list[str]]:
    """Kind of group (`SERVING_LEFT_OUT_KINDS`) -> the group of every case."""
    found = {
        "model": [case.model.name for case in cases],
        "accelerator": [case.cluster.accelerator_id for case in cases],
    }
    assert tuple(found) == SERVING_LEFT_OUT_KINDS
    return found


def starting() -> tuple[Factor, ...]:
    """The parameters with the factors of the shipped fit, 1 where it had none."""
    known = {factor.figures: factor.factor for factor in catalog.serving_fit().factors}
    return tuple(p.model_copy(update={"factor": known.get(p.figures, 1.0)}) for p in engine_parameters())


def fit_cases(
    cases: Sequence[ServingCase], start: Sequence[Factor], rounds: int, progress: Callable[[int, int], None]
) -> tuple[list[Group], EngineFit]:
    """The fit to these cases; `progress` gets groups estimated and groups to estimate in all."""
    own = groups(cases)
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        progress(min(done, len(own) * (rounds + 1)), len(own) * (rounds + 1))

    return own, fit(own, cases, start, left_out_groups(cases), rounds, step)


def calibration(cases: Sequence[ServingCase], fitted: EngineFit) -> ServingFit:
    """What is written: factors, and what they were fitted on."""
    errors = np.abs(np.exp(fitted.ln_errors.reshape(3, -1)) - 1.0)
    return ServingFit(
        schema=1,
        title="Serving estimates, fitted to published serving runs",
        fitted_on=DATE,
        fitted_by=COMMAND,
        rows=len(cases),
        median_abs_errors={kind: float(np.nanmedian(errors[i])) for i, kind in enumerate(ERROR_KINDS)},
        engines=counted([case.deployment.replicas.work.software for case in cases]),
        accelerators=counted([case.cluster.accelerator_id for case in cases]),
        factors=fitted.factors,
    )


def held_out_text(cases: Sequence[ServingCase], fitted: EngineFit) -> str:
    """The CSV text of errors, predicted / measured - 1, of every run by fits that left its group out."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", *(f"{left} {kind}" for left in SERVING_LEFT_OUT_KINDS for kind in ERROR_KINDS)])
    errors = {left: np.exp(ln.reshape(3, -1)) - 1.0 for left, ln in fitted.held_out_ln.items()}
    for row, case in enumerate(cases):
        cells = [errors[left][kind, row] for left in SERVING_LEFT_OUT_KINDS for kind in range(3)]
        table.writerow([case.row.id, *("" if np.isnan(cell) else f"{cell:.3f}" for cell in cells)])
    return out.getvalue()


def write(folder: Path, cases: Sequence[ServingCase], fitted: EngineFit) -> None:
    """Writes `serving.yaml` and `serving-held-out.csv`."""
    (folder / "serving.yaml").write_text(fit_text(calibration(cases, fitted), COMMAND, "serving-held-out.csv"), "utf-8")
    (folder / "serving-held-out.csv").write_text(held_out_text(cases, fitted), "utf-8")
