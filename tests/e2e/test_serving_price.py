"""`myriad serving price` and plans with services: what they print and write, and what is said to wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PRICE = (
    "serving", "price", "--model", "gpt-oss-120b", "--cluster", "h100:4", "--precision", "bf16/mxfp4",
    "--input", "4000", "--output", "500", "--cached", "50%", "--ttft", "2s", "--tpot", "50ms",
)  # fmt: skip
SYSTEM = """\
myriad: 1
name: A service alone
pools:
  lab: {accelerator: h100, count: 16, terms: {kind: rented, price: 2 USD/GPU-h}}
services:
  api:
    model: llama3.1-8b
    requests: {input_tokens: 1000, output_tokens: 200}
    requests_per_s: 20
    promise: {tpot: 40 ms}
"""


def test_costs_stand_beside_list_prices(myriad):
    done = myriad(*PRICE, "--utilisation", "50%", "--json", "p.json", "--html", "p.html")
    assert (done.code, done.err) == (0, "page: p.html\n")
    assert "sold:" in done.out
    assert "0.075" in done.out  # cached tokens at Groq
    assert max(map(len, done.out.splitlines())) <= 80
    (row,) = json.loads(Path("p.json").read_text("utf-8"))["rows"]
    assert row["price_source"] == "h100-lease-2026, 2026-04-03"
    assert 0 < row["cost"]["usd"]["cached"] < row["cost"]["usd"]["input"] < row["cost"]["usd"]["output"]
    margin = row["cost"]["list_prices"][0]["margin_fraction"]
    assert margin == pytest.approx(1 - row["cost"]["usd"]["blended"] / row["cost"]["list_prices"][0]["usd"]["blended"])
    half = {point["utilisation"]: point["blended_usd"] for point in row["by_utilisation"]}
    assert half[0.5] == pytest.approx(row["cost"]["usd"]["blended"])
    assert half[1.0] == pytest.approx(half[0.5] / 2)
    assert "model-0-cache" in Path("p.html").read_text("utf-8")


def test_a_price_of_ones_own(myriad):
    done = myriad(*PRICE, "--price", "14.4 CNY/GPU-h", "--json", "-")
    (row,) = json.loads(done.out)["rows"]
    assert row["price_source"] == "given"
    assert 1.8 < row["usd_per_gpu_hour"] < 2.2


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--model", "gpt-oss-121b"), ("gpt-oss-120b",)),
        (("--cluster", "h1000:4"), ("h1000", "h100")),
        (("--cluster", "h100:4,"), ("--cluster: expected names",)),
        (("--cluster", "ascend-910b:8"), ("rental price of ascend-910b", "--price")),
        (("--utilisation", "0"), ("--utilisation: expected a share above 0",)),
        (("--utilisation", "120%"), ("--utilisation",)),
        (("--cached", "2"), ("--cached",)),
        (("--engine", "vlm"), ("--engine:", "vllm")),
        (("--precision", "bf16,fp8"), ("--precision: expected one for all, or one for each of 1, found 2",)),
        (("--precision", "bf17"), ("--precision",)),
        (("--price", "2"), ("--price:", "currency")),
        (("--price", "2 USD/GPU-h,3 USD/GPU-h"), ("--price: expected one for all, or one for each of 1, found 2",)),
        (("--lang", "fr"), ("--lang",)),
    ],
)
def test_wrong_input_is_one_line(myriad, more, said):
    done = myriad(*PRICE, *more)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    for part in said:
        assert part in done.err


def test_a_plan_of_services_alone(myriad):
    Path("system.yaml").write_text(SYSTEM, "utf-8")
    done = myriad("plan", "system.yaml", "--json", "plan.json", "--html", "plan.html")
    assert done.code == 0
    assert "1 of 1 services can run" in done.out
    assert "training" not in done.out
    (service,) = json.loads(Path("plan.json").read_text("utf-8"))["services"]
    assert service["chosen"]["estimate"]["requests_per_s"] >= 20
    assert myriad("explain", "system.yaml").err == "myriad: error: the file has services alone, and no training job\n"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("model: llama3.1-8b", "model: llama3.1-9b", ("services.api.model", "llama3.1-8b")),
        ("requests_per_s: 20", "requests_per_s: 0", ("services.api.requests_per_s",)),
        ("requests_per_s: 20", "requests_per_day: 20", ("requests_per_day", "requests_per_s")),
        ("{tpot: 40 ms}", "{tpot: 40 GB}", ("services.api.promise.tpot",)),
        (
            "promise: {tpot: 40 ms}",
            "list_prices: mimo-v2-flsh-2025",
            ("services.api.list_prices", "mimo-v2-flash-2025"),
        ),
    ],
)
def test_wrong_services_name_line_and_key(myriad, right, wrong, said):
    Path("system.yaml").write_text(SYSTEM.replace(right, wrong), "utf-8")
    done = myriad("plan", "system.yaml")
    assert done.code == 2
    assert done.err.count("\n") == 1
    for part in ("system.yaml:", *said):
        assert part in done.err
