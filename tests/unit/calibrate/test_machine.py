"""A machine whose rows the formulas themselves made is found again."""

import json
from importlib import resources
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

from myriad import catalog
from myriad.calibrate.machine import fit_machine, fused_bytes
from myriad.calibrate.machine_entries import machine_entries
from myriad.catalog.entry import load
from myriad.errors import MissingDataError
from myriad.estimate.collectives import send_recv_s
from myriad.estimate.nccl_tests import TIMES
from myriad.estimate.tiers import place
from myriad.measure.machine import Machine
from myriad.measure.rows import Row, read_rows
from myriad.spec.calibration import Eager
from myriad.spec.cluster import Link

BANDWIDTH, PEAK, LAUNCH_S = 1e10, 1e11, 5e-6
LINK = Link(tier="scale-up", domain=2, bytes_per_s_one_way=1e9, latency_s=1e-4, half_bytes=1e5, start_s=2e-4)
PRODUCTS = ((2048, 2048, 2048), (512, 512, 512), (128, 256, 512), (64, 64, 256), (1024, 256, 128))


def _row(operation, seconds, m, n=1, k=1, batch=1, direction="forward"):
    return Row(operation, direction, m, n, k, batch, seconds, seconds, seconds)


def _rows():
    rows = [
        _row("copy", 8 * 10**7 / BANDWIDTH, 10**7),
        _row("add", 12 * 10**7 / BANDWIDTH, 10**7),
        _row("launch", LAUNCH_S, 16),
    ]
    for m, n, k in PRODUCTS:
        once = 2.0 * m * n * k / PEAK
        rows += [_row("gemm", once, m, n, k), _row("gemm", 2 * once / 0.8, m, n, k, direction="backward")]
    for tokens, heads in product((256, 1024, 4096), (4, 8)):
        once = 2.0 * heads * tokens**2 * 64 / (0.5 * PEAK) * (1 + 100 / tokens)
        rows += [
            _row("attention", once, tokens, heads, 64),
            _row("attention", 2 * 2.5 * once, tokens, heads, 64, direction="backward"),
        ]
    for kind, size, direction in product(get_args(Eager), (128, 2048), ("forward", "backward")):
        row = _row(kind, 1.0, size, size, direction=direction)
        rows.append(_row(kind, 3.0 * fused_bytes(row, 4.0) / BANDWIDTH, size, size, direction=direction))
    for power in range(10, 26, 3):
        size = 1 << power
        for kind in ("all_reduce", "all_gather", "reduce_scatter"):
            rows.append(_row(kind, float(TIMES[kind](size, place(2.0, 1.0, (LINK,)))), size, 2))
        rows.append(_row("sendrecv", float(send_recv_s(size, 1.0, (LINK,))), size, 2))
    return rows


@pytest.fixture(scope="module")
def found():
    return fit_machine(_rows(), "fp32")


def test_rates_are_those_of_the_best_rows(found):
    assert found.peak_flops_per_s == pytest.approx(PEAK)
    assert found.memory_bytes_per_s == pytest.approx(BANDWIDTH)
    assert found.launch_s == LAUNCH_S


def test_fits_reproduce_what_made_the_rows(found):
    assert found.gemm_fit.median_error < 0.05
    assert found.gemm.backward_share == pytest.approx(0.8, rel=0.1)
    assert found.attention_fit.median_error < 0.05
    assert found.attention.backward_fraction / found.attention.forward_fraction == pytest.approx(0.5, rel=0.1)
    assert found.link_fit.median_error < 0.05


def test_element_wise_work_is_a_ratio_to_one_pass(found):
    for passes in found.eager.values():
        assert np.allclose([ratio for _, ratio in (*passes.forward, *passes.backward)], 3.0, rtol=0.01)
    assert found.eager["optimizer"].backward == ()


def test_entries_are_read_back_as_the_catalog_reads_them(found, tmp_path):
    machine = Machine("Some CPU", "Maker", 2, 8e9, "2.0", "2026-11-21", 0.1)
    files = machine_entries("some-cpu", found, machine, 2, 1, "cpu", "fp32")
    assert sorted(files) == ["accelerators/some-cpu.yaml", "kernels/some-cpu.yaml", "nodes/some-cpu.yaml"]
    for path, text in files.items():
        file = tmp_path / path
        file.parent.mkdir()
        file.write_text(text)
        entry = load(file.parent.name, file)
        assert {figure.kind for figure in entry.figures.values()} <= {"measured", "assumed"}
    node = load("nodes", tmp_path / "nodes" / "some-cpu.yaml").spec
    assert node.scale_up_bytes_per_s_one_way == pytest.approx(found.link.bytes_per_s_one_way, rel=1e-3)


def test_a_gpu_keeps_its_multiprocessors_and_a_host_what_ran_before(found, tmp_path):
    machine = Machine("Some GPU", "Maker", 2, 8e9, "2.0", "2026-11-21", 0.1, num_sms=132, busy_cores=1.25)
    files = machine_entries("some-gpu", found, machine, 2, 1, "cuda", "bf16")
    file = tmp_path / "some-gpu.yaml"
    file.write_text(files["accelerators/some-gpu.yaml"])
    entry = load("accelerators", file)
    chip = entry.spec
    assert (chip.num_sms, chip.memory_bytes, chip.accelerator_class) == (132, 8e9, "datacentre")
    assert chip.bf16_flops_per_s == pytest.approx(PEAK)
    assert chip.fp32_flops_per_s is None
    assert "others kept 1.2 cores busy before" in entry.sources["measured"].note


def test_shipped_entries_are_what_the_shipped_rows_make():
    """But for what a search for the best fit ends in, which libraries of numbers may change."""
    data = Path(str(resources.files("myriad"))) / "data"
    name = "xeon-cascade-lake-1r"
    rows = read_rows((data / "measurements" / "machines" / f"{name}.csv").read_text())
    machine = Machine(**json.loads((data / "measurements" / "machines" / f"{name}.json").read_text()))
    files = machine_entries(name, fit_machine(rows, "fp32"), machine, 1, 1, "cpu", "fp32")
    for path, text in files.items():
        made, kept = (yaml.safe_load(one) for one in (text, (data / path).read_text()))
        for entry in (made, kept):
            entry.pop("notes", None)
            for fitted in ("gemm", "grouped_gemm", "attention"):
                entry["spec"].pop(fitted, None)
        assert made == kept


@pytest.mark.parametrize("name", ["xeon-amx-1r", "xeon-amx-4r", "xeon-cascade-lake-2r"])
def test_what_was_fitted_to_runs_on_gpus_leaves_a_measured_machine_alone(name):
    """A shipped entry says what the same file says in a user's catalog: its passes were measured, both of them."""
    path = Path(str(resources.files("myriad"))) / "data" / "kernels" / f"{name}.yaml"
    written, shipped = load("kernels", path).spec, catalog.entry("kernels", name).spec
    unmeasured = {"scan_share", "training_share"}
    assert "fp32" not in shipped.training_share
    assert shipped.model_dump(exclude=unmeasured) == written.model_dump(exclude=unmeasured)


def test_a_table_without_an_operation_is_refused():
    with pytest.raises(MissingDataError, match="no launch"):
        fit_machine([row for row in _rows() if row.operation != "launch"], "fp32")


def test_one_rank_has_no_link():
    alone = fit_machine([row for row in _rows() if row.n != 2 or row.operation in get_args(Eager)], "fp32")
    assert alone.link is None
