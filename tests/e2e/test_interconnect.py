"""`myriad validate interconnect`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

HEAD = "id,source,node,gpus,collective,message_bytes,bandwidth_GBps\n"


def test_validation_lists_groups_and_the_worst_rows(myriad):
    done = myriad("validate", "interconnect", "--worst", "3", "--json", "errors.json")
    assert done.code == 0
    result = json.loads(Path("errors.json").read_text("utf-8"))
    assert result["rows"] == 224
    first = result["per_row"][0]
    assert abs(first["error"]) >= abs(result["per_row"][1]["error"])
    for said in ("by collective, size, GPUs", "all_reduce, above 16 MiB, 8", "worst 3 rows", first["id"], "simulated"):
        assert said in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_validation_of_own_rows(myriad):
    Path("mine.csv").write_text(HEAD + "a,a log,h100,8,all_reduce,8589934592,480\nb,a log,,16,alltoall,1024,1\n")
    done = myriad("validate", "interconnect", "--rows", "mine.csv", "--json", "-")
    assert done.code == 0
    result = json.loads(done.out)
    assert (result["rows"], result["predicted"]) == (2, 1)
    Path("mine.csv").write_text(HEAD + "a,a log,dgx-h100,8,all_reduce,8589934592,quick\n")
    done = myriad("validate", "interconnect", "--rows", "mine.csv", "--json", "errors.json")
    assert (done.code, "mine.csv:2: bandwidth_GBps" in done.err) == (2, True)
    assert len(done.err.splitlines()) == 1
    assert not Path("errors.json").exists()


def test_no_row_that_can_be_judged_is_said(myriad):
    Path("mine.csv").write_text(HEAD + "a,a log,dgx-h100,,all_reduce,1024,1\n")
    done = myriad("validate", "interconnect", "--rows", "mine.csv")
    assert (done.code, "0 of 1 rows predicted" in done.out) == (0, True)
