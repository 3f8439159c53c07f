"""The shipped calibration of serving estimates, held to the errors that it reached: may be lowered, never raised."""

from __future__ import annotations

import pytest

from myriad import api
from myriad.spec.serving_validation import ServingValidation


@pytest.fixture(scope="module")
def result() -> ServingValidation:
    return api.validate_serving()


def test_rows_that_are_not_predicted_say_why(result: ServingValidation) -> None:
    assert sum(result.skipped.values()) + result.predicted == result.rows
    unstated = sum(count for reason, count in result.skipped.items() if "disaggregated" in reason)
    assert result.predicted >= 0.96 * (result.rows - unstated)


def test_errors_of_fitted_rows_stay(result: ServingValidation) -> None:
    assert result.overall.tpot.median_abs_error <= 0.075
    assert result.overall.tpot.mean_abs_error <= 0.105
    assert result.overall.ttft_unsaturated.median_abs_error <= 0.22
    assert result.overall.throughput.median_abs_error <= 0.075


def test_errors_of_rows_left_out_stay(result: ServingValidation) -> None:
    model, accelerator = (result.left_out[kind].overall for kind in ("model", "accelerator"))
    assert model.tpot.median_abs_error <= 0.17
    assert accelerator.tpot.median_abs_error <= 0.13
    assert accelerator.ttft_unsaturated.median_abs_error <= 0.24
