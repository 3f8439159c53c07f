"""Promise and reality of a run, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bar, bullets, heading, open_table, paragraph
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.palette import LEDGER_COLOURS
from myriad.report.run_views import (
    difference,
    event_name,
    event_place,
    facts,
    figure_name,
    ledger_rows,
    measured_interval,
    moment,
    promised,
    sentences,
    shown,
    verdict,
)
from myriad.spec.run import RunReport

LAST_EVENTS = 10
_BAR_CELLS = 20
_STYLES = {"good": "green", "bad": "red", "": ""}


def run_text(report: RunReport, lang: str = "en") -> RenderableType:
    """The report of a run for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(report.summary.run, style="bold"),
        Text(facts(report, words, numbers)),
        paragraph(sentences(report, words, numbers), words),
        heading(words("run.compared")),
        compared_table(report, words, numbers),
        heading(words("run.books")),
        ledger_table(report, words, numbers),
    ]
    if report.events:
        blocks += [heading(words("run.events")), events_table(report, words, LAST_EVENTS)]
        if len(report.events) > LAST_EVENTS:
            earlier = len(report.events) - LAST_EVENTS
            blocks.append(Text(words("run.more_events", count=earlier), style="dim"))
    if report.notes:
        blocks += bullets(words("run.notes"), report.notes, words)
    return Group(*blocks)


def compared_table(report: RunReport, words: Language, numbers: Numbers) -> Table:
    """Every figure that was promised or measured; categories of time stand in the books."""
    table = open_table(
        (words("run.figure"), "left"), (words("run.promised"), "left"), (words("run.measured"), "right"),
        (words("run.interval"), "left"), (words("run.difference"), "right"),
    )  # fmt: skip
    for one in report.compared:
        if not one.figure.startswith("ledger."):
            table.add_row(
                figure_name(one.figure, words),
                promised(one, words, numbers),
                shown(one.measured, one.unit, numbers),
                measured_interval(one, numbers),
                Text(difference(one, words, numbers), style=_STYLES[verdict(one)]),
            )
    return table


def ledger_table(report: RunReport, words: Language, numbers: Numbers) -> Table:
    """Every category with its bar, promised and real."""
    table = open_table(
        (words("run.category"), "left"), ("", "left"), (words("run.promised"), "right"), (words("run.real"), "right"),
        (words("run.time"), "right"),
    )  # fmt: skip
    for name, expected, share, seconds in ledger_rows(report):
        table.add_row(
            words(f"ledger.{name}"),
            bar(share, LEDGER_COLOURS[name], _BAR_CELLS),
            "–" if expected is None else numbers.percent(expected),
            numbers.percent(share),
            numbers.seconds(seconds) if seconds else "–",
        )
    return table


def events_table(report: RunReport, words: Language, last: int) -> Table:
    """The last things that its supervisors saw."""
    table = open_table(
        (words("run.at"), "left"), (words("run.event"), "left"), (words("run.where"), "left"),
        (words("run.detail"), "left"),
    )  # fmt: skip
    for one in report.events[-last:]:
        table.add_row(moment(one.time_s), event_name(one, words), event_place(one, words), one.text)
    return table
