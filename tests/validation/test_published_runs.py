"""The training estimate against every published run that the package ships.

The limits are a ratchet: they may be lowered when the estimate gets better, never raised.
"""

from __future__ import annotations

import pytest

from myriad import catalog
from myriad.api import validate_training
from myriad.api.training import setting_of
from myriad.calibrate.memory import fit_fragmentation, leave_one_out
from myriad.estimate.training import estimate_layout
from myriad.spec.validation import Validation
from myriad.validate.layouts import run_of
from myriad.validate.rows import shipped_rows

MEAN_ABS_ERROR = 0.054
FITTING_FRACTION = 0.99
PEAK_MEAN_ABS_ERROR = 0.05
PEAK_BIAS = 0.02
PEAKS_WITHIN_A_TENTH = 60


@pytest.fixture(scope="module")
def validation() -> Validation:
    return validate_training()


def test_every_shipped_run_is_predicted(validation):
    assert validation.predicted == validation.rows > 800
    assert validation.skipped == {}


def test_mean_error_does_not_grow(validation):
    assert validation.mean_abs_error <= MEAN_ABS_ERROR


def test_runs_that_ran_are_judged_to_fit(validation):
    memory = validation.memory
    assert memory.rows > 700
    assert memory.fitting_fraction >= FITTING_FRACTION, memory.not_fitting


def test_printed_memory_peaks_are_near(validation):
    memory = validation.memory
    assert memory.peak_rows > 60
    assert memory.peak_mean_abs_error <= PEAK_MEAN_ABS_ERROR
    assert abs(memory.peak_bias) <= PEAK_BIAS
    assert sum(abs(peak.error) <= 0.1 for peak in memory.peaks) >= PEAKS_WITHIN_A_TENTH


def test_every_software_meets_its_peaks(validation):
    groups = validation.memory.groups["stack"].values()
    assert all(group.peak.mean_abs_error <= 0.06 for group in groups if group.peak is not None)


def test_no_software_needs_a_fragmentation_of_its_own(validation):
    """The shipped figure is the fit to all peaks; what all other software gives serves each as well."""
    peaks = validation.memory.peaks
    shipped = catalog.stack("torchtitan").fragmentation_fraction
    assert fit_fragmentation(peaks) == pytest.approx(shipped, abs=0.01)
    assert all(left_out.mean_abs_error <= 0.06 for left_out in leave_one_out(peaks).values())


def test_runs_that_recomputed_everything_needed_to(validation):
    """Nobody pays a third more compute without need: without recomputation most of these runs must not fit."""
    judged = needed = 0
    for row in shipped_rows():
        if row.quality != "primary" or not row.recompute.startswith("full"):
            continue
        run = run_of(row, {})
        without = run.layouts[0].model_copy(update={"recompute": ()})
        judged += 1
        needed += not estimate_layout(setting_of(run.model, run.cluster, run.work), without).fits
    assert judged > 100
    assert needed >= 0.95 * judged


def test_no_run_is_faster_than_its_roofline(validation):
    assert all(r.predicted > 0 and r.step_s > 0 for r in validation.per_row)


def test_strong_scaling_of_one_submission_round_keeps_its_slope(validation):
    """MLPerf v5.0, Llama 3.1 405B on 512 to 8,192 H100: the error stays the same while the bubble grows."""
    rows = [
        r
        for r in validation.per_row
        if r.source == "MLPerf Training v5.0" and r.accelerator == "h100-sxm" and r.model == "llama3.1-405b"
    ]
    assert len(rows) == 5
    errors = [r.error for r in rows]
    assert max(errors) - min(errors) < 0.05
