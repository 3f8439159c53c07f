"""What a planned job's launch is told beside its plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad import api
from myriad.spec.system import System


def data_of(data: str) -> str | None:
    system = System.model_validate(
        {
            "myriad": 1,
            "name": "One node",
            "pools": {"lab": {"node": "dgx-h100", "count": 8, "scheduler": {"kind": "local"}}},
            "jobs": {
                "pretrain": {
                    "model": "qwen3-0.6b", "seq_len": 512, "global_batch": 8, "layout": {"dp": 8},
                    "launch": {"framework": "megatron-lm", "data": data},
                }
            },
        }
    )  # fmt: skip
    return api.training_launch(system, steps=1).launch.data


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with indexed data, as Megatron's tools leave it, and a text."""
    monkeypatch.chdir(tmp_path)
    for name in ("a_text.bin", "a_text.idx", "b c.bin", "b c.idx", "half.bin", "d e.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_data_is_found_from_the_folder_of_the_run(here: Path) -> None:
    assert data_of("a_text") == f"{here}/a_text"
    assert data_of("b c") == f"'{here}/b c'"
    assert data_of("0.3 a_text 0.7 'b c'") == f"0.3 {here}/a_text 0.7 '{here}/b c'"
    assert data_of("d e.txt") == f"{here}/d e.txt"


@pytest.mark.parametrize("name", ["/data/set", "0.5 /data/x 0.5 /data/y", "half", "org/name"])
def test_data_that_is_not_here_stays_as_it_is_named(here: Path, name: str) -> None:
    assert data_of(name) == name
