from __future__ import annotations

from io import StringIO

from rich.console import Console

from myriad.report.serving_accuracy import serving_text
from myriad.spec.serving_validation import ErrorSummary, ServingRowResult, ServingValidation
from myriad.spec.validation import GroupError

ERRORS = GroupError(rows=2, mean_abs_error=0.2, median_abs_error=0.15, p90_abs_error=0.3, bias=-0.05)
NO_LATENCY = ErrorSummary(tpot=None, ttft=None, throughput=ERRORS, ttft_unsaturated=None)


def result(**changes: object) -> ServingValidation:
    one = ServingRowResult(
        id="run-1", errors={"tpot": None, "ttft": None, "throughput": -0.2},
        measured={"tpot": None, "ttft": None, "throughput": 1000.0},
        predicted={"tpot": 0.01, "ttft": 0.2, "throughput": 800.0},
        measured_from="output tokens/s", source="Me", model="Llama 3.1 8B", family="dense", lineage="llama",
        accelerator="h100-sxm", num_gpus=2, precision="fp8", engine="vllm", release="0.12.0", mode="offline",
        deployment="aggregated", concurrency=None, input_tokens=1000, output_tokens=500, speculation="none",
        layout="2 x TP1", assumed=(), fits=True, saturated=True,
    )  # fmt: skip
    given = {
        "rows": 4, "predicted": 2, "answered_fraction": 0.5, "skipped": {"some reason": 2}, "not_fitting": 1,
        "overall": ErrorSummary(tpot=ERRORS, ttft=ERRORS, throughput=ERRORS, ttft_unsaturated=None),
        "groups": {"mode": {"offline": NO_LATENCY}}, "per_row": (one,),
    }  # fmt: skip
    return ServingValidation.model_validate({**given, **changes})


def printed(judgement: ServingValidation, listed: int) -> str:
    out = StringIO()
    Console(file=out, width=120).print(*serving_text(judgement, listed), sep="\n")
    return out.getvalue()


def test_what_was_answered_and_why_the_rest_was_not():
    text = printed(result(), 0)
    assert "2 of 4 rows predicted (50%)" in text
    assert "2 skipped: some reason" in text
    assert "1 ran, but are judged not to fit" in text
    assert "TPOT: mean 20.0%, median 15.0%, 90th percentile 30.0%; bias -5.0%; 2 rows" in text
    assert "below saturation" not in text
    assert "run-1" not in text


def test_worst_rows_print_what_they_state():
    text = printed(result(), 5)
    assert "worst 1 rows" in text
    assert "throughput -20.0%  run-1" in text
    assert "more requests than fit: measured 1,000 tokens/s/GPU; predicted TPOT 10 ms" in text


def test_groups_leave_empty_what_no_row_states():
    line = next(line for line in printed(result(), 0).splitlines() if line.strip().startswith("offline"))
    assert line.split() == ["offline", "2", "20.0", "15.0", "-5"]
