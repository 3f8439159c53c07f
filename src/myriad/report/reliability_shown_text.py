"""How a described cluster breaks, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.spec.reliability_shown import ShownCause, ShownReliability
from myriad.units import format_seconds


def reliability_shown_text(shown: ShownReliability) -> Iterator[RenderableType]:
    """Causes with rates and ranges, and mean times to failure by job size."""
    yield Text(shown.name, style="bold")
    yield Text(
        f"on {shown.cluster}: {shown.per_1000_node_days:.3g} interruptions per 1,000 node-days in the first year"
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("cause", overflow="fold")
    for head in ("rate", "range", "detected", "repaired in", "of"):
        table.add_column(head, justify="right")
    for one in shown.causes:
        name = one.name if one.effect == "stop" else f"{one.name} ({one.effect})"
        repair = (format_seconds(one.repair_s), f"{one.repaired:.0%}") if one.repaired else ("-", "-")
        table.add_row(
            name,
            f"{one.per_1000_node_days:.3g}",
            _range(one),
            format_seconds(one.detection_s + one.diagnosis_s),
            *repair,
        )
    yield table
    if shown.lemon_share:
        yield Text(f"{shown.lemon_share:.2%} of the nodes fail {shown.lemon_times:.3g} times as often")
    sizes = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for head in ("accelerators", "mean time to failure"):
        sizes.add_column(head, justify="right")
    for size, mttf_s in shown.mttf_s.items():
        sizes.add_row(f"{size:,}", format_seconds(mttf_s))
    yield ""
    yield sizes


def _range(one: ShownCause) -> str:
    if one.low is None and one.high is None:
        return "-"
    low, high = ("?" if end is None else f"{end:.2g}" for end in (one.low, one.high))
    return f"{low} to {high}"
