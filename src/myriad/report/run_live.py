"""A run as it goes: one screen that is drawn again on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.palette import LEDGER_COLOURS
from myriad.report.run_text import events_table
from myriad.report.run_views import facts, ledger_rows, moment, of_figure, shown, verdict
from myriad.spec.run import ENDED, RunReport

_SPARKS: Final = "▁▂▃▄▅▆▇█"
SPARK_CELLS: Final = 60
_BAR_CELLS: Final = 60
_LAST_EVENTS: Final = 6
_STYLES: Final = {"good": "green", "bad": "red", "": ""}


def sparkline(values: Sequence[float], cells: int = SPARK_CELLS) -> str:
    """The course of values in so many characters; each is the mean of what it covers.

    >>> sparkline([1.0, 2.0, 3.0, 4.0], 4)
    '▁▃▆█'
    """
    if not values:
        return ""
    count = min(cells, len(values))
    edges = [index * len(values) // count for index in range(count + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    room = (high - low) or 1.0
    return "".join(_SPARKS[round((one - low) / room * (len(_SPARKS) - 1))] for one in means)


def run_screen(report: RunReport, lang: str = "en") -> RenderableType:
    """The run on one screen: facts, course of the loss, step against promise, where time went, last events."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text.assemble((report.summary.run, "bold"), "  ", facts(report, words, numbers)),
    ]
    losses = [one.loss for one in report.steps if one.kept and one.loss is not None]
    if losses:
        name = f"{words('run.loss')} "
        blocks.append(Text.assemble((name, "dim"), (sparkline(losses), "cyan"), f" {losses[-1]:.4f}"))
    step = of_figure(report, "step_s")
    if step is not None and step.measured is not None:
        blocks.append(_step_line(report, words, numbers))
    blocks.append(ledger_line(report))
    blocks.append(_ledger_legend(report, words, numbers))
    if report.expected_end_s is not None:
        wall = numbers.seconds(report.expected_end_s - report.summary.created_s)
        blocks.append(Text(words("run.ends", date=moment(report.expected_end_s, seconds=False), wall=wall)))
    if report.events:
        blocks += ["", events_table(report, words, _LAST_EVENTS)]
    return Group(*blocks)


def _step_line(report: RunReport, words: Language, numbers: Numbers) -> Text:
    parts: list[str | tuple[str, str]] = []
    for figure in ("step_s", "tokens_per_s", "mfu", "memory_peak_bytes"):
        one = of_figure(report, figure)
        if one is not None and one.measured is not None:
            parts += [
                (f"{words(f'compared.{figure}')} ", "dim"),
                (shown(one.measured, one.unit, numbers), _STYLES[verdict(one)]),
                (f" ({words('run.promised')} {shown(one.promised, one.unit, numbers)})  ", "dim"),
            ]
    return Text.assemble(*parts)


def ledger_line(report: RunReport) -> Text:
    """The wall time as one bar, a colour for each category."""
    line = Text()
    drawn = filled = 0.0
    for name, _, share, _ in ledger_rows(report):
        filled += share * _BAR_CELLS
        cells = round(filled) - round(drawn)
        drawn = filled
        line.append("█" * cells, style=LEDGER_COLOURS[name])
    return line


def _ledger_legend(report: RunReport, words: Language, numbers: Numbers) -> Text:
    """What the colours of the bar stand for."""
    line = Text()
    for name, _, share, _ in ledger_rows(report):
        if share >= 5e-4:
            line.append("■ ", style=LEDGER_COLOURS[name])
            line.append(f"{words(f'ledger.{name}')} {numbers.percent(share)}  ", style="dim")
    return line


def watch(read: Callable[[], RunReport], pause: Callable[[], None], console: Console, lang: str = "en") -> RunReport:
    """Draws the screen of a run on a terminal until the run ends, and gives the last report.

    `pause` lets time pass between two readings.
    """
    report = read()
    with Live(run_screen(report, lang), console=console, auto_refresh=False) as live:
        while report.summary.state not in ENDED:
            pause()
            report = read()
            live.update(run_screen(report, lang), refresh=True)
    return report
