"""`myriad jobs draw` and `myriad jobs fit`: what they print and write, and what they refuse."""

import csv
import json
from pathlib import Path

import pytest

SACCT = """\
JobID|Account|Submit|Start|End|State|AllocTRES|Timelimit
1|nlp|2026-03-01T00:00:00|2026-03-01T00:00:10|2026-03-01T01:00:10|COMPLETED|gres/gpu=8|02:00:00
1.batch|nlp|2026-03-01T00:00:00|2026-03-01T00:00:10|2026-03-01T01:00:10|COMPLETED|cpu=8|
2|nlp|2026-03-01T06:00:00|2026-03-01T06:00:00|2026-03-01T06:30:00|FAILED|gres/gpu=8|02:00:00
3|cv|2026-03-01T12:00:00|2026-03-01T12:01:00|2026-03-01T12:02:00|CANCELLED by 7|gres/gpu=1|02:00:00
4|cv|2026-03-02T00:00:00|Unknown|Unknown|PENDING|gres/gpu=1|02:00:00
"""


def test_drawn_jobs_are_a_trace_and_a_trace_is_a_mix(myriad):
    done = myriad("jobs", "draw", "--mix", "kalos", "--days", "20", "--out", "jobs.csv", "--json", "drawn.json")
    assert done.code == 0, done.err
    assert "Acme Kalos: 2,0" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    result = json.loads(Path("drawn.json").read_text("utf-8"))
    assert result["given"]["median_run"] == 124
    with Path("jobs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result["drawn"]["jobs"]
    done = myriad("jobs", "fit", "jobs.csv", "--accelerators", "2416", "--out", "mix.yaml", "--json", "-")
    assert done.code == 0, done.err
    again = json.loads(done.out)
    assert again["given"]["mean_accelerators"] == pytest.approx(result["drawn"]["mean_accelerators"])
    assert again["drawn"]["median_run"] == pytest.approx(result["drawn"]["median_run"], rel=0.15)
    done = myriad(
        "jobs", "draw", "--mix", "mix.yaml", "--days", "5", "--scale", "2", "--out", "more.csv", "--lang", "zh"
    )
    assert done.code == 0, done.err
    assert "每天作业数" in done.out


def test_the_same_seed_writes_the_same_file_and_another_seed_another(myriad):
    for seed, name in (("1", "a.csv"), ("1", "b.csv"), ("2", "c.csv")):
        assert myriad("jobs", "draw", "--mix", "kalos", "--days", "2", "--seed", seed, "--out", name).code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes() != Path("c.csv").read_bytes()


def test_jobs_ask_for_more_than_they_run_where_that_is_said(myriad):
    assert myriad("jobs", "draw", "--mix", "kalos", "--days", "2", "--asked", "3", "--out", "jobs.csv").code == 0
    with Path("jobs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["limit_s"]) == pytest.approx(3 * float(row["run_s"]), abs=0.01) for row in rows)


def test_accounting_of_slurm_becomes_a_mix(myriad):
    Path("sacct.txt").write_text(SACCT, "utf-8")
    done = myriad("jobs", "fit", "sacct.txt", "--name", "ours", "--out", "ours.yaml")
    assert done.code == 0, done.err
    assert "1 jobs never started" in done.out
    text = Path("ours.yaml").read_text("utf-8")
    assert "name: ours" in text
    assert "tenant: nlp" in text
    assert "mix: ours.yaml" in done.err


def test_published_figures_become_a_mix(myriad):
    Path("ours.yaml").write_text(
        "jobs_per_day: 500\nmedian_run: 10 min\nmean_run: 2 h\nmean_accelerators: 12\nmost_accelerators: 256\n"
        "by_jobs: {completed: 60%, failed: 30%, cancelled: 10%}\n"
    )
    done = myriad("jobs", "fit", "ours.yaml", "--out", "mix.yaml")
    assert done.code == 0, done.err
    assert "2 hours" in done.out
    assert myriad("jobs", "draw", "--mix", "mix.yaml", "--days", "1", "--out", "jobs.csv").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("draw", "--mix", "acme-sern", "--out", "x.csv"),
            "--mix: unknown job mix 'acme-sern'; did you mean 'acme-seren'",
        ),
        (("draw", "--mix", "kalos", "--days", "0", "--out", "x.csv"), "--days: found 0, expected more than 0"),
        (("draw", "--mix", "kalos", "--scale", "-1", "--out", "x.csv"), "--scale: found -1"),
        (("draw", "--mix", "kalos", "--asked", "0.5", "--out", "x.csv"), "--asked: found 0.5, expected 1 or more"),
        (("draw", "--mix", "kalos", "--seed", "-1", "--out", "x.csv"), "--seed: found -1"),
        (("draw", "--mix", "none.yaml", "--out", "x.csv"), "--mix: none.yaml"),
        (("draw", "--mix", "kalos", "--days", "999999", "--out", "x.csv"), "at most 2e+07 fit"),
        (("draw", "--mix", "kalos", "--out", "nowhere/x.csv"), "--out: nowhere/x.csv: there is no folder"),
        (("fit", "sacct.txt", "--out", "mix.txt"), "--out: mix.txt: expected a name that ends with .yaml"),
        (("fit", "sacct.txt", "--out", "sacct.txt"), "would overwrite the input"),
        (("fit", "none.csv", "--out", "mix.yaml"), "none.csv: no such file"),
        (("fit", "bad.csv", "--out", "mix.yaml"), "bad.csv:2: run_s: found 'x'"),
        (("fit", "bad.yaml", "--out", "mix.yaml"), "bad.yaml:1: unknown key 'mean_rum'; did you mean 'mean_run'"),
        (("fit", "odd.yaml", "--out", "mix.yaml"), "odd: no mix of lognormal run times"),
        (("fit", "sacct.txt", "--accelerators", "many", "--out", "mix.yaml"), "--accelerators: "),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(myriad, arguments, message):
    Path("sacct.txt").write_text(SACCT, "utf-8")
    Path("bad.csv").write_text("submitted_s,accelerators,run_s\n0,8,x\n")
    Path("bad.yaml").write_text("mean_rum: 5 s\n")
    Path("odd.yaml").write_text("jobs_per_day: 5\nmedian_run: 60 s\nmean_accelerators: 100\nmost_accelerators: 8\n")
    before = sorted(path.name for path in Path().iterdir())
    done = myriad("jobs", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""
    assert sorted(path.name for path in Path().iterdir()) == before
