"""Sweeps for tests. `result` is written by hand: of eight points two do not fit and one is in error."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from myriad.api.sweep import row_of
from myriad.spec.layout import Layout
from myriad.spec.result import TIME_PARTS
from myriad.spec.sweep import Grid, SweepPoint
from myriad.spec.sweep_result import Found, SweepResult

GRID = Grid.model_validate(
    {
        "myriad": 1,
        "name": "Fabric <b>and</b> size",
        "description": "Two models & two sizes",
        "base": {"accelerator": "h100", "seq_len": 8192, "global_batch": 512},
        "axes": {"model": ["dense", "sparse"], "gpus": [64, 128]},
        "zip": [
            {
                "scale_out_bandwidth": ["200 Gb/s", "400 Gb/s"],
                "price": ["2 USD/GPU-h", "2.5 USD/GPU-h"],
            }
        ],
    }
)


def found(point: SweepPoint) -> Found:
    if point.model == "sparse" and point.gpus == 64:
        reason = "none of 12 layouts fits in memory; the nearest, TP8, lacks 3.0 GiB per accelerator"
        return Found(status="infeasible", reason=f"sparse on 64 x H100: {reason}")
    if point.model == "sparse" and point.scale_out_bandwidth == 25e9:
        return Found(status="error", reason="something <i>odd</i>")
    fast = point.scale_out_bandwidth == 50e9
    step_s = (10.0 if fast else 11.0) * 64 / point.gpus * (1.1 if point.gpus == 128 else 1.0)
    tokens = point.seq_len * point.global_batch
    return Found(
        status="ok", layout=Layout(tp=8, dp=point.gpus // 8, recompute=("moe_act", "layernorm")), num_gpus=point.gpus,
        step_s=step_s, low_step_s=step_s / 1.1, high_step_s=step_s * 1.1, band_basis="known",
        tokens_per_s=tokens / step_s, tokens_per_s_per_gpu=tokens / step_s / point.gpus, mfu=4 / step_s,
        hfu=4.2 / step_s, memory_peak_bytes=60e9, memory_capacity_bytes=80e9,
        time_parts_s=dict.fromkeys(TIME_PARTS, step_s / 16),
        scale_up_bytes_per_s=450e9, scale_out_bytes_per_s=point.scale_out_bandwidth, layouts_evaluated=100,
        layouts_fitting=40, search_s=0.5,
    )  # fmt: skip


def result() -> SweepResult:
    points = list(GRID.points())
    rows = tuple(row_of(point, found(point), point.price.amount if point.price else None) for point in points)
    return SweepResult(
        name=GRID.name, description=GRID.description, version="0.1.0", varied=GRID.varied, rows=rows,
        searches=len(rows), reused=3, sweep_s=4.2,
    )  # fmt: skip


#: A grid of searches that take a fraction of a second; 12 accelerators are no whole number of nodes.
SMALL_GRID = """\
myriad: 1
name: Eight points
base: {model: llama3.1-8b, accelerator: h100, seq_len: 8192}
axes:
  gpus: [8, 12, 16]
  global_batch: 64..128 x2
  price: [2 USD/GPU-h, 3 USD/GPU-h]
"""


PATIENCE_S = 180
"""How long a sweep may take on a busy machine; alone, each here ends in seconds."""


@contextmanager
def sweeping(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`myriad sweep` as a process, which does not outlive the block."""
    command = [sys.executable, "-m", "myriad", "sweep", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sweep:
        try:
            yield sweep
        finally:
            sweep.kill()


def wait_for_rows(sweep: subprocess.Popen[str], journal: Path, number: int) -> None:
    """Until the sweep has written so many results into the journal."""
    deadline = time.monotonic() + PATIENCE_S
    while not journal.exists() or journal.read_bytes().count(b"\n") < 1 + number:
        if sweep.poll() is not None or time.monotonic() > deadline:
            sweep.kill()
            pytest.fail(f"too few rows; the sweep said: {sweep.communicate()[1]}")
        time.sleep(0.01)
