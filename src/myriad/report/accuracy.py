"""Errors of the fit to all runs beside those of fits that left the run's group out, as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.spec.fitted import Bands
from myriad.spec.validation import GroupError, LeftOut, Validation

LEFT_OUT_WORDS = {
    "lineage": "line of models",
    "stack": "software",
    "accelerator": "accelerator",
    "gpus": "decade of GPUs",
}
"""What is left out -> its name in a sentence."""


def fitted_text(result: Validation) -> Iterable[RenderableType]:
    """What was fitted, and how far off runs are that the fit had not seen; nothing where nothing was fitted."""
    fitted = result.fitted
    if fitted is None:
        return
    yield Text("\nfitted to these runs, and judged by runs left out", style="bold")
    yield Text(
        f"{fitted.parameters} parameters fitted to {fitted.rows} runs, {fitted.rows / fitted.parameters:.0f} runs for "
        f"each; the one with the fewest has an effect on {fitted.fewest_rows}"
    )
    yield Text(f"bands that are to hold {fitted.bands.share:.0%} of runs: {band_widths(fitted.bands)}")
    for kind, left_out in fitted.left_out.items():
        if left_out.in_band is not None:
            yield Text(
                f"  {left_out.in_band:.0%} of runs lie inside their {fitted.bands.share:.0%} band "
                f"where their {LEFT_OUT_WORDS[kind]} was left out"
            )
    yield Text("\nfit: errors of the fit to all runs; out: of fits that left the run's whole group out")
    yield _table(result, fitted.left_out)


def band_widths(bands: Bands) -> str:
    """The half-widths of all bands as factors on the step time, in one line."""
    families = ", ".join(f"{family} x {math.exp(width):.2f}" for family, width in bands.families.items())
    unknown = f"software x {math.exp(bands.unknown_stack):.2f}, accelerator x {math.exp(bands.unknown_accelerator):.2f}"
    return f"{families}; wider, in squares of logarithms, by unknown {unknown}"


def _table(result: Validation, left_out: dict[str, LeftOut]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("error in %", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    for side in ("fit", "out"):
        for head in ("mean", "median", "p90", "bias"):
            table.add_column(f"{side}\n{head}", justify="right", no_wrap=True)
    overall = GroupError(
        rows=result.predicted,
        mean_abs_error=result.mean_abs_error,
        median_abs_error=result.median_abs_error,
        p90_abs_error=result.p90_abs_error,
        bias=result.bias,
    )
    for kind, one in left_out.items():
        table.add_section()
        table.add_row(
            f"by {LEFT_OUT_WORDS[kind]}", str(one.overall.rows), *_cells(overall), *_cells(one.overall), style="bold"
        )
        for group, errors in one.groups.items():
            in_sample = result.groups[kind][group]
            table.add_row(f"  {group}", str(errors.rows), *_cells(in_sample), *_cells(errors))
    return table


def _cells(errors: GroupError) -> tuple[str, ...]:
    absolute = errors.mean_abs_error, errors.median_abs_error, errors.p90_abs_error
    return (*(f"{100 * value:.1f}" for value in absolute), f"{100 * errors.bias:+.1f}")
