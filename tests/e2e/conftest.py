"""The command line in this process: the exit code and what it printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from myriad.cli import run

SYSTEM = """\
myriad: 1
name: A small plan
pools:
  lab: {accelerator: h100, count: 8, terms: {kind: rented, price: 2 USD/GPU-h}}
jobs:
  pretrain:
    model: llama3.1-8b
    tokens: 100 B tokens
    deadline: 60 days
    seq_len: 8192
    global_batch: 128
    layout: {tp: 2, dp: 4}
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def myriad(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `myriad ARGUMENTS` in this process, which is much faster than a process of its own."""

    def call(*arguments: str) -> Done:
        code = run(arguments)
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return call


@pytest.fixture
def system(tmp_path: Path) -> Path:
    path = tmp_path / "system.yaml"
    path.write_text(SYSTEM, "utf-8")
    return path
