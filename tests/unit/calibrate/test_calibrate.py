from dataclasses import replace

import numpy as np
import pytest
import yaml

from myriad import catalog
from myriad.calibrate.__main__ import ENTRIES, main
from myriad.calibrate.entries import default_text, entry_text
from myriad.calibrate.fitting import Fit, fit_log
from myriad.calibrate.kernels import KernelFits


def fits() -> KernelFits:
    gemm = Fit((0.8, 100.0, 0.1, 64.0, 1e-9, 4000.0, 0.2), 10, 0.03, 0.1)
    return KernelFits(
        gemm={"bf16": gemm, "fp8": gemm, "fp8-block": gemm},
        grouped_gemm={"bf16": Fit((0.4, 48.0), 10, 0.1, 0.4), "fp8": Fit((0.9, 48.0), 10, 0.1, 0.4)},
        attention=Fit((0.6, 500.0, 60.0, 0.5, 1e-5), 10, 0.05, 0.2),
        memory_fraction=0.85, memory_rows=10, launch_s=3e-6,
    )  # fmt: skip


def leaf(value):
    return value["value"] if isinstance(value, dict) else value


def test_entry_caps_grouped_products_at_dense_ones_and_fills_what_was_not_fitted():
    spec = yaml.safe_load(entry_text("b200", "Any", ["b200-sxm"], fits(), 3, "h100-sxm"))["spec"]
    grouped = {precision: leaf(figures["peak_fraction"]) for precision, figures in spec["grouped_gemm"].items()}
    assert grouped["bf16"] == 0.4
    assert grouped["fp8"] == grouped["mxfp8"] == 0.8
    assert grouped["fp8-block"] == pytest.approx(0.8 * np.sqrt(0.5), rel=1e-2)
    assert leaf(spec["attention"]["bf16"]["backward_fraction"]) == pytest.approx(0.6 * 0.78)


def test_borrowed_figures_are_marked_as_derived():
    spec = yaml.safe_load(entry_text("b200", "Any", ["b200-sxm"], fits(), 3, "h100-sxm"))["spec"]
    assert {figure["kind"] for figure in spec["gemm"]["mxfp8"].values()} == {"derived"}
    assert spec["sustained_fraction"]["kind"] == "assumed"


def test_default_is_the_geometric_mean():
    other = replace(
        fits(), gemm={"bf16": Fit((0.2, *fits().gemm["bf16"].parameters[1:]), 1, 0.0, 0.0)}, grouped_gemm={}
    )
    spec = yaml.safe_load(default_text([fits(), other]))["spec"]
    assert spec["gemm"]["bf16"]["peak_fraction"] == pytest.approx(0.4)


def test_every_accelerator_of_an_entry_gets_it():
    for _, _, accelerators, _ in ENTRIES.values():
        assert all(catalog.kernels(accelerator)[1] for accelerator in accelerators)


def test_missing_tables_are_one_line_and_exit_code_2(tmp_path, capsys):
    assert main(["links", "--ops", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"--ops {tmp_path}: there is no file a100_sxm__nccl.parquet\n"


def test_fit_finds_known_parameters():
    pytest.importorskip("scipy")
    x = np.geomspace(1.0, 1e4, 50)
    fit = fit_log(lambda p: p[0] * x + p[1], 0.5 * x + 20.0, ((1.0, 1.0),), (10.0, 100.0))
    assert fit.parameters == pytest.approx((0.5, 20.0), rel=1e-2)
    assert fit.median_error < 1e-3


def test_figures_that_the_fit_drove_to_nothing_are_zero():
    idle = replace(fits(), gemm={"bf16": Fit((0.8, 100.0, 1e-12, 64.0, 1e-30, 3.0, 0.2), 1, 0.0, 0.0)}, grouped_gemm={})
    figures = yaml.safe_load(default_text([idle]))["spec"]["gemm"]["bf16"]
    assert figures["wave_loss"] == figures["step_s"] == 0.0
    assert figures["split_k"] > 0.0
