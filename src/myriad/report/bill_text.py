"""A bill of materials for a terminal: lines by group with subtotals, totals, and what is missing or assumed."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.spec.bill import GROUPS, Bill, BillLine
from myriad.units import format_si

LINES_SHOWN = 30
"""Amounts have the unit that suits this part of the total, so that small lines keep digits."""


def bill_text(
    bill: Bill, currency: str = "USD", usd_per_currency: float = 1.0, claim_usd: float | None = None, lang: str = "en"
) -> RenderableType:
    """A bill for the terminal, and its share of a claimed amount. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words, currency, usd_per_currency)
    blocks: list[RenderableType] = [
        Text(words("bill.title", fabric=bill.fabric, cluster=bill.cluster), style="bold"),
        *(Text(line) for line in summary_words(bill, words, numbers, claim_usd)),
        heading(words("bill.lines")),
        _table(bill, words, numbers),
    ]
    for head, lines in remarks(bill, words).items():
        blocks += [heading(head), Text(words("words.comma").join(lines))]
    return Group(*blocks)


def summary_words(bill: Bill, words: Language, numbers: Numbers, claim_usd: float | None = None) -> list[str]:
    """Counts, money and power, a line each; the share of the claim last."""
    switches = sum(line.quantity for line in bill.lines if line.sort == "switch" and line.group != "spares")
    lines = [
        words(
            "bill.counts",
            nodes=numbers.integer(bill.num_nodes),
            accelerators=numbers.integer(bill.num_accelerators),
            endpoints=numbers.integer(bill.num_endpoints),
            switches=numbers.integer(switches),
            transceivers=numbers.integer(bill.transceivers),
        ),
        _total(bill, words, numbers),
        words(
            "bill.power",
            machines=format_si(bill.it_watts, "W"),
            site=format_si(bill.site_watts, "W"),
            pue=f"{bill.pue:g}",
        ),
    ]
    if claim_usd is not None:
        share = numbers.percent(bill.total_usd / claim_usd)
        lines.append(words("bill.claim", share=share, claim=numbers.money(claim_usd)))
    return lines


def _total(bill: Bill, words: Language, numbers: Numbers) -> str:
    amounts = {
        "total": numbers.money(bill.total_usd),
        "each": numbers.money(bill.total_usd / bill.num_accelerators),
        "network": numbers.money(bill.network_usd),
        "share": numbers.percent(bill.network_usd / bill.total_usd if bill.total_usd else 0.0),
    }
    if bill.network_usd_per_endpoint is None:
        return words("bill.total_partly", **amounts)
    return words("bill.total", **amounts, endpoint=numbers.money(bill.network_usd_per_endpoint))


def remarks(bill: Bill, words: Language) -> dict[str, list[str]]:
    """Heading -> names: lines without a price, prices that are assumptions, machines of unknown power."""
    assumed = [line for line in bill.lines if line.price is not None and line.price.kind == "assumed"]
    found = {
        words("bill.no_price", count=len(bill.without_price)): [counted(line, words) for line in bill.without_price],
        words("bill.assumed"): [f"{words.phrase(line.name)} ({_terms(line, words)})" for line in assumed],
        words("bill.no_power"): [words.phrase(line.name) for line in bill.without_power],
    }
    return {head: list(dict.fromkeys(lines)) for head, lines in found.items() if lines}


def _terms(line: BillLine, words: Language) -> str:
    return words.phrase(line.price.terms) if line.price is not None else ""


def counted(line: BillLine, words: Language) -> str:
    """Pieces and name: `313 node racks`, a plain count before a plain name."""
    return f"{line.quantity:,.6g} × {words.phrase(line.name)}"


def line_name(line: BillLine, words: Language) -> str:
    """What it is, and where it is used."""
    place = place_text(line.place, words)
    return words.phrase(line.name) + (f" · {place}" if place else "")


def place_text(place: str, words: Language) -> str:
    """A tier or class of links in the language, behind the name of the network where it has one."""
    network, _, part = place.rpartition(" ")
    for room in ("tier", "links", "beside"):
        part = words.texts.get(f"{room}.{part.replace('-', '_')}", part)
    network = words.texts.get(f"beside.{network.replace('-', '_')}", network)
    return f"{network} {part.lower()}" if network else part


def _table(bill: Bill, words: Language, numbers: Numbers) -> Table:
    money = numbers.money_unit(bill.total_usd / LINES_SHOWN)
    currency = words(f"currency.{numbers.currency}")
    table = open_table(
        (words("bill.item"), "left"), (words("bill.quantity"), "right"),
        (words("bill.unit_price", unit=currency), "right"), (words("column.amount", unit=money.name), "right"),
        ("kW", "right"),
    )  # fmt: skip

    def amount(usd: float) -> str:
        return f"{usd / money.scale:,.2f}"

    for group in GROUPS:
        lines = [line for line in bill.lines if line.group == group]
        if not lines:
            continue
        table.add_row(words(f"group.{group}"), "", "", amount(bill.group_usd(group)), "", style="bold")
        for line in lines:
            unit = "" if line.unit == "piece" else f" {line.unit}"
            price = "–" if line.price is None else numbers.integer(line.price.usd / numbers.usd_per_currency)
            if line.price is not None and line.price.kind == "included":
                price = words("bill.included")
            table.add_row(
                f"  {line_name(line, words)}",
                (numbers.integer(line.quantity) if line.unit == "piece" else significant(line.quantity)) + unit,
                price,
                "–" if line.amount_usd is None else amount(line.amount_usd),
                "" if line.watts is None else numbers.integer(line.watts / 1e3),
            )
    table.add_row(
        words("column.total"), "", "", amount(bill.total_usd), numbers.integer(bill.it_watts / 1e3), style="bold"
    )
    return table
