"""Tables made with known efficiencies: the job finds them again, and judging notices wrong ones."""

from dataclasses import replace

import numpy as np
import pytest

from myriad import catalog
from myriad.calibrate import kernels as calibration
from myriad.calibrate.judging import errors, json_text, judge_kernels, text
from myriad.calibrate.kernels import PARAMETERS, alone, fit_operators, ideal_kernels, with_figures
from myriad.calibrate.operators import Operators, attention_operator, gemm_operator, grouped_operator
from myriad.estimate.device import device

pytest.importorskip("scipy")
pd = pytest.importorskip("pandas")

H100 = catalog.accelerator("h100-sxm")
GEMM = (0.9, 100.0, 0.05, 64.0, 1.5e-9, 4000.0, 0.25)
GROUPED = (0.8, 100.0)
ATTENTION = (0.65, 500.0, 80.0, 0.5, 8e-6)
LAUNCH_S = 3e-6


def chip():
    ideal = ideal_kernels(0.85, LAUNCH_S)
    exact = alone(device(H100, ideal, "bf16"))
    exact = with_figures(with_figures(exact, "gemm", GEMM), "grouped_gemm", GEMM, "gemm")
    return with_figures(with_figures(exact, "grouped_gemm", GROUPED), "attention", ATTENTION)


def grid(**columns):
    return pd.DataFrame({n: a.ravel() for n, a in zip(columns, np.meshgrid(*columns.values()), strict=True)}).assign(
        engine="trtllm", engine_version="1", kernel="cutlass", latency_us=1.0
    )


def made() -> Operators:
    """Operators whose measured times are the model's own."""
    size = np.array([64.0, 512.0, 4096.0, 16384.0])
    products = gemm_operator(grid(m_tokens=np.array([1.0, 64, 300, 2048, 16384]), n_out=size, k_in=size), "bf16")
    experts = grid(
        tokens=np.array([64.0, 1024, 16384]), hidden=np.array([2048.0, 7168]), expert_inter=np.array([768.0, 2048]),
        topk=np.array([4.0, 8]), experts=np.array([64.0, 256]), moe_tp=np.array([1.0]), moe_ep=np.array([1.0, 8]),
    ).assign(distribution="balanced")  # fmt: skip
    prompts = grid(
        batch_size=np.array([1.0, 8, 64]), q_len_tokens=np.array([64.0, 512, 2048, 8192]), q_heads=np.array([4.0, 32]),
        past_kv_tokens=np.array([0.0]), kv_heads=np.array([4.0]), head_dim_elems=np.array([64.0, 128, 256]),
        window_tokens=np.array([0.0, 128]),
    )  # fmt: skip
    operators = (products, grouped_operator(experts, "bf16", "cutlass"), attention_operator(prompts))
    extras = {"gemm": (), "grouped_gemm": (2e-5, 4.0, 3e-9), "attention": ()}
    return Operators(
        tuple(
            replace(
                o,
                measured_s=o.model_s(chip(), extras[o.kind], np.arange(len(o.measured_s))),
                fitted=np.ones(len(o.measured_s), bool),
            )
            for o in operators
        ),
        {"a reason": 3},
    )


def test_known_figures_are_found_again():
    fits = fit_operators(made(), H100, 0.85, 1)
    assert fits.launch_s == pytest.approx(LAUNCH_S, rel=0.05)
    peak, *_ = fits.gemm["bf16"].parameters
    assert peak == pytest.approx(GEMM[0], rel=0.05)
    assert fits.gemm["bf16"].median_error < 0.01
    assert fits.grouped_gemm["bf16"].parameters[0] == pytest.approx(GROUPED[0], rel=0.1)
    assert fits.attention.parameters[:2] == pytest.approx(ATTENTION[:2], rel=0.1)


def entry(**figures):
    """The catalog entry that the tables were made with, but for some figures of products."""
    exact = chip()
    return ideal_kernels(0.85, LAUNCH_S).model_copy(
        update={
            "gemm": {"bf16": exact.gemm.model_copy(update=figures)},
            "grouped_gemm": {"bf16": exact.grouped_gemm},
            "attention": {"bf16": exact.attention},
        }
    )


def test_the_right_entry_has_no_error_and_a_wrong_one_its_own(monkeypatch):
    monkeypatch.setattr(calibration, "MAX_ROWS", 100)
    right = judge_kernels("any", made(), H100, entry())
    assert [j.kind for j in right] == ["gemm", "grouped_gemm", "attention"]
    assert right[0].all_rows.mean == right[2].all_rows.mean == pytest.approx(0.0, abs=1e-9)
    assert right[1].all_rows.mean < 0.02
    wrong = judge_kernels("any", made(), H100, entry(peak_fraction=GEMM[0] / 1.3))
    assert 0.2 < wrong[0].all_rows.p90 < 0.35
    assert wrong[0].all_rows.bias > 0.05
    assert wrong[0].parameters == len(PARAMETERS["gemm"])


def test_rows_that_were_not_fitted_count_on_whole_tables_alone():
    given = made()
    products = given.found[0]
    half = np.arange(len(products.measured_s)) % 2 == 0
    off = replace(products, fitted=half, measured_s=np.where(half, 1.0, 2.0) * products.measured_s)
    (judged,) = judge_kernels("any", Operators((off,), {}), H100, entry())
    assert judged.fitted is not None
    assert judged.fitted.mean == pytest.approx(0.0, abs=1e-9)
    assert judged.all_rows.mean == pytest.approx(0.25)
    assert judged.all_rows.bias == pytest.approx(np.sqrt(0.5) - 1)


def test_errors_by_hand():
    found = errors(np.array([1.1, 0.8, 2.0]), np.ones(3))
    assert (found.rows, found.median, found.mean) == (3, pytest.approx(0.2), pytest.approx(1.3 / 3))


def test_text_and_json_hold_every_judgement_and_what_was_left_out():
    judged = judge_kernels("any", made(), H100, entry())
    left_out = {"any": {"a reason": 3}}
    assert "a reason: 3 rows" in text(judged, left_out)
    assert json_text(judged, [], [], left_out, {}).count('"kind"') == len(judged)
