"""`myriad validate reliability`: failures and goodput held against published clusters and runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli.options import JsonFile, read_flag
from myriad.cli.output import answer, check_outputs, progress

EXAMPLES: Final = """\b
Examples:
  myriad validate reliability
  myriad validate reliability --runs 20 --json rows.json
  myriad validate reliability --rows mine.yaml"""


def reliability(
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Your figures, in the keys of the shipped files.")
    ] = None,
    runs: Annotated[str, typer.Option("--runs", metavar="COUNT", help="Lives that are simulated of each row.")] = "40",
    seed: Annotated[str, typer.Option("--seed", metavar="NUMBER", help="Of all draws.")] = "0",
    json_file: JsonFile = None,
) -> None:
    """Judge failures, MTTF, ETTR and checkpoint overheads by published clusters, or by yours."""
    check_outputs({"--json": json_file}, *(path for path in (rows,) if path is not None))
    from pydantic import Field

    from myriad import api
    from myriad.report.reliability_accuracy import reliability_accuracy_text
    from myriad.spec.base import Count, CountOrZero

    number = read_flag("--runs", runs, Annotated[Count, Field(ge=2)])
    start = read_flag("--seed", seed, CountOrZero)
    with progress("published rows") as step:
        result = api.validate_reliability(rows, number, start, step("published rows"))
    answer(result, json_file, *reliability_accuracy_text(result))
