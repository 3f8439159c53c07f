"""One job over several pools, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import bullets, heading, open_table, paragraph
from myriad.report.language import Language, language
from myriad.report.mix_words import held_by, mix_pace, mix_words
from myriad.report.numbers import Numbers
from myriad.spec.mixed import MixedEstimate, MixResult, PoolAlone


def mix_text(result: MixResult, lang: str = "en") -> RenderableType:
    """A mix for the terminal: whether it pays, what each pool does, and each alone. SpecError for a language."""
    words = language(lang)
    numbers = Numbers(words)
    best = result.best
    names = numbers.listed([part.pool for part in best.parts])
    return Group(
        Text(f"{names} · {words(f'join.{best.join}')} · {numbers.gpus(best.num_gpus)}", style="bold"),
        paragraph([mix_pace(best, words, numbers), *mix_words(result, words, numbers)], words),
        *mix_blocks(result, words, numbers),
        *bullets(words("heading.caveats"), result.caveats, words),
    )


def mix_blocks(result: MixResult, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    """A table for each join, and one of the pools alone."""
    for estimate in result.joined:
        join = words(f"join.{estimate.join}")
        yield heading(words("caption.mix", seconds=numbers.seconds(estimate.step_s), join=join))
        yield _parts(estimate, words, numbers)
    yield heading(words("heading.alone"))
    yield _alone(result.alone, words, numbers)


def _parts(estimate: MixedEstimate, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.pool"), "left"), (words("column.gpus"), "right"), (words("column.layout"), "left"),
        (words("column.holds"), "left"), (words("column.busy"), "right"), (words("column.across"), "right"),
        (words("column.idle"), "right"), ("GiB", "right"),
    )  # fmt: skip
    like = estimate.step_s / 10
    for part in estimate.parts:
        table.add_row(
            part.pool,
            numbers.integer(part.num_gpus),
            part.layout.text(),
            held_by(part, estimate.join, words, numbers),
            numbers.plain(part.busy_s, like),
            numbers.plain(part.cross_exposed_s, like),
            numbers.percent(part.idle_s / estimate.step_s),
            numbers.gib(part.memory_peak_bytes),
        )
    return table


def _alone(pools: tuple[PoolAlone, ...], words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.pool"), "left"), (words("column.gpus"), "right"), (words("column.layout"), "left"),
        (words("column.step"), "right"), (words("column.rate_tokens"), "right"),
    )  # fmt: skip
    for pool in pools:
        if pool.layout is None or pool.step_s is None or pool.tokens_per_s is None:
            table.add_row(pool.pool, "–", words.phrase(pool.reason), "–", "–", style="dim")
            continue
        table.add_row(
            pool.pool,
            numbers.integer(pool.num_gpus),
            pool.layout.text(),
            numbers.plain(pool.step_s),
            numbers.large(pool.tokens_per_s),
        )
    return table
