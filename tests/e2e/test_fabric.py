"""`myriad fabric describe` and `compare`: what they print and write, and what is said to wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def test_a_described_fabric_has_its_counts_and_its_growth(myriad):
    done = myriad("fabric", "describe", "superpod-h100", "--cluster", "dgx-h100:1016", "--grow", "--json", "f.json")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80
    assert "202 Tb/s, 100.0 % of full" in done.out
    found = json.loads(Path("f.json").read_text("utf-8"))
    assert found["switches"] == {"leaf": 32, "spine": 16}
    assert [step["switches"]["spine"] for step in found["growth"]] == [4, 8, 16, 16]


def test_fabrics_stand_side_by_side(myriad):
    names = "fat-tree-ndr,deepseek-mpft,slim-fly,dragonfly,fire-flyer2"
    done = myriad("fabric", "compare", names, "--cluster", "hgx-h800:10000")
    assert (done.code, done.err) == (0, "")
    assert "fire-flyer2: two tiers of these switches join at most 800 endpoints, not 1,250" in done.out
    chinese = myriad("fabric", "compare", names, "--cluster", "hgx-h800:10000", "--lang", "zh")
    assert "fire-flyer2: 两层" in chinese.out
    alone = json.loads(myriad("fabric", "compare", names, "--cluster", "hgx-h800:10000", "--json", "-").out)
    assert [row["description"] is None for row in alone["rows"]] == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("describe", "superpod-h101", "--cluster", "dgx-h100:8"), "unknown fabric 'superpod-h101'; did you mean"),
        (("describe", "none.yaml", "--cluster", "dgx-h100:8"), "none.yaml: no such file"),
        (("describe", "superpod-h100", "--cluster", "dgx-h100:12"), "12 accelerators are not a whole number"),
        (("describe", "deepseek-mpft", "--cluster", "dgx-h100:32768"), "two tiers of these switches join at most"),
        (("compare", "superpod-h100,", "--cluster", "dgx-h100:8"), "expected names of fabrics separated by commas"),
        (("compare", "superpod-h100,nope", "--cluster", "dgx-h100:8"), "unknown fabric 'nope'"),
    ],
)
def test_wrong_input_is_one_line(myriad, words, said):
    done = myriad("fabric", *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not done.out
