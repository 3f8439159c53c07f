"""A timeline as text for a terminal: a row per stage, what it comes to, and what every stage holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table, paragraph
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.palette import OPERATION_COLOURS
from myriad.report.timeline_chart import shade_of
from myriad.report.timeline_words import timeline_words
from myriad.spec.timeline import OPERATION_KINDS, StepTimeline

_FILL = {"forward": "-", "backward": "=", "weight_gradient": "+"}
_IDLE, _CUT = " ", "┊"
_LEAST_CELLS = 2
"""Of a usual forward: with fewer, the middle of the step is left out."""


def timeline_text(timeline: StepTimeline, lang: str = "en") -> RenderableType:
    """A timeline for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    kinds = sorted(set(timeline.operations.kind))
    legend = Text("  ").join(
        Text.assemble((_FILL[name] * 3, _style(name)), " " + words(f"operation.{name}"))
        for name in (OPERATION_KINDS[kind] for kind in kinds)
    )
    return Group(
        Text(timeline.subject, style="bold"),
        Text(f"{timeline.layout.text()} · {numbers.gpus(timeline.layout.world_size)}"),
        paragraph(timeline_words(timeline, words, numbers), words),
        heading(words("heading.timeline")),
        _Picture(timeline),
        Text.assemble(legend, f"  {_CUT} ", words("text.timeline_cut")),
        heading(words("caption.timeline_parts")),
        _parts(timeline, words, numbers),
        heading(words("caption.timeline_stages")),
        _stages(timeline, words, numbers),
    )


def _style(kind: str, shade: int = 0) -> str:
    return f"black on {OPERATION_COLOURS[kind][shade]}"


def _parts(timeline: StepTimeline, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.part"), "left"), (words("column.timeline"), "right"), (words("column.closed_form"), "right"),
        (words("column.difference"), "right"),
    )  # fmt: skip
    like = timeline.pipeline_s / 10
    rows = (
        ("text.timeline_busy", timeline.busy_s, timeline.closed_busy_s, ""),
        ("part.bubble", timeline.bubble_s, timeline.closed_bubble_s, ""),
        ("part.pp_comm", timeline.transfers_s, timeline.closed_transfers_s, ""),
        ("text.timeline_pipeline", timeline.pipeline_s, timeline.closed_pipeline_s, "bold"),
        ("column.step", timeline.step_s, timeline.estimated_step_s, "bold"),
    )
    for key, found, closed, style in rows:
        difference = numbers.signed(found - closed, like)
        table.add_row(words(key), numbers.plain(found, like), numbers.plain(closed, like), difference, style=style)
    return table


def _stages(timeline: StepTimeline, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.stage"), "right"), (words("column.busy"), "right"), (words("column.idle"), "right"),
        (words("column.micro_batches_held"), "right"), (words("column.activations"), "right"),
    )  # fmt: skip
    for one in timeline.stages:
        table.add_row(
            str(one.stage),
            numbers.percent(one.busy_s / timeline.pipeline_s),
            numbers.percent(one.idle_s / timeline.pipeline_s),
            f"{one.peak_micro_batches:.4g}",
            numbers.gib(one.peak_activation_bytes),
        )
    return table


@dataclass(frozen=True)
class _Slot:
    """What runs on a stage at once: one operation, or several that go together."""

    start_s: float
    end_s: float
    kind: str
    micro_batch: int
    shade: int


@dataclass(frozen=True)
class _Picture:
    """A row of characters per stage, as wide as the terminal.

    Numbers are micro-batches. Where the whole step would leave a forward less than two cells, the left half shows its
    start and the right half its end, as far as the pace of two cells goes, or as the ramp of the pipeline needs.
    """

    timeline: StepTimeline

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        stages = len(self.timeline.stages)
        label = len(str(stages - 1)) + 1
        width = max(options.max_width - label, 16)
        spans = self._spans(width)
        rows = self._slots()
        for stage in range(stages):
            line = Text(f"{stage:>{label - 1}} ", style="dim", no_wrap=True, overflow="crop")
            for number, (begin_s, end_s, cells) in enumerate(spans):
                if number:
                    line.append(_CUT, style="dim")
                for text, style in _cells(rows[stage], begin_s, (end_s - begin_s) / cells, cells):
                    line.append(text, style=style)
            yield line

    def _spans(self, width: int) -> list[tuple[float, float, int]]:
        """Spans of time and how many cells each has."""
        whole_s = self.timeline.pipeline_s
        operations = self.timeline.operations
        forwards = [
            e - s for k, s, e in zip(operations.kind, operations.start_s, operations.end_s, strict=True) if not k
        ]
        usual_s = sorted(forwards)[len(forwards) // 2]
        if whole_s <= width * usual_s / _LEAST_CELLS:
            return [(0.0, whole_s, width)]
        cells = (width - 1) // 2
        last_start_s = max(
            min(s for d, s in zip(operations.stage, operations.start_s, strict=True) if d == stage)
            for stage in {*operations.stage}
        )
        span_s = max(cells * usual_s / _LEAST_CELLS, 1.25 * last_start_s)
        if 2 * span_s >= whole_s:
            return [(0.0, whole_s, width)]
        return [(0.0, span_s, cells), (whole_s - span_s, whole_s, width - 1 - cells)]

    def _slots(self) -> list[list[_Slot]]:
        rows: list[list[_Slot]] = [[] for _ in self.timeline.stages]
        o = self.timeline.operations
        goes_on = False
        for stage, kind, chunk, batch, start_s, end_s, with_next in zip(
            o.stage, o.kind, o.chunk, o.micro_batch, o.start_s, o.end_s, o.with_next, strict=True
        ):
            if not goes_on:
                shade = shade_of(self.timeline.layout, stage, chunk, batch)
                rows[stage].append(_Slot(start_s, end_s, OPERATION_KINDS[kind], batch, shade))
            goes_on = with_next
        return rows


def _cells(slots: Iterable[_Slot], begin_s: float, cell_s: float, cells: int) -> Iterator[tuple[str, str]]:
    """Runs of characters and their styles: from the cell where an operation starts to that where it ends."""
    at = 0
    for slot in slots:
        first = max(round((slot.start_s - begin_s) / cell_s), at)
        last = min(round((slot.end_s - begin_s) / cell_s), cells)
        if last <= first:
            continue
        if first > at:
            yield _IDLE * (first - at), ""
        number = str(slot.micro_batch)
        starts_here = slot.start_s >= begin_s - cell_s / 2
        shown = number if len(number) <= last - first and starts_here else ""
        yield shown + _FILL[slot.kind] * (last - first - len(shown)), _style(slot.kind, slot.shade)
        at = last
    if at < cells:
        yield _IDLE * (cells - at), ""
