from __future__ import annotations

import stat
from pathlib import Path

import pytest

from myriad.cli.options import flag_of, read_flag, read_flags
from myriad.cli.output import check_outputs, json_text, progress, write
from myriad.errors import SpecError
from myriad.spec.base import Count, Seconds
from myriad.spec.layout import Layout


def test_write_replaces_the_whole_file_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")
    path.chmod(0o640)
    write(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [found.name for found in tmp_path.iterdir()] == ["plan.json"]


def test_write_follows_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    write(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "real.json").read_text() == "text"


def test_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SpecError, match=r"plan.json: cannot be written: no space left on device"):
        write(path, "new")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["plan.json"]


def test_write_does_not_replace_a_device() -> None:
    write(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_outputs_may_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "x"
    check_outputs({"--json": Path("-"), "--html": path}, tmp_path / "y")
    with pytest.raises(SpecError, match=r"--html: .* would overwrite the output of --json"):
        check_outputs({"--json": path, "--html": tmp_path / "." / "x"})


def test_json_has_no_numbers_that_are_not_finite() -> None:
    assert json_text({"a": "万"}) == '{\n  "a": "万"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("planning") as step:
        step("one")(1, 2)
    assert capsys.readouterr() == ("", "")


def test_flags_are_read_by_the_description() -> None:
    assert read_flags(Layout, {"tp": "8", "recompute": ["selective"]}).recompute == ("core_attn",)
    assert read_flag("--top", "1k", Count) == 1000
    assert read_flag("--deadline", "2 days", Seconds) == 2 * 86400
    assert flag_of("offload_optimizer") == "--offload-optimizer"
    with pytest.raises(SpecError, match=r"^--micro-batch: must be greater than or equal to 1, found '0'$"):
        read_flags(Layout, {"micro_batch": "0"})
    with pytest.raises(SpecError, match=r"^--vpp: vpp above 1 needs pp above 1$"):
        read_flags(Layout, {"vpp": "2"})
