"""An explanation as text for a terminal: what it is, what it rests on, what it depends on, what would change it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import (
    bullets,
    estimate_words,
    heading,
    open_table,
    operations_table,
    paragraph,
    step_table,
)
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.views import change
from myriad.spec.explanation import AlikeRun, Assumption, BandGround, Explanation, RowGround
from myriad.spec.result import TrainingEstimate

TOP_OPERATIONS = 8
TOP_ASSUMPTIONS = 12
TOP_ALIKE = 12


def explanation_text(explanation: Explanation, lang: str = "en") -> RenderableType:
    """An explanation for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    estimate = explanation.estimate
    blocks: list[RenderableType] = [
        Text(explanation.subject, style="bold"),
        Text(f"{estimate.layout.text()} · {numbers.gpus(estimate.world_size)}"),
        estimate_words(estimate, words, numbers),
    ]
    if explanation.row is not None:
        blocks += _row(explanation.row, words, numbers)
    blocks += [
        heading(words("caption.step", seconds=numbers.seconds(estimate.step_s))),
        step_table(estimate, words, numbers),
        heading(words("heading.longest")),
        operations_table(explanation.operations, words, numbers, TOP_OPERATIONS),
        heading(words("heading.band")),
        paragraph(_band_words(explanation.band_ground, estimate, words, numbers), words),
    ]
    if explanation.assumptions:
        blocks += [
            heading(words("heading.assumptions")),
            Text(words("text.assumptions"), style="dim"),
            _assumptions(explanation.assumptions, estimate, words, numbers),
        ]
    if explanation.sensitivity:
        shown = numbers.change(explanation.sensitivity[0].change_fraction)
        blocks += [heading(words("caption.sensitivity", change=shown)), _sensitivity(explanation, words, numbers)]
    if explanation.row is not None and explanation.row.alike:
        blocks += [heading(words("heading.alike")), _alike(explanation.row, words, numbers)]
    if estimate.caveats:
        blocks += bullets(words("heading.caveats"), estimate.caveats, words)
    return Group(*blocks)


def _row(row: RowGround, words: Language, numbers: Numbers) -> Iterable[RenderableType]:
    result = row.result
    yield heading(words("heading.measured"))
    said = [
        words(
            "text.measured",
            measured=numbers.integer(result.measured),
            step=numbers.seconds(row.measured_step_s),
            predicted=numbers.integer(result.predicted),
            error=numbers.percent(result.error, signed=True),
        ),
        words("text.in_band" if row.in_band else "text.outside_band"),
    ]
    yield paragraph(said, words)
    if result.left_out_errors:
        errors = [
            f"{words(f'left_out.{kind}')} {numbers.percent(error, signed=True)}"
            for kind, error in result.left_out_errors.items()
        ]
        yield Text(words("text.left_out", errors=words("words.comma").join(errors)))
    yield Text(words("text.measured_from", source=result.source, what=result.measured_from))
    for gap in result.assumed:
        yield Text(words("text.gap", rule=words.phrase(gap)))
    yield Text(words("text.kin" if row.kin else "text.no_kin", count=numbers.integer(row.kin)))


def _band_words(ground: BandGround, estimate: TrainingEstimate, words: Language, numbers: Numbers) -> list[str]:
    band = estimate.band
    if band is None:
        return []
    return [
        words(
            "text.band_share",
            share=numbers.change(band.share),
            low=numbers.seconds(band.low_step_s),
            high=numbers.seconds(band.high_step_s),
        ),
        words(
            "text.band_ground",
            runs=numbers.integer(ground.runs),
            stack=ground.stack,
            stack_runs=numbers.integer(ground.stack_runs),
            accelerator=ground.accelerator,
            accelerator_runs=numbers.integer(ground.accelerator_runs),
        ),
        words(f"basis.{band.basis.replace(' ', '_')}"),
    ]


def _assumptions(
    assumptions: tuple[Assumption, ...], estimate: TrainingEstimate, words: Language, numbers: Numbers
) -> Table:
    table = open_table(
        (words("column.assumption"), "left"), (words("column.kind"), "left"), (words("column.value"), "right"),
        (words("column.tried"), "right"), (words("column.at_low"), "right"), (words("column.at_high"), "right"),
    )  # fmt: skip
    for one in assumptions[:TOP_ASSUMPTIONS]:
        table.add_row(
            words.phrase(one.meaning) if one.kind == "fitted" else _figure(one.figures[0]),
            words(f"kind.{one.kind}"),
            ("× " if one.kind == "fitted" else "") + significant(one.value),
            f"{significant(one.low)}–{significant(one.high)}",
            numbers.percent(one.step_at_low_s / estimate.step_s - 1, signed=True),
            numbers.percent(one.step_at_high_s / estimate.step_s - 1, signed=True),
        )
    return table


def _figure(path: str) -> str:
    """A figure's path with the entry first: `h100: gemm bf16 peak_fraction`."""
    _, entry, *keys = path.split("/")
    return f"{entry}: {' '.join(keys)}"


def _sensitivity(explanation: Explanation, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.resource"), "left"), (words("column.change"), "right"), (words("column.step"), "right"),
        (words("column.saved"), "right"),
    )  # fmt: skip
    for one in sorted(explanation.sensitivity, key=lambda s: -s.gain_fraction):
        table.add_row(
            words(f"resource.{one.resource}"),
            numbers.change(change(one), signed=True),
            numbers.plain(one.step_s, explanation.estimate.step_s / 10),
            numbers.percent(one.gain_fraction),
        )
    return table


def _alike(row: RowGround, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.row"), "left"), (words("column.software"), "left"), (words("column.layout"), "left"),
        (words("column.tokens_per_gpu"), "right"), (words("column.over_this"), "right"),
    )  # fmt: skip
    for one in row.alike[:TOP_ALIKE]:
        table.add_row(
            one.id,
            words("words.comma").join((one.software, *one.switches, *_dropping(one, words))),
            one.layout,
            numbers.integer(one.measured),
            numbers.percent(one.over_this - 1, signed=True),
        )
    return table


def _dropping(one: AlikeRun, words: Language) -> tuple[str, ...]:
    if one.expert_capacity is None:
        return ()
    return (words("text.drops", capacity=significant(one.expert_capacity)),)
