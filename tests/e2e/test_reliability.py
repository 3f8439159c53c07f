"""`myriad reliability` and `myriad validate reliability`: what they print and write, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

INCIDENTS = "time,cause,node,downtime,detection\n" + "".join(
    f"{3000 * index},{cause},n{index % 37},{downtime},30\n"
    for index, (cause, downtime) in enumerate([("Xid 79", "4h"), ("NCCL timeout", "0"), ("Goblins", "20 min")] * 20)
)
STEPS = "time,step,seconds\n" + "".join(f"{10 * step},{step},10\n" for step in range(1, 200))
ROWS = """\
schema: 1
source: {title: my cluster, read_on: 2026-11}
overheads: [{id: mine, what: a save of 30 s, published: 1 %, interval: 50 min, blocking: 30 s}]
runs:
  - id: mine-run
    what: a run
    published: 0.95
    is: exact
    stated: {accelerators: 64, mtti: 24 h, checkpoint_interval: 30 min, downtime: 10 min}
"""


@pytest.fixture
def incidents() -> str:
    Path("incidents.csv").write_text(INCIDENTS, "utf-8")
    return "incidents.csv"


def test_fit_prints_intervals_and_writes_an_entry(myriad, incidents):
    Path("steps.csv").write_text(STEPS, "utf-8")
    done = myriad(
        "reliability", "fit", incidents, "--nodes", "64", "--days", "10", "--steps", "steps.csv",
        "--out", "mine.yaml", "--json", "fit.json",
    )  # fmt: skip
    assert done.code == 0
    assert "entry: mine.yaml" in done.err
    for said in ("60 incidents on 64 nodes in 10 days", "nccl-timeout", "goblins", "fixed", "ETTR 100.0%"):
        assert said in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    fit = json.loads(Path("fit.json").read_text("utf-8"))
    assert fit["per_1000_node_days"]["value"] == pytest.approx(60 / 640 * 1000)
    assert fit["steps"]["steps"] == 199
    shown = myriad("reliability", "show", "mine.yaml")
    assert (shown.code, "goblins" in shown.out) == (0, True)


def test_the_entry_is_used_as_it_is(myriad, incidents, system):
    assert myriad("reliability", "fit", incidents, "--nodes", "64", "--days", "10", "--out", "mine.yaml").code == 0
    system.write_text(system.read_text("utf-8").replace("count: 8,", "count: 8, reliability: mine.yaml,"), "utf-8")
    done = myriad("plan", str(system), "--json", "plan.json")
    assert done.code == 0, done.err
    system.write_text(system.read_text("utf-8").replace("mine.yaml", "lost.yaml"), "utf-8")
    done = myriad("plan", str(system))
    assert (done.code, "lost.yaml: no such file" in done.err) == (2, True)


def test_fit_of_a_bad_log_writes_nothing(myriad, incidents):
    Path("incidents.csv").write_text(INCIDENTS + "soon,Xid 79,n1,1h,30\n", "utf-8")
    done = myriad("reliability", "fit", incidents, "--nodes", "64", "--days", "10", "--out", "mine.yaml")
    assert (done.code, "incidents.csv:62: time: expected a time" in done.err) == (2, True)
    assert len(done.err.splitlines()) == 1
    assert not Path("mine.yaml").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--nodes 0", "--nodes:"),
        ("--nodes 64 --days 0", "--days:"),
        ("--nodes 64 --days 1", "incidents.csv:31: time: outside of the 1 days"),
        ("--nodes 8 --days 10", "one more than all 8 nodes"),
        ("--nodes 64 --days 10 --out mine.csv", "--out: expected a file name that ends with .yaml"),
        ("--nodes 64 --days 10 --out incidents.csv", "--out: incidents.csv would overwrite"),
        ("--nodes 64 --days 10 --detection -1", "--detection:"),
        ("--nodes 64 --days 10 --start 2026-01-01", "--start: the log has seconds"),
        ("--nodes 64 --days 10 --steps incidents.csv", "incidents.csv:1:"),
    ],
)
def test_wrong_options(myriad, incidents, options, said):
    done = myriad("reliability", "fit", incidents, *options.split())
    assert (done.code, said in done.err) == (2, True), done.err
    assert len(done.err.splitlines()) == 1


def test_show_lists_rates_and_ranges(myriad):
    done = myriad("reliability", "show", "llama3-h100", "--json", "-")
    assert done.code == 0
    shown = json.loads(done.out)
    assert shown["per_1000_node_days"] == pytest.approx(3.79, abs=0.5)
    assert myriad("reliability", "show", "llama3-h10").code == 2


def test_validation_shows_every_row(myriad):
    done = myriad("validate", "reliability", "--runs", "3", "--json", "rows.json")
    assert done.code == 0
    result = json.loads(Path("rows.json").read_text("utf-8"))
    assert result["runs"] == 3
    for row in result["per_row"]:
        assert row["id"] in done.out
    assert "not judged" in done.out


def test_validation_of_own_figures(myriad):
    Path("mine.yaml").write_text(ROWS, "utf-8")
    done = myriad("validate", "reliability", "--rows", "mine.yaml", "--runs", "3", "--json", "-")
    assert done.code == 0
    by_id = {row["id"]: row for row in json.loads(done.out)["per_row"]}
    assert by_id["mine"]["holds"]
    assert by_id["mine-run"]["formula"] == pytest.approx(0.98, abs=0.01)
    Path("mine.yaml").write_text(ROWS.replace("downtime: 10 min", "downtme: 10 min"), "utf-8")
    done = myriad("validate", "reliability", "--rows", "mine.yaml")
    assert (done.code, "downtme" in done.err) == (2, True)
    Path("mine.yaml").write_text(ROWS.replace("blocking: 30 s", "blocked: 30 s"), "utf-8")
    done = myriad("validate", "reliability", "--rows", "mine.yaml")
    assert (done.code, "mine.yaml:3: " in done.err, "'blocked'" in done.err) == (2, True, True)
    assert myriad("validate", "reliability", "--runs", "1").code == 2
