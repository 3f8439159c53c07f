"""How well times and bandwidths of collectives and expert exchanges are met, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.spec.interconnect import InterconnectRowResult, InterconnectValidation
from myriad.spec.validation import GroupError
from myriad.units import format_seconds, format_si


def interconnect_text(result: InterconnectValidation, listed: int) -> Iterator[RenderableType]:
    """Errors in all, by group, of equal rows, and the worst rows."""
    yield Text(f"{result.predicted} of {result.rows} rows predicted", style="bold")
    for reason, ids in result.skipped.items():
        yield Text(f"  {len(ids)} skipped: {reason} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})")
    if result.overall is None:
        return
    yield Text("error of the bandwidth, predicted / measured - 1; median, mean and p90 are absolute", style="dim")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("group", overflow="fold")
    for head in ("rows", "median", "mean", "p90", "bias"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_row("all rows", *_cells(result.overall), style="bold")
    for kind, groups in result.groups.items():
        table.add_section()
        table.add_row(f"by {kind}", style="bold")
        for name, group in groups.items():
            table.add_row(f"  {name}", *_cells(group))
    yield ""
    yield table
    if result.repeated is not None:
        yield Text(
            f"times of one collective by two sources, larger / smaller - 1: median "
            f"{result.repeated.median_abs_error:.1%} of {result.repeated.rows} pairs",
            style="dim",
        )
    if listed:
        yield Text(f"\nworst {min(listed, len(result.per_row))} rows", style="bold")
    yield from (Text(line) for row in result.per_row[:listed] for line in _row(row))


def _cells(errors: GroupError) -> tuple[str, ...]:
    absolute = (errors.median_abs_error, errors.mean_abs_error, errors.p90_abs_error)
    return (str(errors.rows), *(f"{value:.1%}" for value in absolute), f"{errors.bias:+.1%}")


def _row(row: InterconnectRowResult) -> Iterator[str]:
    of = f"{row.message_bytes:,.0f} bytes" if row.message_bytes is not None else f"{row.size} a rank"
    ran = f"{row.collective} {row.algorithm}".strip()
    measured, predicted = (
        f"{format_si(bytes_per_s, 'B/s')} ({format_seconds(time_s)})"
        for bytes_per_s, time_s in (
            (row.measured_bytes_per_s, row.measured_s),
            (row.predicted_bytes_per_s, row.predicted_s),
        )
    )
    yield f"{row.error:>+9.1%}  {row.id}: {ran} of {of} on {row.gpus:,} GPUs"
    yield f"           measured {measured}, predicted {predicted}"
