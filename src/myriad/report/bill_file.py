"""A bill of materials as a file: CSV, a workbook that calculates its own sums, or plain values for JSON."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from myriad.errors import MissingDataError
from myriad.report.bill_text import place_text
from myriad.report.language import Language, language
from myriad.spec.bill import GROUPS, Bill, BillLine

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

COLUMNS = (
    "group", "item", "name", "place", "quantity", "unit", "unit_price", "amount", "currency", "price_kind",
    "price_source", "price_date", "price_terms", "watts", "basis",
)  # fmt: skip
WIDTHS = (14, 18, 44, 18, 12, 8, 14, 18, 10, 12, 44, 12, 30, 12, 70)
FIRST_ROW = 2


def bill_csv(bill: Bill, currency: str = "USD", usd_per_currency: float = 1.0) -> str:
    """One row per line, amounts in the currency, numbers unrounded; no price is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for line in bill.lines:
        amount = None if line.amount_usd is None else line.amount_usd / usd_per_currency
        writer.writerow({**_cells(line, currency, usd_per_currency), "amount": amount})
    return text.getvalue()


def bill_values(bill: Bill, currency: str = "USD", usd_per_currency: float = 1.0) -> dict[str, Any]:
    """The bill and its sums as plain values: dollars throughout, the total in the currency too."""
    lines = [{**line.model_dump(mode="json"), "amount_usd": line.amount_usd} for line in bill.lines]
    return {
        **bill.model_dump(mode="json", exclude={"lines"}),
        "total_usd": bill.total_usd,
        "total": bill.total_usd / usd_per_currency,
        "currency": currency,
        "usd_per_accelerator": bill.total_usd / bill.num_accelerators,
        "network_usd": bill.network_usd,
        "network_usd_per_endpoint": bill.network_usd_per_endpoint,
        "transceivers": bill.transceivers,
        "it_watts": bill.it_watts,
        "site_watts": bill.site_watts,
        "groups_usd": {group: bill.group_usd(group) for group in GROUPS},
        "without_price": [line.item for line in bill.without_price],
        "without_power": [line.item for line in bill.without_power],
        "lines": lines,
    }


def check_workbook() -> None:
    """Raises MissingDataError where workbooks cannot be written."""
    try:
        import openpyxl  # noqa: F401
    except ImportError:
        raise MissingDataError(
            "a workbook needs the package openpyxl: pip install 'myriad-ai[bom]', or write --csv"
        ) from None


def bill_xlsx(bill: Bill, currency: str = "USD", usd_per_currency: float = 1.0, lang: str = "en") -> bytes:
    """A workbook of two sheets: sums, and the lines that they are formulas of. Raises as `check_workbook`."""
    check_workbook()
    from openpyxl import Workbook

    words = language(lang)
    book = Workbook()
    sums = book.active
    assert sums is not None
    sums.title = words("bill.sheet_sums")
    lines = book.create_sheet(words("bill.sheet_lines"))
    _write_lines(lines, bill, currency, usd_per_currency, words)
    _write_sums(sums, lines.title, bill, currency, words)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _cells(line: BillLine, currency: str, usd_per_currency: float) -> dict[str, str | float | None]:
    price = line.price
    return {
        "group": line.group, "item": line.item, "name": line.name, "place": line.place, "quantity": line.quantity,
        "unit": line.unit, "unit_price": None if price is None else price.usd / usd_per_currency,
        "currency": currency, "price_kind": "missing" if price is None else price.kind,
        "price_source": price.source if price else "", "price_date": price.date if price else "",
        "price_terms": price.terms if price else "", "watts": line.watts, "basis": line.basis,
    }  # fmt: skip


def _write_lines(sheet: Worksheet, bill: Bill, currency: str, usd_per_currency: float, words: Language) -> None:
    from openpyxl.styles import Font

    sheet.append([words(f"bought.{column}") for column in COLUMNS])
    for row, line in enumerate(bill.lines, FIRST_ROW):
        cells = _cells(line, currency, usd_per_currency)
        cells["group"] = words(f"group.{line.group}")
        for column in ("name", "basis", "price_terms"):
            cells[column] = words.phrase(str(cells[column]))
        cells["place"] = place_text(line.place, words)
        cells["amount"] = f'=IF(G{row}="","",E{row}*G{row})'
        sheet.append([cells[column] for column in COLUMNS])
        sheet.cell(row, 7).number_format = sheet.cell(row, 8).number_format = "#,##0.00"
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    for number, width in enumerate(WIDTHS):
        sheet.column_dimensions[chr(ord("A") + number)].width = width
    sheet.freeze_panes = "D2"


def _write_sums(sheet: Worksheet, lines: str, bill: Bill, currency: str, words: Language) -> None:
    from openpyxl.styles import Font

    last = FIRST_ROW + len(bill.lines) - 1

    def column(letter: str) -> str:
        return f"'{lines}'!${letter}${FIRST_ROW}:${letter}${last}"

    money = words(f"currency.{currency}")
    rows: list[tuple[str, str | float]] = [(words("bill.title", fabric=bill.fabric, cluster=bill.cluster), money)]
    rows += [
        (words(f"group.{group}"), f"=SUMIF({column('A')},A{row},{column('H')})")
        for row, group in enumerate(GROUPS, FIRST_ROW)
    ]
    total = len(rows) + 1
    rows += [
        (words("column.total"), f"=SUM(B{FIRST_ROW}:B{total - 1})"),
        (words("bill.accelerators"), bill.num_accelerators),
        (words("bill.per_accelerator"), f"=B{total}/B{total + 1}"),
        (words("bill.endpoints"), bill.num_endpoints),
        (words("bill.network_per_endpoint"), f"=B{FIRST_ROW + GROUPS.index('network')}/B{total + 3}"),
        (words("bill.lines_without_price"), f"=COUNTBLANK({column('G')})"),
    ]
    for name, value in rows:
        sheet.append([name, value])
    for row in (1, total):
        for cell in sheet[row]:
            cell.font = Font(bold=True)
    for row in (*range(FIRST_ROW, total + 1), total + 2, total + 4):
        sheet.cell(row, 2).number_format = "#,##0.00"
    sheet.column_dimensions["A"].width = 48
    sheet.column_dimensions["B"].width = 22
