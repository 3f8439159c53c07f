"""How a cluster breaks by its own logs, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.spec.reliability_fit import CauseFit, DurationFit, Interval, LemonFit, ReliabilityFit, StepLogFit
from myriad.units import format_seconds

_LISTED = 5


def reliability_fit_text(fit: ReliabilityFit) -> Iterator[RenderableType]:
    """Causes with their intervals, times to failure by job size, lemons, what the step log says, what was taken."""
    yield Text(
        f"{fit.incidents:,} incidents on {fit.num_nodes:,} nodes in {fit.days:.4g} days: "
        f"{_rate(fit.per_1000_node_days)} per 1,000 node-days",
        style="bold",
    )
    yield Text("intervals of 95 %; * a constant rate is rejected", style="dim")
    table = _table("cause", "events", "rate", "95 %", "shape", "repair")
    for one in fit.causes:
        rate = one.per_1000_node_days
        between = f"{rate.low:.3g} to {rate.high:.3g}"
        table.add_row(one.name, f"{one.events:,}", f"{rate.value:.3g}", between, _shape(one), _duration(one.repair))
    yield table
    for one in fit.causes:
        if one.burst > 1.0:
            yield Text(f"{one.name}: bursts of {one.burst:.2g} events, {format_seconds(one.burst_within_s)} apart")
    yield from _lemons(fit.lemons)
    sizes = _table("accelerators", "mean time to failure")
    for size, mttf in fit.mttf_s.items():
        if size <= fit.num_nodes * fit.accelerators_per_node or size == min(fit.mttf_s):
            sizes.add_row(f"{size:,}", _seconds(mttf))
    yield ""
    yield sizes
    if fit.steps is not None:
        yield ""
        yield from _steps(fit.steps)
    for said in fit.assumed:
        yield Text(f"taken: {said}", style="dim")


def _table(first: str, *heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column(first, overflow="fold")
    for head in heads:
        table.add_column(head, justify="right")
    return table


def _rate(fit: Interval) -> str:
    return f"{fit.value:.3g} ({fit.low:.3g} to {fit.high:.3g})"


def _seconds(fit: Interval) -> str:
    return f"{format_seconds(fit.value)} ({format_seconds(fit.low)} to {format_seconds(fit.high)})"


def _shape(one: CauseFit) -> str:
    if one.shape is None:
        return "-"
    return f"{one.shape.value:.2f}{'*' if one.shape_used != 1.0 else ''}"


def _duration(fit: DurationFit | None) -> str:
    return "-" if fit is None else f"{format_seconds(fit.mean_s.value)} {fit.law}"


def _lemons(lemons: LemonFit | None) -> Iterator[RenderableType]:
    if lemons is None:
        yield Text("no node has significantly more events than the others")
        return
    named = ", ".join(f"{one.node} ({one.events})" for one in lemons.nodes[:_LISTED])
    more = f" and {len(lemons.nodes) - _LISTED} more" if len(lemons.nodes) > _LISTED else ""
    share = f"{lemons.share.value:.2%} of the nodes ({lemons.share.low:.2%} to {lemons.share.high:.2%})"
    yield Text(f"lemons: {share} fail {lemons.times:.3g} times as often; by name {named}{more}")


def _steps(steps: StepLogFit) -> Iterator[RenderableType]:
    yield Text(
        f"step log: {steps.steps:,} steps of {format_seconds(steps.step_s)} in {format_seconds(steps.wall_s)}, "
        f"ETTR {steps.ettr:.1%}",
        style="bold",
    )
    if steps.mean_time_to_interruption_s is not None and steps.restart_s is not None:
        restart = steps.restart_s
        yield Text(
            f"{len(steps.restarts):,} restarts, one in {_seconds(steps.mean_time_to_interruption_s)}; each "
            f"{_seconds(restart.mean_s)} down ({restart.law}); {steps.lost_steps:,} steps lost"
        )
    if steps.checkpoint_blocking_s is not None and steps.checkpoint_interval_s is not None:
        yield Text(
            f"checkpoints block {format_seconds(steps.checkpoint_blocking_s)} every "
            f"{format_seconds(steps.checkpoint_interval_s)} ({steps.checkpoint_steps:.4g} steps)"
        )
    for one in steps.slow[:_LISTED]:
        yield Text(
            f"slow: {one.speed:.1%} of the usual speed for {format_seconds(one.end_s - one.start_s)}, "
            f"{format_seconds(one.start_s)} from the start"
        )
    parts = {
        "productive": steps.productive_s, "lost work": steps.lost_work_s, "down": steps.down_s,
        "checkpoints": steps.checkpoint_s, "slow": steps.slow_s, "other": steps.other_s,
    }  # fmt: skip
    yield Text("; ".join(f"{name} {value / steps.wall_s:.1%}" for name, value in parts.items()))
