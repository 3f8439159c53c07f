"""`myriad jobs simulate`: what it prints and writes, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest

BASE = ("jobs", "simulate", "--cluster", "dgx-a100-80gb:256")
KALOS = (*BASE, "--mix", "acme-kalos", "--days", "6", "--scale", "1", "--seeds", "2", "--workers", "1")


def test_a_mix_gives_figures_and_files_of_each_policy(myriad):
    done = myriad(
        *KALOS, "--policy", "fifo,slurm-backfill", "--out", "jobs.csv", "--html", "page.html", "--json", "jobs.json"
    )
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines())) <= 80
    assert "The cluster itself published a median wait of 17 s" in done.out
    assert "By size of job: slurm-backfill" in done.out
    result = json.loads(Path("jobs.json").read_text("utf-8"))
    assert [one["policy"]["name"] for one in result["policies"]] == ["fifo", "slurm-backfill"]
    for one in result["policies"]:
        assert sum(share["mean"] for share in one["shares"].values()) == pytest.approx(1.0)
        within = one["waiting"]["within"]
        assert within == sorted(within)
        assert all(0 <= share <= 1 for share in within)
    page = Path("page.html").read_text("utf-8")
    assert json.loads(page.split('id="plan-data">')[1].split("</script>")[0]) == result
    with Path("jobs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_policy = [[row for row in rows if row["policy"] == name] for name in ("fifo", "slurm-backfill")]
    assert len(by_policy[0]) == len(by_policy[1]) > 400
    assert {row["run_s"] for row in by_policy[0]} == {row["run_s"] for row in by_policy[1]}
    for row in rows:
        if row["state"] == "completed":
            assert float(row["ended_s"]) == pytest.approx(float(row["started_s"]) + float(row["run_s"]), abs=0.01)
    assert "page: page.html" in done.err


def test_a_drawn_trace_gives_what_it_was_drawn_from(myriad):
    assert myriad("jobs", "draw", "--mix", "acme-kalos", "--days", "6", "--out", "drawn.csv").code == 0
    done = myriad(*BASE, "--trace", "drawn.csv", "--policy", "fifo", "--json", "-")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert (result["jobs"], result["runs"]) == ("drawn.csv", 1)
    assert 5 < result["days"] <= 6
    jobs = (
        sum(line["jobs"]["mean"] for line in result["policies"][0]["sizes"]) + result["policies"][0]["refused"]["mean"]
    )
    assert jobs == pytest.approx(len(Path("drawn.csv").read_text().splitlines()) - 1, abs=1)


def test_machines_break_and_a_policy_comes_from_a_file(myriad):
    Path("mine.yaml").write_text("name: mine\norder: shortest\nbackfill: easy\nplacement: packed\nlongest: 12 h\n")
    done = myriad(
        *KALOS, "--policy", "mine.yaml", "--reliability", "meta-rsc1-a100", "--checkpoint", "30min", "--lang", "zh"
    )
    assert done.code == 0, done.err
    assert "每工作 30 分钟 存一次" in done.out or "存一次" in done.out
    assert "mine" in done.out


def test_the_same_seed_gives_the_same_result_on_one_process_and_on_two(myriad):
    found = []
    for workers in ("1", "2"):
        done = myriad(*KALOS[:-1], workers, "--json", "-")
        assert done.code == 0, done.err
        found.append({**json.loads(done.out), "simulate_s": 0})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*BASE,), "expected one of --mix and --trace, found none of them"),
        ((*BASE, "--mix", "kalos", "--trace", "x.csv"), "expected one of --mix and --trace, found both"),
        ((*BASE, "--mix", "kaloss"), "--mix: unknown job mix 'kaloss'; did you mean 'kalos'"),
        ((*BASE, "--mix", "kalos", "--policy", "fofi"), "--policy: unknown policy 'fofi'"),
        ((*BASE, "--mix", "kalos", "--policy", "none.yaml"), "--policy: none.yaml"),
        ((*BASE, "--mix", "kalos", "--policy", "fifo,fifo"), "give each name once"),
        ((*BASE, "--mix", "kalos", "--days", "0"), "--days: found 0"),
        ((*BASE, "--mix", "kalos", "--warm-up", "-1"), "--warm-up: found -1"),
        ((*BASE, "--mix", "kalos", "--seeds", "0"), "--seeds: "),
        ((*BASE, "--mix", "kalos", "--reliability", "nothing"), "--reliability: unknown"),
        ((*BASE, "--mix", "kalos", "--checkpoint", "1h"), "--checkpoint: goes with --reliability"),
        ((*BASE, "--trace", "x.csv", "--scale", "2"), "--scale: goes with --mix"),
        ((*BASE, "--trace", "none.csv"), "--trace: none.csv: no such file"),
        (("jobs", "simulate", "--cluster", "dgx-a100-80gb", "--mix", "kalos"), "--cluster: "),
        ((*BASE, "--mix", "kalos", "--out", "no/x.csv"), "--out: no/x.csv"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(myriad, arguments, message):
    Path("x.csv").write_text("submitted_s,accelerators,run_s\n0,8,5\n")
    done = myriad(*arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""
    assert [path.name for path in Path().iterdir()] == ["x.csv"]
