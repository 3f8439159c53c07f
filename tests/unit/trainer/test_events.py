from __future__ import annotations

import resource
from pathlib import Path

import pytest

from myriad.spec.run import RankEvent
from myriad.trainer.events import EventLog, life, peak_memory_bytes


def read(folder: Path) -> list[RankEvent]:
    lines = (folder / "events" / "000.000" / "rank-00003.jsonl").read_text().splitlines()
    return [RankEvent.model_validate_json(line) for line in lines]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "000.000"),
        ({"MYRIAD_SUBMISSION": "2", "TORCHELASTIC_RESTART_COUNT": "1"}, "002.001"),
        ({"TORCHELASTIC_RESTART_COUNT": "1", "SLURM_RESTART_COUNT": "11"}, "000.012"),
    ],
)
def test_lives_are_numbered_by_whoever_starts_ranks_again(environment: dict[str, str], expected: str) -> None:
    assert life(environment) == expected


def test_a_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    with EventLog(tmp_path, "000.000", 3) as log:
        log.write("step", step=1, loss=2.5)
        (event,) = read(tmp_path)
        assert (event.kind, event.rank, event.step, event.loss) == ("step", 3, 1, 2.5)


def test_what_ends_a_rank_is_its_last_line(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "000.000", 3)
    log.step = 7
    with pytest.raises(RuntimeError), log:
        raise RuntimeError("connection closed by peer\nand much more")
    event = read(tmp_path)[-1]
    assert (event.kind, event.step, event.text) == ("error", 7, "RuntimeError: connection closed by peer")


def test_an_orderly_end_is_no_error(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "000.000", 3)
    log.write("finish", step=1)
    with pytest.raises(SystemExit), log:
        raise SystemExit(0)
    assert [event.kind for event in read(tmp_path)] == ["finish"]


def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with EventLog(tmp_path, "000.000", 3) as log:
        log.write("step", step=1)
        size = (tmp_path / "events" / "000.000" / "rank-00003.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
        try:
            log.write("step", step=2)  # cut short
            log.write("step", step=3)  # refused
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        log.write("step", step=4)
    lines = (tmp_path / "events" / "000.000" / "rank-00003.jsonl").read_text().splitlines()
    assert [RankEvent.model_validate_json(line).step for line in (lines[0], lines[-1])] == [1, 4]
    assert "event step was lost: File too large" in capfd.readouterr().err


def test_peak_memory_is_in_bytes() -> None:
    assert 10e6 < peak_memory_bytes() < 1e12
