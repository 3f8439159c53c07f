from __future__ import annotations

from collections.abc import Sequence

import pytest

from myriad.errors import InfeasibleError, SpecError
from myriad.spec.serving_validation import ERROR_KINDS, SERVING_GROUP_KINDS
from myriad.validate.serving import NOT_FITTING, validate_serving_rows, worst_error
from myriad.validate.serving_cases import ServingCase
from myriad.validate.serving_estimates import CaseEstimate, Outcome
from myriad.validate.serving_rows import ServingRow


def row(name: str, **changes: object) -> ServingRow:
    given = {
        "id": name,
        "source": "Me",
        "model": "llama3-8b",
        "accelerator": "h100-sxm",
        "num_gpus": 1,
        "engine": "vllm 0.12.0",
        "parallelism": "tp1",
        "input_length": "1000",
        "output_length": "101",
        "load": "8",
        "ttft_s": 0.1,
        "tpot_s": 0.01,
        "mode": "closed-loop concurrency",
    }
    return ServingRow.model_validate({**given, **changes})


OFFLINE = {"mode": "offline-throughput", "load": "max load", "ttft_s": None, "tpot_s": None}


def same_for_all(cases: Sequence[ServingCase]) -> list[Outcome]:
    """TTFT 0.2 s, TPOT 9 ms, 800 tokens/s; from 100 requests on, saturated."""
    return [CaseEstimate(0.2, 0.009, 800.0, True, (case.concurrency or 0) >= 100) for case in cases]


def test_errors_are_predicted_over_measured_and_null_where_nothing_is_stated():
    rows = [row("a"), row("b", **OFFLINE, output_tokens_per_s_per_gpu=1000.0)]
    by_id = {one.id: one for one in validate_serving_rows(rows, same_for_all).per_row}
    closed = 8 * 101 / (0.1 + 100 * 0.01)
    assert by_id["a"].errors == pytest.approx({"tpot": -0.1, "ttft": 1.0, "throughput": 800 / closed - 1})
    assert by_id["b"].errors["throughput"] == pytest.approx(-0.2)
    assert by_id["b"].errors["tpot"] is by_id["b"].errors["ttft"] is None
    assert set(by_id["a"].errors) == set(ERROR_KINDS)


def test_first_tokens_are_summed_up_apart_below_saturation():
    rows = [row("calm"), row("full", load="200", ttft_s=20.0)]
    result = validate_serving_rows(rows, same_for_all)
    assert result.overall.ttft is not None
    assert result.overall.ttft_unsaturated is not None
    assert (result.overall.ttft.rows, result.overall.ttft_unsaturated.rows) == (2, 1)
    assert result.overall.ttft_unsaturated.bias == pytest.approx(1.0)


def test_groups_hold_every_row_once_for_each_kind():
    rows = [row("a"), row("b", load="200", ttft_s=20.0), row("c", **OFFLINE, output_tokens_per_s_per_gpu=500.0)]
    result = validate_serving_rows(rows, same_for_all)
    assert tuple(result.groups) == SERVING_GROUP_KINDS
    for groups in result.groups.values():
        assert sum(one.throughput.rows for one in groups.values() if one.throughput) == 3
    assert list(result.groups["concurrency"]) == ["1-9", "100-999", "unbounded"]
    assert list(result.groups["release"]) == ["vllm 0.12.0"]
    offline = result.groups["mode"]["offline"]
    assert offline.tpot is None
    assert offline.throughput is not None


def test_worst_rows_come_first_by_time_per_token_and_throughput():
    rows = [row("near"), row("far", tpot_s=0.001), row("slow-start", ttft_s=0.0001)]
    result = validate_serving_rows(rows, same_for_all)
    assert [worst_error(one) for one in result.per_row] == sorted(
        (worst_error(r) for r in result.per_row), reverse=True
    )
    assert result.per_row[0].id == "far"


def test_rows_without_an_answer_are_counted_by_reason():
    def too_large(cases: Sequence[ServingCase]) -> list[Outcome]:
        there = CaseEstimate(0.1, 0.01, 700.0, False, False)
        return [InfeasibleError("no such layout") if case.row.id == "b" else there for case in cases]

    result = validate_serving_rows([row("a"), row("b"), row("c", quality="suspect")], too_large)
    assert (result.rows, result.predicted, result.not_fitting) == (3, 1, 2)
    assert result.answered_fraction == pytest.approx(1 / 3)
    assert result.skipped == {NOT_FITTING: 1, "quality is suspect, not primary": 1}


def test_nothing_to_judge_is_an_error():
    with pytest.raises(SpecError, match="none of the 1 rows can be judged: quality is suspect, not primary"):
        validate_serving_rows([row("a", quality="suspect")], same_for_all)
