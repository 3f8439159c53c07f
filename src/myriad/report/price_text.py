"""Costs of serving beside list prices, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.price_views import by_model
from myriad.report.serving_views import deployment_text, milliseconds, promise_text
from myriad.spec.serving_money import PriceCheck, PriceRow, TokenFigures


def price_text(check: PriceCheck, lang: str = "en") -> RenderableType:
    """A price check for the terminal: one table per model. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [Text(asked_words(check, words, numbers), style="dim")]
    for model, rows in by_model(check).items():
        blocks += [heading(model), _table(rows, words, numbers), "", _deployments(rows, words, numbers)]
        blocks += [Text(f"{row.accelerator}: {words.phrase(row.reason)}") for row in rows if row.reason]
    return Group(*blocks)


def asked_words(check: PriceCheck, words: Language, numbers: Numbers) -> str:
    """Requests, promise and utilisation, in a line."""
    return words(
        "price.asked",
        input=numbers.integer(check.input_tokens),
        cached=numbers.percent(check.cached_fraction),
        output=numbers.integer(check.output_tokens),
        promise=promise_text(check.objective, words, numbers),
        utilisation=numbers.percent(check.utilisation),
    )


def _table(rows: list[PriceRow], words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("price.what"), "left"), (words("price.gpu_hour"), "right"), (words("price.input"), "right"),
        (words("price.cached"), "right"), (words("price.output"), "right"), (words("price.blended"), "right"),
        (words("price.margin"), "right"),
    )  # fmt: skip
    for row in rows:
        if row.cost is None:
            continue
        margin = row.cost.list_prices[0].margin_fraction if row.cost.list_prices else None
        table.add_row(
            row.accelerator,
            significant(row.usd_per_gpu_hour),
            *figures_cells(row.cost.usd),
            "–" if margin is None else numbers.percent(margin),
        )
    priced = next((row.cost for row in rows if row.cost is not None), None)
    for listed in priced.list_prices if priced is not None else ():
        name = words("price.listed", name=listed.name)
        table.add_row(name, "", *figures_cells(listed.usd), "", style="dim")
    return table


def _deployments(rows: list[PriceRow], words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("price.what"), "left"), (words("column.gpus"), "right"), (words("serving.deployment"), "left"),
        ("TPOT, ms", "right"), (words("serving.per_gpu"), "right"),
    )  # fmt: skip
    for row in rows:
        if row.estimate is not None:
            table.add_row(
                row.accelerator,
                numbers.integer(row.estimate.deployment.gpus),
                deployment_text(row.estimate.deployment),
                milliseconds(row.estimate.tpot_s, numbers),
                numbers.integer(row.estimate.output_tokens_per_s_per_gpu),
            )
    return table


def figures_cells(figures: TokenFigures) -> tuple[str, str, str, str]:
    """Input, cached, output and mean token in cells of a table."""
    cached = "–" if figures.cached is None else significant(figures.cached)
    return significant(figures.input), cached, significant(figures.output), significant(figures.blended)
