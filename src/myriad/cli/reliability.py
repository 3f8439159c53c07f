"""`myriad reliability`: how clusters break, published ones and one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, read_flag
from myriad.cli.output import answer, check_outputs, say, write

FIT_EXAMPLES: Final = """\b
Examples:
  myriad reliability fit incidents.csv --nodes 512 --days 90
    --out my-cluster.yaml
  myriad reliability fit incidents.csv --nodes 2048 --start 2026-01-01
    --days 180 --steps steps.csv --out my-cluster.yaml --json fit.json"""

SHOW_EXAMPLES: Final = """\b
Examples:
  myriad reliability show llama3-h100
  myriad reliability show my-cluster.yaml --cluster h100:4096 --json -"""


def register(group: typer.Typer) -> None:
    """Adds the verbs to their group."""
    group.command("fit", epilog=FIT_EXAMPLES)(fit)
    group.command("show", epilog=SHOW_EXAMPLES)(show)


def fit(
    incidents: Annotated[
        Path, typer.Argument(metavar="INCIDENTS.csv", help="Log with the columns time, cause and others.")
    ],
    nodes: Annotated[str, typer.Option("--nodes", metavar="COUNT", help="Nodes that the log covers.")],
    per_node: Annotated[
        str, typer.Option("--accelerators-per-node", metavar="COUNT", help="Accelerators of a node.")
    ] = "8",
    days: Annotated[
        str | None,
        typer.Option("--days", metavar="DAYS", help="Days that the log covers (default: to its last incident)."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="TIME", help="Where they begin (default: 0, or the first incident's date)."),
    ] = None,
    age: Annotated[
        str, typer.Option("--age", metavar="DURATION", help="Of the nodes at the start, for Weibull shapes.")
    ] = "0 s",
    steps: Annotated[
        Path | None, typer.Option("--steps", metavar="STEPS.csv", help="A run's log: columns time, step, seconds.")
    ] = None,
    detection: Annotated[
        str, typer.Option("--detection", metavar="DURATION", help="Taken where the log has no detection times.")
    ] = "10 min",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.yaml", help="Write the catalog entry, for pools.X.reliability."),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Fit rates, shapes, repairs and lemons of your own cluster from its logs."""
    check_outputs({"--out": out, "--json": json_file}, *(path for path in (incidents, steps) if path is not None))
    if out is not None and out.suffix.lower() not in (".yaml", ".yml"):
        from myriad.errors import SpecError

        raise SpecError(f"--out: expected a file name that ends with .yaml, found {out.name!r}")
    from pydantic import Field

    from myriad import api
    from myriad.report.reliability_fit_text import reliability_fit_text
    from myriad.spec.base import Count, Seconds

    long_enough = Annotated[float, Field(gt=0, le=1e5)]
    result = api.fit_reliability(
        incidents,
        read_flag("--nodes", nodes, Count),
        read_flag("--accelerators-per-node", per_node, Count),
        days=None if days is None else read_flag("--days", days, long_enough),
        start=start,
        age_s=read_flag("--age", age, Seconds),
        steps=steps,
        name=incidents.stem if out is None else out.stem,
    )
    taken_s = read_flag("--detection", detection, Seconds)
    if out is not None:
        write(out, api.reliability_entry_text(result, taken_s))
    answer(result, json_file, *reliability_fit_text(result))
    if out is not None:
        say(f"entry: {out}")


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="Entry of the catalog, or a YAML file.", autocompletion=completion.reliabilities
        ),
    ],
    cluster: Annotated[
        str, typer.Option("--cluster", metavar="NAME:COUNT", help="What breaks so.", autocompletion=completion.clusters)
    ] = "dgx-h100:16384",
    json_file: JsonFile = None,
) -> None:
    """List the causes of one profile with rates and ranges, and the mean time to failure by job size."""
    check_outputs({"--json": json_file})
    from myriad import api
    from myriad.report.reliability_shown_text import reliability_shown_text

    shown = api.show_reliability(name, cluster)
    answer(shown, json_file, *reliability_shown_text(shown))
