"""`myriad sweep`: what it prints and writes, and that an end at any moment loses nothing."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pytest

from sweep_fixtures import PATIENCE_S, sweeping, wait_for_rows
from sweep_fixtures import SMALL_GRID as GRID

FLAGS = ("sweep", "--model", "llama3.1-8b", "--seq-len", "8192", "--global-batch", "64")


@pytest.fixture
def grid() -> Path:
    path = Path("grid.yaml")
    path.write_text(GRID, "utf-8")
    return path


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key != "search_s"} for row in csv.DictReader(file)]


def test_a_grid_gives_a_summary_and_files(myriad, grid):
    done = myriad("sweep", "grid.yaml", "--out", "rows.csv", "--html", "sweep.html", "--json", "sweep.json")
    assert done.code == 0, done.err
    assert "grid of 12: gpus 3 x global_batch 2 x price 2; searches: 6, done before: 0" in done.err
    assert "Points: 12, with a layout: 8, infeasible: 0, in error: 4. Searches: 6 in" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    rows = table("rows.csv")
    assert [row["gpus"] for row in rows] == [gpus for gpus in ("8", "12", "16") for _ in range(4)]
    whole = json.loads(Path("sweep.json").read_text("utf-8"))
    assert (whole["format"], len(whole["rows"])) == ("myriad-sweep-1", 12)
    assert Path("sweep.html").read_text("utf-8").startswith("<!")
    files = ["grid.yaml", "rows.csv", "rows.csv.journal", "sweep.html", "sweep.json"]
    assert sorted(path.name for path in Path().iterdir()) == files

    again = myriad("sweep", "grid.yaml", "--global-batch", "128", "--out", "rows.jsonl", "--lang", "zh")
    assert again.code == 0, again.err
    assert "有可行布局" in again.out
    lines = [json.loads(line) for line in Path("rows.jsonl").read_text("utf-8").splitlines()]
    assert [line["global_batch"] for line in lines] == [128] * 6


def test_options_alone_describe_a_grid(myriad):
    arguments = (
        "--cluster",
        "h100:8,16,h200:8",
        "--price",
        "2 USD/GPU-h,2 USD/GPU-h,3 USD/GPU-h",
        "--zip",
        "cluster,price",
    )
    done = myriad(*FLAGS, *arguments, "--json", "-", "--workers", "1")
    assert done.code == 0, done.err
    rows = json.loads(done.out)["rows"]
    assert [(row["point"]["accelerator"], round(row["price_usd_per_gpu_hour"], 9)) for row in rows] == [
        ("h100", 2), ("h100", 2), ("h200", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("end", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_what_was_finished_at_the_end_of_a_process_is_not_searched_again(grid, end, code):
    grid.write_text(GRID.replace("[8, 12, 16]", "8..32 +8"), "utf-8")
    sweep = ("grid.yaml", "--out", "rows.csv", "--workers", "1")
    journal = Path("rows.csv.journal")
    with sweeping(*sweep) as stopped:
        wait_for_rows(stopped, journal, 2)
        os.kill(stopped.pid, end)
        _, said = stopped.communicate(timeout=PATIENCE_S)
    assert stopped.returncode == code
    if code == 130:
        assert "the same command continues" in said
        assert "Traceback" not in said
    finished = journal.read_bytes().count(b"\n") - 1
    assert 2 <= finished < 8
    assert not Path("rows.csv").exists()

    with sweeping(*sweep) as resumed:
        _, said = resumed.communicate(timeout=PATIENCE_S)
    assert resumed.returncode == 0, said
    assert f"searches: 8, done before: {finished}" in said
    keys = [json.loads(line)["key"] for line in journal.read_text("utf-8").splitlines()[1:]]
    assert len(keys) == len(set(keys)) == 8
    rows = table("rows.csv")
    assert len(rows) == 16

    if end == signal.SIGKILL:
        with sweeping("grid.yaml", "--out", "whole.csv") as whole:
            _, said = whole.communicate(timeout=PATIENCE_S)
        assert whole.returncode == 0, said
        assert table("whole.csv") == rows
