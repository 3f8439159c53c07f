"""How well published failures, MTTF, ETTR and checkpoint overheads are met, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from myriad.spec.reliability_validation import ReliabilityRow, ReliabilityValidation
from myriad.units import format_seconds


def reliability_accuracy_text(result: ReliabilityValidation) -> Iterator[RenderableType]:
    """Every row by part, those that do not hold first, with what was taken and why it is off."""
    judged = sum(part.rows for part in result.parts.values())
    hold = sum(part.hold for part in result.parts.values())
    yield Text(f"{hold} of {judged} rows hold; {len(result.unjudged)} published figures cannot be judged", style="bold")
    yield Text(f"simulated: means of {result.runs} lives, seed {result.seed}", style="dim")
    for name, part in result.parts.items():
        bounds = f", {part.bounds} of them bounds" if part.bounds else ""
        yield Text(f"\n{name}: {part.hold} of {part.rows} hold{bounds}", style="bold")
        for row in result.per_row:
            if row.part == name:
                yield from (Text(line) for line in _row(row))
    yield Text("\nnot judged", style="bold")
    yield from (Text(f"{key}: {said}") for key, said in result.unjudged.items())


def _row(row: ReliabilityRow) -> Iterator[str]:
    yield f"{'    ' if row.holds else 'off '}{row.id}{'' if row.what in row.id else ': ' + row.what}"
    published = {"exact": "", "at-least": "at least ", "projected": "projected "}[row.claim]
    said = [f"published {published}{shown_figure(row, row.published)}"] if row.published is not None else []
    said += [f"by formula {shown_figure(row, row.formula)}"] if row.formula is not None else []
    said += [f"simulated {shown_figure(row, row.simulated)}"] if row.simulated is not None else []
    said += [f"{shown_figure(row, row.low)} to {shown_figure(row, row.high)}"] if row.low is not None else []
    yield f"      {', '.join(said)}; {shown_error(row)}"
    for taken in row.taken:
        yield f"      taken: {taken}"
    if row.note and (not row.holds or row.part != "interruptions by cause"):
        yield f"      {row.note}"


def shown_error(row: ReliabilityRow) -> str:
    """The error in percent of what is published; of ETTR the difference in points."""
    return f"{100 * row.error:+.1f} points" if row.part == "ETTR" else f"{row.error:+.1%}"


def shown_figure(row: ReliabilityRow, value: float | None) -> str:
    """A figure in the unit of its row."""
    if value is None:
        return "-"
    match row.unit:
        case "seconds":
            return format_seconds(value)
        case "share":
            return f"{value:.2%}" if row.part != "ETTR" else f"{value:.1%}"
        case "interruptions":
            return f"{value:,.4g}"
    return f"{value:.3g}"
