"""How far the serving estimate is from published runs, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.spec.serving_validation import ErrorKind, ErrorSummary, ServingRowResult, ServingValidation
from myriad.spec.validation import GroupError
from myriad.units import format_seconds

ERROR_WORDS: dict[ErrorKind, str] = {"tpot": "TPOT", "ttft": "TTFT", "throughput": "throughput"}
"""What is judged -> its name in a table."""


def serving_text(result: ServingValidation, listed: int) -> Iterable[RenderableType]:
    """The judgement: rows answered, errors in all and by group, and the `listed` worst rows."""
    yield Text(f"{result.predicted} of {result.rows} rows predicted ({result.answered_fraction:.0%})", style="bold")
    for reason, count in result.skipped.items():
        yield Text(f"  {count} skipped: {reason}")
    if result.not_fitting:
        yield Text(f"  {result.not_fitting} ran, but are judged not to fit")
    yield Text("error, predicted / measured - 1 (mean, median and 90th percentile of its size; bias is the mean)")
    for name, errors in _kinds(result.overall).items():
        if errors is not None:
            yield Text(f"  {name}: {_sentence(errors)}")
    for kind, left in result.left_out.items():
        yield Text(f"the same by fits that left each {kind} out")
        for name, errors in _kinds(left.overall).items():
            if errors is not None:
                yield Text(f"  {name}: {_sentence(errors)}")
    yield ""
    yield _table(result)
    if listed:
        yield Text(f"\nworst {min(listed, len(result.per_row))} rows", style="bold")
    for row in result.per_row[:listed]:
        yield _row(row)


def _kinds(summary: ErrorSummary) -> dict[str, GroupError | None]:
    return {
        "TPOT": summary.tpot,
        "TTFT, all rows": summary.ttft,
        "TTFT, below saturation": summary.ttft_unsaturated,
        "throughput": summary.throughput,
    }


def _sentence(errors: GroupError) -> str:
    return (
        f"mean {errors.mean_abs_error:.1%}, median {errors.median_abs_error:.1%}, 90th percentile "
        f"{errors.p90_abs_error:.1%}; bias {errors.bias:+.1%}; {errors.rows} rows"
    )


def _table(result: ServingValidation) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("error in %", overflow="fold", min_width=16)
    table.add_column("rows", justify="right", no_wrap=True)
    for name in ("TPOT", "TTFT", "tok/s"):
        for head in ("mean", "med.", "bias"):
            above = name if head == "mean" else ""
            table.add_column(f"{above}\n{head}", justify="right", no_wrap=True)
    for kind, groups in result.groups.items():
        table.add_section()
        table.add_row(f"by {kind}", style="bold")
        for group, summary in groups.items():
            judged = (summary.tpot, summary.ttft, summary.throughput)
            rows = max((errors.rows for errors in judged if errors is not None), default=0)
            table.add_row(f"  {group}", str(rows), *(cell for errors in judged for cell in _cells(errors)))
    return table


def _cells(errors: GroupError | None) -> tuple[str, str, str]:
    if errors is None:
        return "", "", ""
    return _percent(errors.mean_abs_error), _percent(errors.median_abs_error), f"{100 * errors.bias:+.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 1.0 else f"{100 * share:.0f}"


def _row(row: ServingRowResult) -> Text:
    errors = ", ".join(f"{ERROR_WORDS[kind]} {error:+.1%}" for kind, error in row.errors.items() if error is not None)
    load = "more requests than fit" if row.concurrency is None else f"{row.concurrency} requests"
    drafted = "" if row.speculation == "none" else f", {row.speculation}"
    return Text(
        f"{errors}  {row.id}\n"
        f"    {row.model}, {row.num_gpus} x {row.accelerator}, {row.precision}{drafted}, {row.engine} {row.release}: "
        f"{row.layout}\n"
        f"    {row.input_tokens} + {row.output_tokens} tokens, {load}: measured {_figures(row.measured)}; "
        f"predicted {_figures(row.predicted)}"
    )


def _figures(figures: dict[ErrorKind, float | None] | dict[ErrorKind, float]) -> str:
    texts = []
    for kind, figure in figures.items():
        if figure is not None:
            texts.append(
                f"{figure:,.0f} tokens/s/GPU"
                if kind == "throughput"
                else f"{ERROR_WORDS[kind]} {format_seconds(figure)}"
            )
    return ", ".join(texts)
