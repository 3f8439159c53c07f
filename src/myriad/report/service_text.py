"""Services of a plan, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bullets, heading, open_table, paragraph
from myriad.report.language import Language
from myriad.report.numbers import Numbers, significant
from myriad.report.service_views import sides_of, token_rows
from myriad.report.service_words import service_facts, service_words
from myriad.spec.result import Plan
from myriad.spec.service_result import ServicePlan
from myriad.spec.serving_money import ServingCost
from myriad.spec.serving_result import ServingEstimate


def service_blocks(service: ServicePlan, plan: Plan, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    """One service: what is asked for, the decision in words, its sides, what its tokens cost."""
    verdict, colour = ("verdict.planned", "blue") if service.chosen else ("verdict.infeasible", "red")
    yield Text.assemble((f"■ {service.name}", "bold"), "  ", (words(verdict), f"bold {colour}"))
    yield Text(service_facts(service, words, numbers), style="dim")
    for number, sentences in enumerate(service_words(service, plan, words, numbers)):
        if number:
            yield ""
        yield paragraph(sentences, words)
    chosen = service.chosen
    if chosen is None or chosen.estimate is None:
        return
    yield heading(words("service.sides"))
    yield _sides(chosen.estimate, words, numbers)
    if chosen.cost is not None:
        yield heading(words("service.tokens_head"))
        yield _tokens(chosen.cost, words, numbers)
    if service.caveats:
        yield from bullets(words("heading.caveats"), service.caveats, words)
    if chosen.missing:
        yield from bullets(words("heading.missing"), chosen.missing, words)


def _sides(estimate: ServingEstimate, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("service.side"), "left"), (words("service.replicas"), "right"), (words("column.layout"), "left"),
        (words("service.side_gpus"), "right"), (words("serving.per_gpu"), "right"),
        (words("service.iteration"), "right"),
    )  # fmt: skip
    for row in sides_of(estimate):
        table.add_row(
            words(f"service.{row.side}"),
            numbers.integer(row.replicas.count),
            row.replicas.layout.text(),
            numbers.integer(row.replicas.gpus),
            numbers.integer(row.tokens_per_s_per_gpu),
            numbers.plain(1e3 * row.iteration_s),
        )
    return table


def _tokens(cost: ServingCost, words: Language, numbers: Numbers) -> Table:
    currency = words(f"currency.{numbers.currency}")
    table = open_table(
        (words("service.kind"), "left"), (words("service.gpu_s"), "right"),
        (words("service.cost", currency=currency), "right"), (words("service.price", currency=currency), "right"),
    )  # fmt: skip
    for row in token_rows(cost):
        table.add_row(
            words(f"service.{row.kind}"),
            significant(row.gpu_s),
            significant(row.usd / numbers.usd_per_currency),
            "–" if row.price_usd is None else significant(row.price_usd / numbers.usd_per_currency),
        )
    return table
