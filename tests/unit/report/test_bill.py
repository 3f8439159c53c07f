import csv
import io

import pytest
from openpyxl import load_workbook
from rich.console import Console, RenderableType

from bill_fixtures import tree_bill
from myriad.errors import SpecError
from myriad.report.bill_file import COLUMNS, bill_csv, bill_values, bill_xlsx
from myriad.report.bill_text import bill_text
from myriad.report.language import language
from myriad.spec.bill import GROUPS, Bill, BillRules

CNY = 0.1396


def shown(renderable: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(renderable)
    return out.getvalue()


@pytest.fixture(scope="module")
def bill() -> Bill:
    rules = BillRules(managers=4, node_racks=True, data_hall=True, pue=1.25, spares=0.01)
    prices = {"dgx-h100": 310e3, "switch": 36e3, "400g-sr4": 700.0, "data-hall": 17.5e6}
    return tree_bill(127, rules, prices, rails="aligned")


def test_the_text_has_every_group_the_totals_and_what_is_missing(bill: Bill) -> None:
    text = shown(bill_text(bill, "CNY", CNY, claim_usd=1e9 * CNY))
    assert f"{bill.total_usd / CNY / 1e6:,.2f}" in text
    assert "Without a published price" in text
    assert "4 × fabric manager" in " ".join(text.split())
    assert "of the claimed 1 B CNY" in text
    with pytest.raises(SpecError, match="unknown language"):
        bill_text(bill, lang="de")


def test_all_words_of_a_bill_are_chinese_in_chinese(bill: Bill) -> None:
    words = language("zh")
    for line in bill.lines:
        assert words.phrase(line.basis) != line.basis, line.basis
        if line.sort not in ("node", "switch"):
            assert words.phrase(line.name) != line.name, line.name


def test_csv_holds_every_line_in_the_currency(bill: Bill) -> None:
    rows = list(csv.DictReader(io.StringIO(bill_csv(bill, "CNY", CNY))))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == len(bill.lines)
    assert sum(float(row["amount"] or 0) for row in rows) == pytest.approx(bill.total_usd / CNY)
    missing = [row for row in rows if row["price_kind"] == "missing"]
    assert len(missing) == len(bill.without_price)
    assert all(row["amount"] == row["unit_price"] == "" for row in missing)


def test_values_for_json_carry_their_sums(bill: Bill) -> None:
    values = bill_values(bill, "CNY", CNY)
    assert values["total"] == pytest.approx(values["total_usd"] / CNY)
    assert sum(values["groups_usd"].values()) == pytest.approx(values["total_usd"])
    assert sum(line["amount_usd"] or 0 for line in values["lines"]) == pytest.approx(values["total_usd"])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_workbook_calculates_the_same_sums(bill: Bill, lang: str) -> None:
    book = load_workbook(io.BytesIO(bill_xlsx(bill, "CNY", CNY, lang)))
    sums, lines = book.worksheets
    by_group: dict[str, float] = {}
    blank = 0
    for row, cells in enumerate(lines.iter_rows(min_row=2, values_only=True), 2):
        assert cells[7] == f'=IF(G{row}="","",E{row}*G{row})'
        blank += cells[6] is None
        by_group[cells[0]] = by_group.get(cells[0], 0.0) + cells[4] * (cells[6] or 0.0)
    assert lines.max_row == len(bill.lines) + 1
    words = language(lang)
    for row, group in enumerate(GROUPS, 2):
        name = words(f"group.{group}")
        assert sums.cell(row, 1).value == name
        end = len(bill.lines) + 1
        assert sums.cell(row, 2).value == f"=SUMIF('{lines.title}'!$A$2:$A${end},A{row},'{lines.title}'!$H$2:$H${end})"
        assert by_group.get(name, 0.0) == pytest.approx(bill.group_usd(group) / CNY)
    assert sums.cell(9, 2).value == "=SUM(B2:B8)"
    assert sum(by_group.values()) == pytest.approx(bill.total_usd / CNY)
    assert blank == len(bill.without_price)
