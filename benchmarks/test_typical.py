"""One estimate, and the start of the program."""

from __future__ import annotations

import subprocess
import sys

import myriad
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout


def test_estimate(benchmark) -> None:
    work = TrainingWork(seq_len=8192, global_batch=2048)
    layout = Layout(tp=8, pp=16, vpp=4, dp=128)
    assert benchmark(myriad.estimate_training, "llama3.1-405b", "h100:16384", layout, work).step_s > 0


def test_import(benchmark) -> None:
    benchmark(subprocess.run, [sys.executable, "-c", "import myriad"], check=True)


def test_help(benchmark) -> None:
    benchmark(subprocess.run, [sys.executable, "-m", "myriad", "--help"], check=True, capture_output=True)
