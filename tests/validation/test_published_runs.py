"""The training estimate against every published run that the package ships.

The limits are a ratchet: they may be lowered when the estimate gets better, never raised.
"""

from __future__ import annotations

import pytest

from myriad.api import validate_training
from myriad.spec.validation import Validation

MEAN_ABS_ERROR = 0.11
FITTING_FRACTION = 0.97


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
    assert validation.memory.peak_rows > 60
    assert validation.memory.peak_mean_abs_error <= 0.11


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
