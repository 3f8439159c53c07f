from __future__ import annotations

from pathlib import Path

import pytest

from myriad.trainer.__main__ import main
from trainer_runs import configuration


def test_help_says_how_to_start_it_and_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"], {}) == 0
    said = capsys.readouterr().out
    assert "-m myriad.trainer CONFIG" in said
    assert "143: ended by SIGTERM" in said


def test_every_node_says_once_what_is_wrong_on_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    file = tmp_path / "trainer.json"
    config = configuration(tmp_path, layout={"dp": 8}, data={"text": str(tmp_path / "absent")})
    file.write_text(config.model_dump_json())
    node = {"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    assert main([str(file)], node | {"RANK": "4", "LOCAL_RANK": "0"}) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: data.text: {tmp_path / 'absent'}: cannot be read: no such file or directory"
    assert main([str(file)], node | {"RANK": "5", "LOCAL_RANK": "1"}) == 2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_anything_but_one_file_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}) == 2
    assert capsys.readouterr().err.startswith("error: expected one argument")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    (tmp_path / "run").write_text("a file where the folder should be")
    file = tmp_path / "trainer.json"
    file.write_text(configuration(tmp_path / "run").model_dump_json())
    assert main([str(file)], {}) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: folder: ")
    assert line.endswith("cannot be written: not a directory")
