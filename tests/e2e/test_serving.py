"""`myriad serving`: one deployment by options or from a file, the search, and what is said to wrong input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

ASKED = ("--input", "4000", "--output", "1000")
ONE = ("serving", "estimate", "--model", "qwen3-32b", "--cluster", "h200:4", *ASKED)
SEARCH = ("serving", "search", "--model", "llama3.1-8b", "--cluster", "h100:4", *ASKED, "--ttft", "1s")
FILE = """\
model: qwen3-32b
accelerator: h200
replicas: {layout: {tp: 2}, work: {engine: vllm, precision: fp8}, count: 1}
prefill: {layout: {tp: 1}, work: {engine: vllm, precision: fp8}, count: 2}
"""


def test_estimate_says_what_users_see(myriad):
    done = myriad(*ONE, "--tp", "2", "--replicas", "2", "--precision", "fp8", "--concurrency", "64", "--json", "e.json")
    assert (done.code, done.err) == (0, "")
    assert "2 x TP2" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    estimate = json.loads(Path("e.json").read_text("utf-8"))
    assert estimate["concurrency"] == 64
    assert estimate["deployment"]["replicas"]["work"]["precision"] == "fp8"
    assert sum(estimate["decode_parts_s"].values()) == pytest.approx(estimate["decode_s"])


def test_prefill_apart_by_options_and_by_file_are_the_same(myriad):
    options = ("--tp", "2", "--prefill-tp", "1", "--prefill-replicas", "2", "--engine", "vllm", "--precision", "fp8")
    by_options = myriad(*ONE, *options, "--concurrency", "32", "--json", "-")
    Path("deployment.yaml").write_text(FILE, encoding="utf-8")
    by_file = myriad(
        "serving", "estimate", "--deployment", "deployment.yaml", *ASKED, "--concurrency", "32", "--json", "-"
    )
    one, other = json.loads(by_options.out), json.loads(by_file.out)
    assert (one["ttft_s"], one["tpot_s"], one["requests_per_s"]) == (
        other["ttft_s"],
        other["tpot_s"],
        other["requests_per_s"],
    )
    assert one["deployment"]["prefill"]["count"] == 2


def test_search_answers_in_words_tables_and_files(myriad):
    done = myriad(*SEARCH, "--tpot", "40ms", "--top", "3", "--html", "s.html", "--csv", "s.csv", "--json", "s.json")
    assert done.code == 0
    assert done.err == "points: s.csv\npage: s.html\n"
    assert done.out.splitlines()[0].startswith("Llama 3.1 8B · 4 x NVIDIA H100")
    assert max(map(len, done.out.splitlines())) <= 80
    found = json.loads(Path("s.json").read_text("utf-8"))
    assert len(found["ranked"]) == 3
    assert found["ranked"][0]["ttft_at_percentile_s"] <= 1.0
    assert found["best"]["deployment"] == found["ranked"][0]["deployment"]
    rows = list(csv.DictReader(Path("s.csv").read_text("utf-8").splitlines()))
    assert [row["list"] for row in rows[:4]] == ["ranked"] * 3 + ["pareto"]
    assert len(rows) == 3 + len(found["pareto"]) + sum(map(len, found["curves"].values()))
    assert "最优" in myriad(*SEARCH, "--lang", "zh").out


def test_a_rate_is_answered_by_few_gpus(myriad):
    found = json.loads(myriad(*SEARCH, "--rate", "3", "--json", "-").out)
    assert found["ranked"][0]["requests_per_s"] >= 3
    assert found["ranked"][0]["limit"] == "load"


def test_prefill_is_put_where_it_is_wanted(myriad):
    for place, apart in (("beside", False), ("apart", True)):
        found = json.loads(myriad(*SEARCH, "--prefill", place, "--json", "-").out)
        assert {row["deployment"]["prefill"] is not None for row in found["ranked"]} == {apart}
        assert "disaggregated" in found["curves"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*ONE, "--tp", "3"), "layout TP3: tp does not divide the attention heads"),
        ((*ONE, "--tp", "8"), "the deployment takes 8 accelerators, there are 4"),
        ((*ONE, "--tp", "2", "--ep", "3"), "--ep: ep=3 does not divide"),
        ((*ONE, "--prefill-tp", "x"), "--prefill-tp: "),
        ((*ONE, "--precision", "fp9"), "--precision: "),
        ((*ONE, "--engine", "vlm"), "'vlm'"),
        (("serving", "estimate", *ASKED), "--model: is missing"),
        (("serving", "estimate", "--deployment", "none.yaml", *ASKED), "none.yaml"),
        ((*SEARCH, "--rate", "0"), "--rate: found '0', expected a number above 0"),
        ((*SEARCH, "--rate", "1", "--concurrency", "2"), "--rate and --concurrency"),
        ((*SEARCH, "--precisions", "fp8,fp7"), "--precisions: "),
        ((*SEARCH, "--precisions", "nvfp4"), "nvfp4"),
        ((*SEARCH, "--tpot", "1us"), "no deployment keeps TPOT"),
        ((*SEARCH, "--rate", "1e6"), "no deployment keeps all promises at 1e+06 requests per second"),
        ((*SEARCH, "--prefill", "far"), "--prefill: "),
        ((*SEARCH, "--percentile", "100"), "--percentile: "),
        (("serving", "serch"), "'serch'"),
    ],
)
def test_wrong_input_is_one_line(myriad, arguments, said):
    done = myriad(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_what_was_found_can_be_launched(myriad):
    found = myriad(*SEARCH, "--precisions", "bf16", "--kv-precisions", "bf16", "--launch", "best.yaml")
    assert found.code == 0, found.err
    assert "launch: best.yaml" in found.err
    files = myriad("launch", "best.yaml", "--dry-run")
    assert files.code == 0, files.err
    assert "vllm serve" in files.out
    assert "--max-model-len 5000" in files.out
