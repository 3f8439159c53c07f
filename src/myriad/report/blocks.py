"""What several texts for the terminal are put together from."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.palette import TIME_COLOURS
from myriad.report.views import parts_present
from myriad.report.words import banded_step
from myriad.spec.result import OperationTime, TrainingEstimate

BAR_CELLS = 23


def paragraph(sentences: Iterable[str], words: Language) -> RenderableType:
    """Sentences one after the other."""
    return Text(words("words.space").join(sentences))


def heading(text: str) -> RenderableType:
    """A bold line after an empty one."""
    return Padding(Text(text, style="bold"), (1, 0, 0, 0))


def bullets(head: str, lines: Iterable[str], words: Language) -> Iterable[RenderableType]:
    """English sentences of a result under a heading, in the words of the language."""
    yield heading(head)
    for line in lines:
        bullet = Table.grid(padding=(0, 1))
        bullet.add_column()
        bullet.add_column(overflow="fold")  # Chinese has no spaces to break at
        bullet.add_row("-", Text(words.phrase(line)))
        yield bullet


def open_table(*columns: tuple[str, str]) -> Table:
    """An open table; each column is (head, `left` or `right`)."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="dim", show_edge=False)
    for head, side in columns:
        right = side == "right"
        table.add_column(head, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


def bar(share: float, colour: str, cells: int = BAR_CELLS) -> Text:
    """A bar of a share of the cells, to an eighth of a cell."""
    eighths = round(max(0.0, min(share, 1.0)) * cells * 8)
    return Text("█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8], style=colour)


def estimate_words(estimate: TrainingEstimate, words: Language, numbers: Numbers) -> RenderableType:
    """Rates and memory of an estimate, a line each."""
    rate = words(
        "text.estimate_rate",
        step=banded_step(estimate, words, numbers),
        rate=numbers.large(estimate.tokens_per_s),
        per_gpu=numbers.integer(estimate.tokens_per_s_per_gpu),
        mfu=numbers.percent(estimate.mfu),
        hfu=numbers.percent(estimate.hfu),
    )
    memory = words(
        "text.fits" if estimate.fits else "text.does_not_fit",
        peak=numbers.gib(estimate.memory_peak_bytes),
        capacity=numbers.memory(estimate.memory_capacity_bytes),
        headroom=numbers.memory(abs(estimate.headroom_bytes)),
    )
    lines = [Text(rate), Text(memory, style="" if estimate.fits else "bold red")]
    if estimate.timeline_step_s is not None:
        differs = estimate.timeline_step_s / estimate.step_s - 1
        timed = words(
            "text.timeline_step",
            step=numbers.seconds(estimate.timeline_step_s),
            difference=numbers.percent(differs, signed=True),
        )
        lines.insert(1, Text(timed))
    return Group(*lines)


def step_table(estimate: TrainingEstimate, words: Language, numbers: Numbers) -> Table:
    """The parts of a step with bars."""
    table = open_table(
        (words("column.part"), "left"), ("", "left"), (words("column.exposed"), "right"),
        (words("column.share"), "right"), (words("column.hidden"), "right"),
    )  # fmt: skip
    longest = max(estimate.time_parts_s.values())
    like = estimate.step_s / 10
    for part in parts_present([estimate.time_parts_s, estimate.hidden_comm_s]):
        exposed, hidden = estimate.time_parts_s.get(part, 0.0), estimate.hidden_comm_s.get(part, 0.0)
        table.add_row(
            words(f"part.{part}"),
            bar(exposed / longest, TIME_COLOURS[part]),
            numbers.plain(exposed, like),
            numbers.percent(exposed / estimate.step_s),
            numbers.plain(hidden, like) if hidden else "–",
        )
    return table


def operations_table(operations: tuple[OperationTime, ...], words: Language, numbers: Numbers, top: int) -> Table:
    """The longest operations of a step, so many of them."""
    table = open_table(
        (words("column.operation"), "left"), (words("column.shape"), "left"), (words("column.calls"), "right"),
        (words("column.seconds"), "right"), (words("column.rate"), "right"),
    )  # fmt: skip
    for op in sorted(operations, key=lambda o: -o.seconds_per_step)[:top]:
        rate = op.flops * op.calls_per_step / op.seconds_per_step / 1e12 if op.seconds_per_step else 0.0
        table.add_row(
            op.name,
            op.shape,
            numbers.integer(op.calls_per_step),
            numbers.plain(op.seconds_per_step),
            numbers.plain(rate) if op.flops else "–",
        )
    return table
