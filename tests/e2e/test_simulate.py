"""`myriad simulate`: what it prints and writes, the same on any engine, and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from simulated_system import BREAKING
from trace_format import Instant, checked


@pytest.fixture(autouse=True)
def _system() -> None:
    Path("system.yaml").write_text(BREAKING, "utf-8")


def answered(myriad: Any, *arguments: str) -> dict[str, Any]:
    done = myriad("simulate", "system.yaml", "--json", "-", *arguments)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    found.pop("simulate_s")
    return found


def test_a_simulation_is_text_and_files(myriad) -> None:
    done = myriad(
        "simulate", "system.yaml", "--runs", "20", "--json", "result.json", "--events", "events.csv", "--trace",
        "life.json", "--html", "page.html",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines())) <= 80
    assert "pretrain" in done.out
    assert done.err == "events: events.csv\ntrace: life.json\npage: page.html\n"
    result = json.loads(Path("result.json").read_text("utf-8"))
    (campaign,) = result["campaigns"]
    assert campaign["runs"] == 20
    assert sum(part["mean"] for part in campaign["ledger_s"].values()) == pytest.approx(campaign["wall_s"]["mean"])
    assert campaign["finish_quantiles_s"] == sorted(campaign["finish_quantiles_s"])
    assert list(result["missing"]) == ["tune"]
    assert "pools.quiet.reliability" in result["missing"]["tune"]
    with Path("events.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["run"] for row in rows} == {str(run) for run in range(20)}
    shown = [row for row in rows if row["run"] == str(campaign["life_run"])]
    assert [row["kind"] for row in shown] == [event["kind"] for event in campaign["life"]]
    trace = checked(Path("life.json").read_text("utf-8"))
    failures = [event for event in campaign["life"] if event["kind"] in ("failure", "slow", "repaired")]
    assert len(trace.of(Instant)) == len(failures) > 0
    assert Path("page.html").read_text("utf-8").startswith("<!")


def test_improvements_are_ranked_and_priced(myriad) -> None:
    (campaign,) = answered(myriad, "--runs", "30")["campaigns"]
    names = [one["name"] for one in campaign["improvements"]]
    assert {
        "one_spare", "ten_spares", "hot_spares", "detection_minute", "detection_half", "diagnosis_half", "repair_half",
        "crews_twice", "restart_half", "best_interval", "blocking_half", "peer_memory", "cause_half", "lemons_out",
        "elastic", "replica",
    } == set(names)  # fmt: skip
    assert names.count("cause_half") == 3
    sure = [one["days_saved"]["mean"] for one in campaign["improvements"] if one["days_saved"]["low"] > 0]
    assert sure == sorted(sure, reverse=True)
    assert len(sure) > 3
    spare = next(one for one in campaign["improvements"] if one["name"] == "one_spare")
    days = campaign["wall_s"]["mean"] / 86400
    assert spare["usd_cost"] == pytest.approx(8 * 24 * days * 2.0, rel=0.2)
    assert campaign["usd_per_day"] == pytest.approx(64 * 24 * 2.0)
    for one in campaign["improvements"]:
        assert one["usd_saved"]["mean"] == pytest.approx(one["days_saved"]["mean"] * campaign["usd_per_day"])
    alone = answered(myriad, "--runs", "30", "--no-improvements")["campaigns"][0]
    assert alone.pop("improvements") == []
    assert {name: campaign[name] for name in alone} == alone


def test_the_same_seed_gives_the_same_result_on_one_core_and_two(myriad) -> None:
    one = answered(myriad, "--runs", "12", "--seed", "7", "--workers", "1")
    assert one == answered(myriad, "--runs", "12", "--seed", "7", "--workers", "2")
    assert one != answered(myriad, "--runs", "12", "--seed", "8", "--workers", "1")


def test_more_runs_repeat_those_before(myriad) -> None:
    def runs(number: str) -> list[dict[str, str]]:
        assert (
            myriad("simulate", "system.yaml", "--runs", number, "--no-improvements", "--events", "events.csv").code == 0
        )
        with Path("events.csv").open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if int(row["run"]) < 3]

    assert runs("3") == runs("6")


def test_a_given_plan_gives_the_same_and_another_is_refused(myriad) -> None:
    assert myriad("plan", "system.yaml", "--quiet", "--json", "plan.json").code == 0
    options = ("--runs", "4", "--no-improvements")
    assert answered(myriad, *options, "--plan", "plan.json") == answered(myriad, *options)
    for old, new, said in (
        ("A cluster that breaks", "Another", "it is of 'A cluster that breaks', not of 'Another'"),
        ("100 B tokens", "90 B tokens", "jobs.pretrain.tokens"),
        ("spares: 8", "spares: 16", "planned on 64 accelerators of lab, the file leaves 56"),
    ):
        Path("system.yaml").write_text(BREAKING.replace(old, new), "utf-8")
        done = myriad("simulate", "system.yaml", "--plan", "plan.json", *options)
        assert (done.code, done.out) == (2, "")
        assert done.err.count("\n") == 1
        assert said in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--runs", "1"), "--runs: found 1, expected 2 or more"),
        (("--runs", "x"), "--runs: "),
        (("--seed", "-1"), "--seed: "),
        (("--horizon", "0 days"), "--horizon: expected a time above 0"),
        (("--job", "pretrian"), "unknown job 'pretrian'; did you mean 'pretrain'?"),
        (("--engine", "rey"), "--engine: "),
        (("--engine", "local", "--address", "here:1"), "--address: goes with --engine ray"),
        (("--lang", "fr"), "--lang: "),
        (("--plan", "none.json"), "--plan: none.json: no such file or directory"),
        (("--plan", "system.yaml"), "--plan: system.yaml"),
        (("--events", "system.yaml"), "--events: system.yaml would overwrite the input system.yaml"),
        (("--trace", "no/where.json"), "--trace: no/where.json: there is no folder"),
    ],
)
def test_bad_options_are_one_line(myriad, options: tuple[str, ...], said: str) -> None:
    done = myriad("simulate", "system.yaml", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert [path.name for path in Path().iterdir()] == ["system.yaml"]


def test_a_wrong_profile_is_named_with_its_line(myriad) -> None:
    Path("system.yaml").write_text(
        BREAKING.replace("    count: 8\n", "    count: 8\n    reliability: llama-33\n"), "utf-8"
    )
    done = myriad("simulate", "system.yaml", "--job", "tune", "--runs", "4")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "pools.quiet.reliability" in done.err


def test_what_a_horizon_cuts_off_is_not_finished(myriad) -> None:
    (campaign,) = answered(myriad, "--runs", "5", "--horizon", "1 day", "--no-improvements")["campaigns"]
    assert campaign["finished"]["value"] == 0
    assert campaign["in_time"]["value"] == 0
    assert campaign["finish_quantiles_s"] == [None] * 99
    assert campaign["wall_s"]["mean"] == pytest.approx(86400)
