"""The job `python -m myriad.calibrate training`: reads the shipped runs, fits, and writes the calibration."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from myriad import catalog
from myriad.calibrate.bands import HeldOut, bands, coverage
from myriad.calibrate.entries import DATE
from myriad.calibrate.parameters import parameters
from myriad.calibrate.training import Array, Fit, Linear, Measured, fit, linearise, measured
from myriad.calibrate.written import counted, fit_text
from myriad.errors import InfeasibleError, MissingDataError
from myriad.estimate.table import estimate_table
from myriad.spec.fitted import Factor, TrainingFit
from myriad.spec.layout import LayoutTable
from myriad.spec.validation import LEFT_OUT_KINDS
from myriad.validate.errors import SkipError
from myriad.validate.layouts import run_of
from myriad.validate.rows import TrainingRow
from myriad.validate.training import decade, lineage

COMMAND = "python -m myriad.calibrate training"


def measured_runs(rows: Sequence[TrainingRow]) -> list[Measured]:
    """The runs that can be judged, each with the first of its layouts that fits in memory."""
    found = []
    for row in rows:
        try:
            run = run_of(row, {})
            one = measured(run, run.layouts[0])
        except (SkipError, InfeasibleError, MissingDataError):
            continue
        for layout in run.layouts:
            one = measured(run, layout)
            peak = estimate_table(one.setting, LayoutTable.from_layouts([layout])).memory_peak_bytes[0]
            if peak <= one.setting.device.memory_bytes:
                break
        found.append(one)
    return found


def groups_of(runs: Sequence[Measured]) -> dict[str, list[str]]:
    """Kind of group (`LEFT_OUT_KINDS`) -> the group of every run."""
    found = {
        "lineage": [lineage(one.run.row.model) for one in runs],
        "stack": [one.run.work.software for one in runs],
        "accelerator": [one.run.cluster.accelerator_id for one in runs],
        "gpus": [decade(one.run.cluster.num_accelerators) for one in runs],
    }
    assert tuple(found) == LEFT_OUT_KINDS
    return found


def starting(before: Sequence[Factor]) -> tuple[Factor, ...]:
    """The parameters with the factors of an earlier fit, 1 where it had none."""
    known = {factor.figures: factor.factor for factor in before}
    return tuple(p.model_copy(update={"factor": known.get(p.figures, 1.0)}) for p in parameters())


def fit_runs(
    runs: Sequence[Measured], start: Sequence[Factor], rounds: int, workers: int, progress: Callable[[int, int], None]
) -> Fit:
    """The fit to these runs, in `workers` processes; `progress` gets runs estimated and runs to estimate in all."""
    pieces = np.array_split(np.arange(len(runs)), max(1, len(runs) // 16))
    total, done = len(runs) * (rounds + 1), 0
    with ProcessPoolExecutor(workers) as pool:

        def linearise_all(ln_factors: Array) -> Linear:
            nonlocal done
            jobs = [pool.submit(linearise, [runs[i] for i in piece], start, ln_factors) for piece in pieces]
            parts = []
            for piece, job in zip(pieces, jobs, strict=True):
                parts.append(job.result())
                done += len(piece)
                progress(done, total)
            return Linear(
                ln_factors.copy(),
                np.concatenate([part.ln_steps for part in parts]),
                np.concatenate([part.slopes for part in parts]),
            )

        return fit(runs, start, groups_of(runs), linearise_all, rounds)


def calibration(runs: Sequence[Measured], fitted: Fit) -> TrainingFit:
    """What is written: factors, what they were fitted on, bands and whether they hold."""
    groups = groups_of(runs)
    held = HeldOut(
        families=tuple(one.run.model.family for one in runs),
        groups=groups,
        errors={kind: np.abs(errors) for kind, errors in fitted.held_out_ln.items()},
    )
    errors = np.exp(np.array([one.ln_step for one in runs]) - fitted.linear.ln_steps) - 1.0
    return TrainingFit(
        schema=1,
        title="Training estimates, fitted to published training runs",
        fitted_on=DATE,
        fitted_by=COMMAND,
        rows=len(runs),
        mean_abs_error=float(np.abs(errors).mean()),
        stacks=counted(groups["stack"]),
        accelerators=counted(groups["accelerator"]),
        bands=bands(held),
        coverage=coverage(held),
        factors=fitted.factors,
    )


def held_out_text(runs: Sequence[Measured], fitted: Fit) -> str:
    """The CSV text of errors, predicted / measured - 1 of tokens/s, of every run by fits that left its group out."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", *LEFT_OUT_KINDS])
    errors = {kind: np.exp(-values) - 1.0 for kind, values in fitted.held_out_ln.items()}
    for row, one in enumerate(runs):
        table.writerow([one.run.row.id, *(f"{errors[kind][row]:.4f}" for kind in LEFT_OUT_KINDS)])
    return out.getvalue()


def write(folder: Path, runs: Sequence[Measured], fitted: Fit) -> None:
    """Writes `training.yaml` and `held-out.csv`."""
    (folder / "training.yaml").write_text(fit_text(calibration(runs, fitted), COMMAND, "held-out.csv"), "utf-8")
    (folder / "held-out.csv").write_text(held_out_text(runs, fitted), "utf-8")


def before() -> tuple[Factor, ...]:
    """The factors of the shipped calibration, where a new fit starts."""
    return catalog.training_fit().factors
