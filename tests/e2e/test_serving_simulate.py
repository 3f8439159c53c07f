"""`myriad serving simulate`: what it prints and writes, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest

BASE = ("serving", "simulate", "--model", "qwen3-32b", "--cluster", "h200:4", "--tp", "2")
DRAWN = (*BASE, "--rate", "4", "--input-tokens", "1k", "--output-tokens", "50", "--requests", "60")


def test_drawn_requests_give_latencies_and_files(myriad):
    done = myriad(*DRAWN, "--ttft", "2s", "--out", "requests.csv", "--json", "result.json", "--html", "page.html")
    assert done.code == 0, done.err
    assert "time to first token" in done.out
    assert "Requests: 60, refused: 0" in done.out
    assert "The promised latency is kept" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    result = json.loads(Path("result.json").read_text("utf-8"))
    assert "page: page.html" in done.err
    page = Path("page.html").read_text("utf-8")
    inside = page.split('id="plan-data">')[1].split("</script>")[0]
    assert json.loads(inside) == result
    assert f"Myriad {result['version']}" in page
    curve = result["ttft"]["percentiles"]
    assert len(curve) == 101
    assert curve == sorted(curve)
    assert curve[50] == result["ttft"]["p50"]["value"]
    with Path("requests.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert result["requests"] == len(rows) == 60
    assert sum(int(row["output_tokens"]) for row in rows) == result["output_tokens"] == 3000
    first = min(float(row["first_token_s"]) - float(row["arrival_s"]) for row in rows)
    assert 0 < first <= result["ttft"]["p50"]["value"]


def test_a_trace_a_closed_loop_and_separate_prefill(myriad):
    Path("trace.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:50.99,396,9\n"
    )
    done = myriad(*BASE, "--trace", "trace.csv", "--prefill", "1", "--json", "-")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["fleet"]["prefill"]["replicas"] == result["fleet"]["replicas"]["replicas"] == 1
    assert result["output_tokens"] == 53
    done = myriad(*BASE, "--trace", "trace.csv", "--concurrency", "1", "--lang", "zh")
    assert done.code == 0, done.err
    assert "首词元时间" in done.out


def test_replicas_start_stop_fail_and_come_back(myriad):
    done = myriad(
        *DRAWN, "--target-requests", "4", "--start-up", "5s", "--mtbf", "20s", "--repair", "5s", "--json", "-"
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    pool = result["fleet"]["replicas"]
    assert (pool["autoscaling"]["least"], pool["autoscaling"]["most"], pool["autoscaling"]["start_up"]) == (1, 2, 5.0)
    assert pool["failures"] == {"mtbf": 20.0, "repair": 5.0}
    steady = json.loads(myriad(*DRAWN, "--json", "-").out)
    assert result["end_to_end"]["p99"]["value"] > steady["end_to_end"]["p99"]["value"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (BASE, "expected one of --trace, --rate and --concurrency"),
        ((*BASE, "--rate", "1"), "--input-tokens: is missing"),
        ((*DRAWN, "--concurrency", "3"), "expected one of"),
        ((*DRAWN, "--pp", "3"), "--cluster: 4 accelerators are not a whole number of replicas of 6"),
        ((*DRAWN, "--prefill", "2"), "--prefill: 2 of 2 replicas leave none to decode"),
        ((*DRAWN, "--mtbf", "1h"), "--mtbf: goes with --repair"),
        ((*DRAWN, "--start-up", "1min"), "--start-up: goes with --target-requests"),
        ((*DRAWN, "--target-requests", "8", "--least-replicas", "3"), "--least-replicas: found 3, there are 2"),
        ((*DRAWN, "--link", "1 GB/s"), "--link: goes with --prefill"),
        ((*DRAWN, "--router", "random"), "--router: "),
        ((*DRAWN, "--engine", "vlm"), "--engine: "),
        ((*DRAWN, "--warm-up", "1"), "--warm-up: found 1"),
        ((*DRAWN, "--html", "pages/page.html"), "--html: pages/page.html: there is no folder"),
        ((*DRAWN, "--out", "requests.txt"), "--out: requests.txt: expected a name"),
        ((*BASE, "--trace", "none.csv"), "none.csv: no such file"),
        ((*BASE, "--rate", "1", "--input-tokens", "100M", "--output-tokens", "9"), "no request fits"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(myriad, arguments, says):
    done = myriad(*arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1
