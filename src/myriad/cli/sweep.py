"""`myriad sweep`: the search of every point of a grid, from a file, from options, or from both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.engine_options import EngineName, RayAddress, Workers, read_engine
from myriad.cli.options import JsonFile, LanguageCode, check_language, flag_of
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import MissingDataError, MyriadError, SpecError, unknown_name

if TYPE_CHECKING:
    from myriad.spec.sweep import Grid

EXAMPLES: Final = """\b
Examples:
  myriad sweep grid.yaml --out rows.parquet --html sweep.html
  myriad sweep --model llama3.1-405b --cluster h100:4096,8192,16384
    --seq-len 4096,8192 --global-batch 2048 --precision bf16,fp8
  myriad sweep grid.yaml --global-batch "512..8192 x2" --out rows.csv
  myriad sweep --model llama3.1-8b --cluster h100:64,b200:64 --seq-len 8k
    --global-batch 512 --price "2 USD/GPU-h,4 USD/GPU-h" --zip cluster,price"""


def _axis(help_text: str, metavar: str = "VALUES", **more: Any) -> Any:
    return typer.Option(metavar=metavar, help=help_text, **more)


def sweep(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Grid, YAML or JSON.")] = None,
    model: Annotated[str | None, _axis("Models of the catalog.", autocompletion=completion.models)] = None,
    cluster: Annotated[
        str | None, _axis("Clusters: h100:4096,8192,gb200-nvl72:576.", autocompletion=completion.clusters)
    ] = None,
    accelerator: Annotated[str | None, _axis("Accelerators or nodes, with --gpus in place of --cluster.")] = None,
    gpus: Annotated[str | None, _axis("Accelerators of the cluster.")] = None,
    fabric: Annotated[
        str | None, _axis("Fabrics of the catalog: fat-tree-ndr,rail-only-ndr.", autocompletion=completion.fabrics)
    ] = None,
    scale_out_bandwidth: Annotated[str | None, _axis('Network per accelerator, one way: "200..800 Gb/s x2".')] = None,
    scale_up_bandwidth: Annotated[str | None, _axis("Scale-up bandwidth per accelerator, one way.")] = None,
    seq_len: Annotated[str | None, _axis("Tokens per sequence: 4096,8192 or 4096..65536x2.")] = None,
    global_batch: Annotated[str | None, _axis("Sequences per step.")] = None,
    precision: Annotated[str | None, _axis("Precisions: bf16,fp8.")] = None,
    stack: Annotated[str | None, _axis("Training software.", autocompletion=completion.stacks)] = None,
    switches: Annotated[str | None, _axis("What of it is turned on: compile,graph-step+compile.")] = None,
    expert_imbalance: Annotated[str | None, _axis("Tokens of the busiest expert rank over the mean.")] = None,
    mtp_depths: Annotated[str | None, _axis("Prediction depths that are trained.")] = None,
    objective: Annotated[str | None, _axis("time (default), cost or gpus.")] = None,
    least_gpus: Annotated[str | None, _axis("Fewest accelerators to use.")] = None,
    memory_headroom: Annotated[str | None, _axis("Memory that a layout must leave free (default 5%).")] = None,
    tokens: Annotated[str | None, _axis('What is trained on, "15 T".')] = None,
    deadline: Annotated[str | None, _axis('Time for --tokens, "90 days".')] = None,
    price: Annotated[str | None, _axis('Of one accelerator: "2 USD/GPU-h".')] = None,
    zipped: Annotated[
        str | None, typer.Option("--zip", metavar="NAMES", help="Options that go together: cluster,price.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the rows: .parquet, .csv or .jsonl. A second call continues."),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page to explore the rows.")] = None,
    json_file: JsonFile = None,
    engine: EngineName = "local",
    address: RayAddress = None,
    workers: Workers = None,
    lang: LanguageCode = "en",
) -> None:
    """Sweep models, clusters, jobs and prices: the best layout of every point of a grid."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    journal = None if out is None else out.with_name(f"{out.name}.journal")
    outputs = {"--out": out, "--html": html, "--json": json_file, "--out (its journal)": journal}
    check_outputs(outputs, *([file] if file is not None else []))
    from myriad import api
    from myriad.report.sweep_page import sweep_html
    from myriad.report.sweep_text import size_text, sweep_text
    from myriad.report.table import check_format, rows_bytes

    if out is not None:
        try:
            check_format(out.suffix)
        except (SpecError, MissingDataError) as error:
            raise type(error)(f"--out: {out}: {error}") from None
    runner = read_engine(engine, address, workers)
    grid = _grid(given, file)
    label = f"sweeping {grid.name}"

    def started(points: int, searches: int, reused: int) -> None:
        say(size_text(grid.lengths, points, searches, reused, lang))

    try:
        with progress(label, rate="searches/s") as step:
            result = api.sweep(grid, journal=journal, engine=runner, started=started, progress=step(label))
    except (SpecError, MissingDataError) as error:
        raise _named(error, file, given) from None
    except KeyboardInterrupt:
        if journal is not None:
            say(f"interrupted: what is finished is in {journal}; the same command continues")
        raise
    if out is not None:
        write(out, rows_bytes(result, out.suffix))
    if html is not None:
        write(html, sweep_html(result, lang))
    answer(result, json_file, sweep_text(result, lang))
    for name, path in (("rows", out), ("page", html)):
        if path is not None:
            say(f"{name}: {path}")


def _grid(given: Mapping[str, Any], file: Path | None) -> Grid:
    """The grid of the file with the keys that options give in place of its own; without a file, of options alone."""
    from pydantic import ValidationError

    from myriad.catalog import read_spec
    from myriad.cli.options import read_flags
    from myriad.spec.sweep import Axes, Grid

    values = {name: _values(name, given[name]) for name in Axes.model_fields if name in given}
    axes = read_flags(Axes, values).given()
    if file is None and not axes:
        raise SpecError("give a FILE or options such as --model, --cluster, --seq-len and --global-batch")
    whole: dict[str, Any] = {"myriad": 1, "axes": axes}
    if "zipped" in given:
        names = [name.strip().removeprefix("--").replace("-", "_") for name in given["zipped"].split(",")]
        for name in names:
            if name not in axes:
                raise SpecError(f"--zip: {unknown_name('option among those given', name, axes)}")
        whole["zip"] = [{name: axes.pop(name) for name in names}]
    if file is not None:
        whole = _replaced(read_spec(file, Grid), whole)
    try:
        return Grid.model_validate(whole)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        text = str(problem.get("ctx", {}).get("error", problem["msg"]))
        if problem["loc"][:1] == ("zip",):
            raise SpecError(f"--zip: {text}") from None
        # A check of several keys begins with the one at fault: `axes.gpus: ...`, or `gpus: ...` among the axes.
        named = re.match(r"(?:(?:base|axes|zip\.\d+)\.)?(\w+): ", text)
        raise SpecError(f"{flag_of(named[1])}: {text[named.end() :]}" if named else text) from None


def _replaced(of_file: Grid, whole: dict[str, Any]) -> dict[str, Any]:
    taken = {*whole["axes"], *(name for group in whole.get("zip", ()) for name in group)}
    for group in of_file.zip:
        for name in taken & {*group.given()}:
            raise SpecError(f"{flag_of(name)}: the file zips {' and '.join(group.given())}; change it there")
    base = {name: getattr(of_file.base, name) for name in of_file.base.model_fields_set - taken}
    axes = {name: values for name, values in of_file.axes.given().items() if name not in taken}
    zipped = [*(group.given() for group in of_file.zip), *whole.get("zip", ())]
    texts = {"name": of_file.name, "description": of_file.description}
    return {**texts, "myriad": 1, "base": base, "axes": axes | whole["axes"], "zip": zipped}


def _values(name: str, text: str) -> Any:
    """The values of an option: separated by commas, or a range. Counts of one cluster stay together."""
    if ".." in text and name != "cluster":
        return text
    listed = [value.strip() for value in re.split(r",(?=[^,{}]*:)" if name == "cluster" else ",", text)]
    if name == "switches":
        return [[] if value == "none" else value.split("+") for value in listed]
    return listed


def _named(error: MyriadError, file: Path | None, given: Mapping[str, Any]) -> MyriadError:
    """The error of one key with its option or, where the file gives it, with file and line."""
    from myriad import catalog

    place = re.match(r"(?:base|axes|zip\.\d+)\.(\w+): ", str(error))
    if place is None:
        return error
    if place[1] in given:
        return type(error)(f"{flag_of(place[1])}: {str(error)[place.end() :]}")
    return type(error)(catalog.located(file, str(error))) if file is not None else error
