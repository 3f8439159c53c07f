"""A bill of materials as one HTML file: where the money goes, every line with its price and who says so."""

from __future__ import annotations

import json

from myriad.report import bill_text
from myriad.report.bill_file import bill_values
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.report.palette import SERIES_COLOURS
from myriad.spec.bill import GROUPS, Bill

Chart = dict[str, object]


def bill_html(
    bill: Bill,
    version: str,
    currency: str = "USD",
    usd_per_currency: float = 1.0,
    claim_usd: float | None = None,
    lang: str = "en",
) -> str:
    """The page of a bill, and its share of a claimed amount. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words, currency, usd_per_currency)
    groups = {words(f"group.{group}"): bill.group_usd(group) for group in GROUPS}
    sorts: dict[str, float] = {}
    for line in bill.lines:
        if line.group == "network":
            name = words(f"sort.{line.sort}")
            sorts[name] = sorts.get(name, 0.0) + (line.amount_usd or 0.0)
    charts: dict[str, object] = {
        "stack-groups": _stack(groups, words("column.total"), "bill.by_group", numbers, claim_usd),
        "stack-sorts": _stack(sorts, words("group.network"), "bill.by_sort", numbers, None),
    }
    return rendered(
        "bill.html.j2",
        words,
        json.dumps(bill_values(bill, currency, usd_per_currency), ensure_ascii=False, allow_nan=False),
        charts,
        bill=bill,
        summary=bill_text.summary_words(bill, words, numbers, claim_usd),
        remarks=bill_text.remarks(bill, words),
        stacks=charts,
        money=numbers.money_unit(bill.total_usd / bill_text.LINES_SHOWN),
        currency=words(f"currency.{currency}"),
        n=numbers,
        text=bill_text,
        significant=significant,
        title=words("bill.title", fabric=bill.fabric, cluster=bill.cluster),
        sort=words("bill.page"),
        lead="",
        version=version,
        first="sums",
        sections=[("sums", words("bill.sums")), ("lines", words("bill.lines"))],
        file_name="fabric-bill.json",
        made_by=f"Myriad {version}",
    )


def _stack(amounts: dict[str, float], row: str, caption: str, numbers: Numbers, claim_usd: float | None) -> Chart:
    """One bar of the amounts that are there, and an outlined one of what was claimed."""
    words: Language = numbers.language
    known = {name: usd for name, usd in amounts.items() if usd}
    unit = numbers.money_unit(max(sum(known.values()), claim_usd or 0.0))
    rows = [row] if claim_usd is None else [row, words("bill.claimed")]
    series = [
        {
            "name": name,
            "colour": SERIES_COLOURS[index % len(SERIES_COLOURS)],
            "values": [usd / unit.scale, *(0.0 for _ in rows[1:])],
        }
        for index, (name, usd) in enumerate(known.items())
    ]
    if claim_usd is not None:
        series.append({"name": rows[1], "colour": "outline", "values": [0.0, claim_usd / unit.scale]})
    return {"kind": "step", "rows": rows, "series": series, "axis": words(caption, unit=unit.name), "unit": unit.name}
