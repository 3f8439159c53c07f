"""`myriad fabric bom`: what it prints and writes, and what is said to wrong input."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

BOM = ("fabric", "bom", "fat-tree-ndr-rails", "--cluster", "hgx-h800:512")


def test_a_bill_in_yuan_with_its_share_of_a_claim(myriad):
    done = myriad(*BOM, "--currency", "CNY", "--claim", "1 B CNY", "--csv", "b.csv", "--json", "b.json")
    assert (done.code, done.err) == (0, "csv: b.csv\n")
    assert "of the claimed 1 B CNY" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    bill = json.loads(Path("b.json").read_text("utf-8"))
    assert bill["num_endpoints"] == 512
    assert bill["share_of_claim"] == pytest.approx(bill["total"] / 1e9)
    assert bill["lines"][0]["price"]["kind"] == "assumed"
    switches = {line["place"]: line["quantity"] for line in bill["lines"] if line["item"] == "qm9700"}
    assert switches == {"leaf": 16, "spine": 8}
    rows = list(csv.DictReader(Path("b.csv").read_text("utf-8").splitlines()))
    assert sum(float(row["amount"] or 0) for row in rows) == pytest.approx(bill["total"])


def test_own_prices_and_rules(myriad):
    Path("prices.yaml").write_text("prices: {qm9700: 50000 USD, rack: 30 k CNY}\n", "utf-8")
    Path("rules.yaml").write_text("pue: 1.0\ndata_hall: false\nstorage_switch: ''\nspares: 2 %\n", "utf-8")
    done = myriad(*BOM, "--prices", "prices.yaml", "--rules", "rules.yaml", "--json", "-")
    bill = json.loads(done.out)
    by_item = {(line["item"], line["group"]): line for line in bill["lines"]}
    assert by_item["qm9700", "network"]["price"]["usd"] == 50000
    assert by_item["rack", "racks"]["price"]["kind"] == "given"
    assert ("data-hall", "site") not in by_item
    assert by_item["hgx-h800", "spares"]["quantity"] == 2


def test_the_cost_sheet_of_the_catalog(myriad):
    done = myriad(
        "fabric", "bom", "rail-only-ndr", "--cluster", "dgx-h100:16384", "--rules", "h100-cost-sheet-2024",
        "--json", "-",
    )  # fmt: skip
    assert json.loads(done.out)["usd_per_accelerator"] == pytest.approx(49_248, rel=1e-4)


def test_in_chinese(myriad):
    done = myriad(*BOM, "--currency", "CNY", "--lang", "zh")
    assert "物料清单" in done.out
    assert "叶交换机" in done.out


def test_a_workbook_opens_again(myriad):
    from openpyxl import load_workbook

    assert myriad(*BOM, "--xlsx", "b.xlsx").err == "xlsx: b.xlsx\n"
    sums, lines = load_workbook("b.xlsx").worksheets
    assert sums["B9"].value == "=SUM(B2:B8)"
    assert lines["H2"].value == '=IF(G2="","",E2*G2)'


def test_without_the_extra_a_workbook_is_refused_before_the_work(myriad, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    done = myriad(*BOM, "--xlsx", "b.xlsx")
    assert done.code == 2
    assert "--xlsx: a workbook needs the package openpyxl: pip install 'myriad-ai[bom]'" in done.err
    assert not Path("b.xlsx").exists()


def test_fabrics_side_by_side_have_their_cost_and_power(myriad):
    done = myriad("fabric", "compare", "fat-tree-ndr-rails,rail-only-ndr", "--cluster", "dgx-h100:4096", "--json", "-")
    full, rails = json.loads(done.out)["rows"]
    assert 0 < rails["cost_per_endpoint_usd"] < full["cost_per_endpoint_usd"]
    assert 0 < rails["power_watts"] < full["power_watts"]
    # Cards have a module each; twin ports of switches share one.
    assert rails["transceivers"] == 4096 + 4096 / 2 + 4096


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--cluster", "hgx-h8000:512"), ("hgx-h800",)),
        (("--cluster", "hgx-h800:513"), ("513 accelerators are not a whole number",)),
        (("--currency", "CNX"), ("--currency: unknown currency 'CNX'", "CNY")),
        (("--claim", "10 B"), ("--claim:", "currency")),
        (("--claim", "0 CNY"), ("--claim: expected an amount above 0",)),
        (("--claim", "10 CNY/GPU"), ("--claim:", "per")),
        (("--rules", "usuel"), ("--rules: unknown rules of bills", "usual")),
        (("--rules", "none.yaml"), ("--rules:", "none.yaml")),
        (("--rules", "bad.yaml"), ("--rules: bad.yaml:2: unknown key 'puee'; did you mean 'pue'",)),
        (("--prices", "bad.yaml"), ("--prices: bad.yaml:", "prices")),
        (("--prices", "odd.yaml"), ("prices: unknown item of this bill 'qm9701'", "qm9700")),
        (("--csv", "nowhere/b.csv"), ("--csv:", "nowhere")),
        (("--csv", "odd.yaml", "--prices", "odd.yaml"), ("--csv: odd.yaml would overwrite",)),
        (("--lang", "fr"), ("--lang",)),
    ],
)
def test_wrong_input_is_one_line(myriad, more, said):
    Path("bad.yaml").write_text("spares: 0\npuee: 1.2\n", "utf-8")
    Path("odd.yaml").write_text("prices: {qm9701: 1 USD}\n", "utf-8")
    done = myriad(*BOM, *more)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    for part in said:
        assert part in done.err


def test_a_fabric_that_cannot_join_so_many_says_so(myriad):
    done = myriad("fabric", "bom", "deepseek-mpft", "--cluster", "hgx-h800:32768")
    assert done.code == 2
    assert done.err.count("\n") == 1
