"""`myriad plan`: a system file, answered as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli.options import JsonFile, LanguageCode, check_language
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, progress, say, show, write

EXAMPLES: Final = """\b
Examples:
  myriad plan system.yaml
  myriad plan system.yaml --html report.html --json plan.json
  myriad plan system.yaml --lang zh"""


def plan(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="System file, YAML or JSON.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one page that works offline.")
    ] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing; write the files that are asked for.")] = False,
) -> None:
    """Plan every training job of a system file: layout, days, energy, money."""
    check_language(lang)
    check_outputs({"--html": html, "--json": json_file}, file)
    from myriad import api
    from myriad.report.html import plan_html
    from myriad.report.terminal import plan_text

    with progress(f"planning {file.name}") as step:
        result = api.plan(file, step)
    if html is not None:
        write(html, plan_html(result, lang))
    if json_file is not None:
        write(json_file, json_text(result.model_dump(mode="json")))
    if quiet:
        return
    if json_file != STANDARD_OUTPUT:
        show(plan_text(result, lang))
    if html is not None:
        say(f"report: {html}")
