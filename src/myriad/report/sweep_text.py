"""A sweep as text for a terminal: what there is to choose from, model by model, and what cannot be had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.sweep_views import by_model, column_of, front, price_of_speed, reasons, statuses, value_text
from myriad.spec.sweep_result import SweepResult, SweepRow

TOP_ROWS = 12
TOP_REASONS = 6


def size_text(lengths: Mapping[str, int], points: int, searches: int, reused: int, lang: str = "en") -> str:
    """How large a sweep is, before it starts: `36 points: model 2 x gpus 3 x ...; 36 searches, 0 of them done`."""
    words = language(lang)
    numbers = Numbers(words)
    axes = " x ".join(f"{name} {length}" for name, length in lengths.items() if length > 1)
    size = words("sweep.size", points=numbers.integer(points))
    size += words("sweep.axes", axes=axes) if axes else ""
    return size + words("sweep.searches", searches=numbers.integer(searches), reused=numbers.integer(reused))


def counted_text(result: SweepResult, words: Language, numbers: Numbers) -> str:
    """How many points have a layout, and how long the sweep took."""
    found = statuses(result)
    return words(
        "sweep.counted",
        points=numbers.integer(len(result.rows)),
        ok=numbers.integer(found["ok"]),
        infeasible=numbers.integer(found["infeasible"]),
        errors=numbers.integer(found["error"]),
        searches=numbers.integer(result.searches - result.reused),
        seconds=numbers.seconds(result.sweep_s),
    )


def sweep_text(result: SweepResult, lang: str = "en") -> RenderableType:
    """A sweep for the terminal: the front of every model, then why points have no layout."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(result.name, style="bold"),
        *([Text(result.description)] if result.description else []),
        Text(counted_text(result, words, numbers)),
    ]
    for model, rows in by_model(result).items():
        best = front(rows)
        blocks += [heading(front_text(model, best, rows, words)), *_front(best, result, words, numbers)]
        if len(best) > TOP_ROWS:
            blocks.append(Text(words("sweep.more", count=numbers.integer(len(best) - TOP_ROWS)), style="dim"))
    return Group(*blocks, *_reasons(result, words, numbers))


def front_text(model: str, best: list[SweepRow], rows: list[SweepRow], words: Language) -> str:
    """The heading of a front: of which model, in what no other point beats it."""
    cost = words(f"metric.{price_of_speed(rows)}")
    return words("sweep.front", model=model, shown=len(best), of=len(rows), cost=cost)


def _front(rows: list[SweepRow], result: SweepResult, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    """The rows as a table, and under it their layouts, which are too long for a column."""
    keys = [key for key in result.varied if key != "model"]
    cost = price_of_speed(rows)
    heads = [*(f"axis.{key}" for key in keys), "metric.tokens_per_s", "column.mfu", f"metric.{cost}"]
    table = open_table((words("column.rank"), "right"), *((words(head), "right") for head in heads))
    layouts = Table.grid(padding=(0, 2))
    like = min(float(row.flat()[cost] or 0.0) for row in rows)
    for number, row in enumerate(_spread(rows), start=1):
        flat, found = row.flat(), row.found
        assert found.layout is not None
        table.add_row(
            str(number),
            *(value_text(key, flat[column_of(key)], numbers) for key in keys),
            numbers.large(found.tokens_per_s or 0.0),
            numbers.percent(found.mfu or 0.0),
            numbers.plain(float(flat[cost] or 0.0), like),
        )
        layouts.add_row(Text(str(number), style="dim"), found.layout.text())
    yield table
    yield Padding(layouts, (1, 0, 0, 1))


def _spread(rows: list[SweepRow]) -> list[SweepRow]:
    """At most `TOP_ROWS` rows of a front, both ends among them."""
    if len(rows) <= TOP_ROWS:
        return rows
    return [rows[round(i * (len(rows) - 1) / (TOP_ROWS - 1))] for i in range(TOP_ROWS)]


def _reasons(result: SweepResult, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    found = reasons(result)
    if not found:
        return
    yield heading(words("sweep.without"))
    table = open_table(
        (words("sweep.count"), "right"), (words("column.status"), "left"), (words("column.reason"), "left")
    )
    for count, status, reason in found[:TOP_REASONS]:
        table.add_row(numbers.integer(count), words(f"status.{status}"), words.phrase(reason))
    if rest := found[TOP_REASONS:]:
        total = numbers.integer(sum(count for count, _, _ in rest))
        table.add_row(total, "", words("text.other_reasons", count=len(rest)))
    yield table
