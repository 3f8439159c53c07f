"""What a run says of its plan, for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bullets, heading, open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.run_views import shown
from myriad.spec.run_calibration import PlannedFigures, Refit, RunCalibration
from myriad.units import DAY_S


def run_calibration_text(result: RunCalibration, lang: str = "en") -> RenderableType:
    """A plan before and after a run, for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words, result.currency, result.usd_per_currency)
    blocks: list[RenderableType] = [Text(words("refitted.head", run=result.run, job=result.job), style="bold")]
    if result.measured_step_s is not None:
        seconds = (result.measured_step_s, result.predicted_before_s, result.predicted_after_s)
        measured, before, after = (numbers.seconds(one) for one in seconds)
        blocks.append(Text(words("refitted.step", measured=measured, before=before, after=after)))
    if result.measured_memory_bytes is not None:
        sizes = (result.measured_memory_bytes, result.memory_before_bytes, result.memory_after_bytes)
        measured, before, after = (shown(one, "B", numbers) for one in sizes)
        blocks.append(Text(words("refitted.memory", measured=measured, before=before, after=after)))
    blocks.append(heading(words("refitted.figures")))
    blocks.append(_refits(result, words, numbers) if result.refits else Text(words("refitted.none")))
    blocks += [heading(words("refitted.plan")), _plans(result, words, numbers)]
    if result.notes:
        blocks += bullets(words("refitted.notes"), result.notes, words)
    return Group(*blocks)


def _refits(result: RunCalibration, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("run.figure"), "left"), (words("refitted.before"), "right"), (words("refitted.after"), "right"),
        (words("refitted.uncertainty"), "right"),
    )  # fmt: skip
    for one in result.refits:
        ends = [_value(end, one, numbers) for end in (one.low, one.high) if end is not None]
        table.add_row(
            Text.assemble(words(f"refit.{one.name}"), "\n", (one.figures[0], "dim")),
            _value(one.before, one, numbers),
            Text.assemble(_value(one.after, one, numbers), *(("\n" + " – ".join(ends), "dim") for _ in ends[:1])),
            f"{numbers.percent(one.spread)} → {numbers.percent(one.uncertainty)}",
        )
    return table


def _value(value: float, refit: Refit, numbers: Numbers) -> str:
    return significant(value, 4) if refit.unit == "" else shown(value, refit.unit, numbers)


def _plans(result: RunCalibration, words: Language, numbers: Numbers) -> Table:
    table = open_table(("", "left"), (words("refitted.before"), "right"), (words("refitted.after"), "right"))
    sides = (result.before, result.after)

    def layout(one: PlannedFigures | None) -> str:
        if one is None:
            return words("refitted.no_pool")
        return one.pool if one.layout is None else one.layout.text()

    table.add_row(words("refitted.layout"), *[layout(one) for one in sides])
    table.add_row(words("compared.step_s"), *[_said(one, "step_s", numbers.seconds) for one in sides])
    table.add_row(words("compared.ettr"), *[_said(one, "ettr", numbers.percent) for one in sides])
    table.add_row(
        words("refitted.days"), *[_said(one, "days", lambda days: numbers.seconds(days * DAY_S)) for one in sides]
    )
    table.add_row(words("refitted.cost"), *[_said(one, "cost_usd", numbers.money) for one in sides])
    return table


def _said(planned: PlannedFigures | None, figure: str, said: Callable[[float], str]) -> str:
    value = None if planned is None else getattr(planned, figure)
    return "–" if value is None else said(value)
