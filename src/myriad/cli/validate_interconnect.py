"""`myriad validate interconnect`: collectives and expert exchanges held against published measurements."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from myriad.cli.options import JsonFile, read_flag
from myriad.cli.output import answer, check_outputs
from myriad.cli.validate import Rows

EXAMPLES: Final = """\b
Examples:
  myriad validate interconnect
  myriad validate interconnect --rows logs.csv --json errors.json"""


def interconnect(
    rows: Rows = None,
    worst: Annotated[str, typer.Option(metavar="COUNT", help="Rows to list, the worst first.")] = "10",
    json_file: JsonFile = None,
) -> None:
    """Judge collectives and expert exchanges by published times and bandwidths, or by yours."""
    check_outputs({"--json": json_file}, *(path for path in (rows,) if path is not None))
    from myriad import api
    from myriad.report.interconnect_accuracy import interconnect_text
    from myriad.spec.base import CountOrZero

    listed = read_flag("--worst", worst, CountOrZero)
    result = api.validate_interconnect(rows)
    answer(result, json_file, *interconnect_text(result, listed))
