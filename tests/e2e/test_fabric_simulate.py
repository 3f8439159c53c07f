"""`myriad fabric simulate`: what it prints and writes, and what is said to wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

COLLECTIVE = ("fabric", "simulate", "fat-tree-ndr-rails", "--cluster", "dgx-h100:512", "--collective", "all-reduce")
SYSTEM = """\
myriad: 1
name: A job over several hosts
pools:
  lab: {node: hgx-h800, count: 256, terms: {kind: rented, price: 2 USD/GPU-h}}
jobs:
  pretrain:
    model: llama3.1-8b
    tokens: 100 B tokens
    deadline: 60 days
    seq_len: 8192
    global_batch: 256
    layout: {tp: 2, pp: 2, dp: 32}
"""


def test_a_collective_beside_what_links_alone_allow(myriad):
    done = myriad(*COLLECTIVE, "--size", "4GiB", "--json", "r.json")
    assert (done.code, done.err) == (0, "")
    assert "busbw, GB/s" in done.out
    assert "Leaf–spine" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    result = json.loads(Path("r.json").read_text("utf-8"))
    assert result["group"] == 512
    assert result["bus_bytes_per_s"] == pytest.approx(result["ideal_bus_bytes_per_s"], rel=0.1)
    assert result["run"]["solves"] == 1


def test_conditions_are_taken_and_said(myriad):
    done = myriad(
        *COLLECTIVE, "--algorithm", "ring", "--group", "16", "--stride", "8", "--jobs", "2", "--placement", "random",
        "--free", "75%", "--routing", "ecmp", "--flows-per-pair", "4", "--links-down", "2%",
        "--slow", "leaf-spine:5%:0.5", "--switches-down", "spine:2", "--efficiency", "90%", "--seed", "7",
        "--json", "r.json",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    text = " ".join(done.out.split())
    assert "placement random, 75.0 % of the hosts free, routing ecmp, 4 flows per pair" in text
    assert "2 % of links between switches down, 5 % of Leaf–spine at 50 %, 2 Spine down" in text
    assert "Links carry 90.0 % of their line rate" in text
    conditions = json.loads(Path("r.json").read_text("utf-8"))["conditions"]
    assert conditions["damage"]["seed"] == conditions["seed"] == 7
    assert conditions["damage"]["links"][1] == {"share": 0.05, "bandwidth_left": 0.5, "tier": "leaf-spine"}


def test_a_step_of_a_plan(myriad):
    Path("s.yaml").write_text(SYSTEM, encoding="utf-8")
    assert myriad("plan", "s.yaml", "--json", "plan.json").code == 0
    step = ("fabric", "simulate", "fat-tree-ndr-2to1", "--system", "s.yaml", "--job", "pretrain")
    done = myriad(*step, "--plan", "plan.json", "--routing", "ecmp", "--json", "r.json")
    assert (done.code, done.err) == (0, "")
    assert "What a step sends" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    result = json.loads(Path("r.json").read_text("utf-8"))
    assert {row["name"] for row in result["traffic"]} >= {"activations", "gradients", "parameters"}
    assert result["step_s"] > result["planned_step_s"]
    whole = json.loads(myriad(*step, "--json", "-").out)
    assert whole["planned_step_s"] == result["planned_step_s"]
    assert whole["step_s"] < result["step_s"]
    assert "一步训练发送的流量" in myriad(*step, "--plan", "plan.json", "--lang", "zh").out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--collective", "all-reduc"), "--collective"),
        (("--algorithm", "rings"), "'ring'"),
        (("--size", "1 parsec"), "--size"),
        (("--size", "0"), "--size"),
        (("--group", "0"), "--group"),
        (("--group", "1024"), "a job of 512"),
        (("--jobs", "1.5"), "--jobs"),
        (("--placement", "pakced"), "--placement"),
        (("--free", "0"), "--free"),
        (("--routing", "hash"), "--routing"),
        (("--links-down", "leaf-spin:1%"), "leaf-spine"),
        (("--links-down", "0"), "--links-down: expected a share above 0"),
        (("--links-down", "1%,"), "--links-down: expected values"),
        (("--links-down", "a:b:1%"), "expected [CLASS:]SHARE"),
        (("--slow", "5%"), "expected [CLASS:]SHARE:LEFT"),
        (("--slow", "5%:2"), "--slow"),
        (("--switches-down", "spines:1"), "'spine'"),
        (("--switches-down", "spine:1000"), "1000 spine down, the network has"),
        (("--switches-down", "spine:x"), "--switches-down"),
        (("--efficiency", "0"), "--efficiency"),
        (("--seed", "-1"), "--seed"),
        (("--system", "s.yaml"), "--cluster: does not go with --system"),
        (("--job", "pretrain"), "--job: does not go with --collective"),
        (("--cluster", "dgx-h100:12"), "whole number of dgx-h100 nodes"),
        (("--links-down", "100%"), "damage leaves no path"),
    ],
)
def test_wrong_input_is_named(myriad, more, said):
    done = myriad(*COLLECTIVE, *more, "--json", "r.json")
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("r.json").exists()


def test_wrong_plans_and_jobs_are_named(myriad):
    Path("s.yaml").write_text(SYSTEM, encoding="utf-8")
    Path("bad.json").write_text("{}", encoding="utf-8")
    step = ("fabric", "simulate", "fat-tree-ndr", "--system", "s.yaml")
    for more, said in (
        ((), "--job is missing"),
        (("--job", "pretrian"), "pretrain"),
        (("--job", "pretrain", "--plan", "none.json"), "--plan: none.json"),
        (("--job", "pretrain", "--plan", "bad.json"), "--plan: bad.json is not what"),
        (("--job", "pretrain", "--placement", "random", "--free", "20%"), "are free"),
    ):
        done = myriad(*step, *more)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert said in done.err
    assert "fat-tree-ndr" in myriad("fabric", "simulate", "fat-tree-ndrx", *COLLECTIVE[3:]).err


def test_fabrics_beside_each_other_with_what_traffic_takes(myriad):
    names = "fat-tree-ndr,fat-tree-ndr-4to1,tpu-v4-torus"
    done = myriad("fabric", "compare", names, "--cluster", "dgx-h100:512", "--traffic", "--json", "c.json")
    assert (done.code, done.err) == (0, "")
    assert "all-to-all of 64" in done.out
    full, few, _ = json.loads(Path("c.json").read_text("utf-8"))["rows"]
    assert full["collectives_s"]["all-to-all of 64"] < few["collectives_s"]["all-to-all of 64"]
