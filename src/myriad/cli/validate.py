"""`myriad validate`: estimates held against measurements."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myriad.cli.options import JsonFile, read_flag
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.units import format_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType

    from myriad.spec.validation import MemoryJudgement, RankingGroup, RankingValidation, Validation


EXAMPLES: Final = """\b
Examples:
  myriad validate training
  myriad validate training --plot errors.svg --plot-by family
  myriad validate training --rows runs.csv --models models.yaml --json errors.json"""


SERVING_EXAMPLES: Final = """\b
Examples:
  myriad validate serving
  myriad validate serving --rows runs.csv --json errors.json"""


RANKING_EXAMPLES: Final = """\b
Examples:
  myriad validate ranking
  myriad validate ranking --rows runs.csv --models models.yaml --json sets.json"""

Rows = Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Your runs, in the columns of the shipped tables.")]
Models = Annotated[
    Path | None, typer.Option(metavar="FILE.yaml", help="Architectures of models that the catalog lacks.")
]


def training(
    rows: Rows = None,
    models: Models = None,
    worst: Annotated[str, typer.Option(metavar="COUNT", help="Rows to list, the worst first.")] = "10",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg|.html", help="Draw predicted against measured, with the bands.")
    ] = None,
    plot_by: Annotated[
        str, typer.Option("--plot-by", metavar="GROUP", help="What colours tell apart: accelerator, family, stack, ...")
    ] = "accelerator",
    json_file: JsonFile = None,
) -> None:
    """Judge the training estimate by published runs, or by yours."""
    check_outputs({"--json": json_file, "--plot": plot}, *(path for path in (rows, models) if path is not None))
    _check_plot(plot, plot_by)
    from myriad import api
    from myriad.spec.base import CountOrZero

    listed = read_flag("--worst", worst, CountOrZero)
    with progress("judging the training estimate") as step:
        result = api.validate_training(rows, models, progress=step("judging the training estimate"))
    answer(result, json_file, *_text(result, listed))
    if plot is not None:
        write(plot, _plot_text(result, plot, plot_by))
        say(f"plot: {plot}")


def _check_plot(plot: Path | None, plot_by: str) -> None:
    from myriad.errors import SpecError, unknown_name
    from myriad.spec.validation import GROUP_KINDS

    if plot is not None and plot.suffix not in (".svg", ".html"):
        raise SpecError(f"--plot: {plot}: expected a name that ends in .svg or .html")
    if plot_by not in GROUP_KINDS:
        raise SpecError(f"--plot-by: {unknown_name('group', plot_by, GROUP_KINDS)}")


def _plot_text(result: Validation, plot: Path, plot_by: str) -> str:
    from myriad import catalog
    from myriad.report.scatter import scatter_page, scatter_svg
    from myriad.validate.training import grouped

    groups, bands = grouped(result.per_row, plot_by), catalog.training_fit().bands
    if plot.suffix == ".svg":
        return scatter_svg(groups, bands)
    return scatter_page(groups, bands, f"{result.predicted} training runs, predicted against measured")


def serving(
    rows: Rows = None,
    worst: Annotated[str, typer.Option(metavar="COUNT", help="Rows to list, the worst first.")] = "10",
    json_file: JsonFile = None,
) -> None:
    """Judge the serving estimate by published runs, or by yours: TPOT, TTFT and throughput."""
    check_outputs({"--json": json_file}, *(path for path in (rows,) if path is not None))
    from myriad import api
    from myriad.report.serving_accuracy import serving_text
    from myriad.spec.base import CountOrZero

    listed = read_flag("--worst", worst, CountOrZero)
    with progress("judging the serving estimate") as step:
        result = api.validate_serving(rows, progress=step("judging the serving estimate"))
    answer(result, json_file, *serving_text(result, listed))


def ranking(
    rows: Rows = None,
    models: Models = None,
    worst: Annotated[str, typer.Option(metavar="COUNT", help="Sets to list, the largest regret first.")] = "5",
    json_file: JsonFile = None,
) -> None:
    """Judge how the layouts of one job are ranked, on published runs or on yours."""
    check_outputs({"--json": json_file}, *(path for path in (rows, models) if path is not None))
    from myriad import api
    from myriad.spec.base import CountOrZero

    listed = read_flag("--worst", worst, CountOrZero)
    result = api.validate_ranking(rows, models)
    answer(result, json_file, *_ranking_text(result, listed))


DEVICE_EXAMPLES: Final = """\b
Examples:
  myriad validate device
  myriad validate device --rows runs.csv --json errors.json"""


def device(
    rows: Rows = None,
    worst: Annotated[str, typer.Option(metavar="COUNT", help="Rows to list, the worst first.")] = "10",
    json_file: JsonFile = None,
) -> None:
    """Judge speeds on phones, cars, laptops and cards by published runs, or by yours."""
    check_outputs({"--json": json_file}, *(path for path in (rows,) if path is not None))
    from myriad import api
    from myriad.report.device import device_validation_text
    from myriad.spec.base import CountOrZero

    listed = read_flag("--worst", worst, CountOrZero)
    result = api.validate_device(rows)
    answer(result, json_file, *device_validation_text(result, listed))


def _percent(share: float, signed: bool = False) -> str:
    return f"{100 * share:+.1f} %" if signed else f"{100 * share:.1f} %"


def _text(result: Validation, listed: int) -> Iterable[RenderableType]:
    from rich.text import Text

    from myriad.report.accuracy import fitted_text

    yield Text(f"{result.predicted} of {result.rows} rows predicted", style="bold")
    for reason, count in result.skipped.items():
        yield Text(f"  {count} skipped: {reason}")
    if not result.predicted:
        return
    yield Text(
        f"error of tokens/s, predicted / measured - 1: mean {_percent(result.mean_abs_error)}, "
        f"median {_percent(result.median_abs_error)}, 90th percentile {_percent(result.p90_abs_error)} (absolute); "
        f"bias {_percent(result.bias, signed=True)}"
    )
    yield from _groups(result)
    yield from fitted_text(result)
    if listed:
        yield from _worst(result, listed)
    yield from _memory(result.memory, listed)


def _memory(memory: MemoryJudgement, listed: int) -> Iterable[RenderableType]:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not (memory.rows or memory.peak_rows):
        return
    yield Text("\nmemory", style="bold")
    if memory.rows:
        spare = ", ".join(f"{rows} with {share:.0%}" for share, rows in memory.fitting_with_margin.items())
        yield Text(
            f"{memory.fitting} of {memory.rows} runs with a full layout judged to fit; to spare: {spare} or more"
        )
    if memory.not_fitting:
        yield Text(f"  ran, but judged not to fit: {', '.join(memory.not_fitting)}")
    if memory.peak_rows:
        yield Text(
            f"peak, predicted / measured - 1: mean {_percent(memory.peak_mean_abs_error)}, "
            f"90th percentile {_percent(memory.peak_p90_abs_error)} (absolute); "
            f"bias {_percent(memory.peak_bias, signed=True)}; on {memory.peak_rows} runs that print one"
        )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("group", overflow="fold")
    for head in ("runs", "fit", "least spare", "peaks", "mean", "p90", "bias"):
        table.add_column(head, justify="right", no_wrap=True)
    for kind, groups in memory.groups.items():
        table.add_section()
        table.add_row(f"by {kind}", style="bold")
        for name, group in groups.items():
            least = "" if group.least_spare_fraction is None else f"{group.least_spare_fraction:.0%}"
            cells = [f"  {name}", str(group.rows), str(group.fitting), least]
            if group.peak is not None:
                errors = _percent(group.peak.mean_abs_error), _percent(group.peak.p90_abs_error)
                cells += [str(group.peak.rows), *errors, _percent(group.peak.bias, signed=True)]
            table.add_row(*cells)
    yield ""
    yield table
    if memory.peaks[:listed]:
        yield Text(f"\nworst {min(listed, memory.peak_rows)} peaks", style="bold")
    for peak in memory.peaks[:listed]:
        yield Text(
            f"{_percent(peak.error, signed=True):>9}  {peak.id}: {peak.model}, {peak.stack}, {peak.layout}\n"
            f"           measured {format_bytes(peak.measured_bytes)}, predicted {format_bytes(peak.predicted_bytes)}"
        )


def _groups(result: Validation) -> Iterable[RenderableType]:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("group", overflow="fold")
    for head in ("rows", "mean", "median", "p90", "bias"):
        table.add_column(head, justify="right", no_wrap=True)
    for kind, groups in result.groups.items():
        table.add_section()
        table.add_row(f"by {kind}", style="bold")
        for name, group in groups.items():
            errors = (group.mean_abs_error, group.median_abs_error, group.p90_abs_error)
            table.add_row(
                f"  {name}", str(group.rows), *(_percent(error) for error in errors), _percent(group.bias, signed=True)
            )
    yield ""
    yield table


def _worst(result: Validation, listed: int) -> Iterable[RenderableType]:
    from rich.text import Text

    yield Text(f"\nworst {min(listed, len(result.per_row))} rows", style="bold")
    for row in result.per_row[:listed]:
        yield Text(
            f"{_percent(row.error, signed=True):>9}  {row.id}\n"
            f"           {row.model}, {row.num_gpus} x {row.accelerator}, {row.precision}: {row.layout}\n"
            f"           measured {row.measured:,.0f}, predicted {row.predicted:,.0f} {row.unit}"
        )


def _ranking_text(result: RankingValidation, listed: int) -> Iterable[RenderableType]:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    overall = result.overall
    yield Text(f"{overall.sets} sets with {overall.layouts} layouts, of {result.rows} rows", style="bold")
    for reason, count in result.skipped.items():
        yield Text(f"  {count} skipped: {reason}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("sets by source", overflow="fold")
    for head in ("sets", "layouts", "median Spearman", "lowest", "mean regret", "worst"):
        table.add_column(head, justify="right")
    table.add_row("all", *_ranking_cells(overall), style="bold")
    for source, group in result.by_source.items():
        table.add_row(source, *_ranking_cells(group))
    yield ""
    yield table
    yield Text("Spearman: rank correlation of predicted and measured step times within a set, 1 at best", style="dim")
    yield Text("regret: measured time of the layout ranked first over the best measured one, minus 1", style="dim")
    if listed:
        yield Text(f"\nworst {min(listed, len(result.per_set))} sets", style="bold")
    for found in result.per_set[:listed]:
        yield Text(
            f"{_percent(found.regret, signed=True):>9}  {found.model}, {found.num_gpus} x {found.accelerator}, "
            f"{found.precision}, batch {found.global_batch} x {found.seq_len}: "
            f"Spearman {found.spearman:.2f} over {found.layouts} layouts\n"
            f"           ranked first {found.picked}: {found.picked_measured_s:.4g} s\n"
            f"           fastest      {found.best}: {found.best_measured_s:.4g} s"
        )


def _ranking_cells(group: RankingGroup) -> tuple[str, ...]:
    return (
        str(group.sets),
        str(group.layouts),
        f"{group.median_spearman:.3f}",
        f"{group.lowest_spearman:.2f}",
        _percent(group.mean_regret),
        _percent(group.worst_regret),
    )
