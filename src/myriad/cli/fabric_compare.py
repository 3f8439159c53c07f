"""`myriad fabric compare`: several networks for the same accelerators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import ClusterName, JsonFile, LanguageCode, check_language
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import SpecError

EXAMPLES: Final = """\b
Examples:
  myriad fabric compare fat-tree-ndr,deepseek-mpft,slim-fly,dragonfly
    --cluster hgx-h800:10000 --traffic"""


def compare(
    names: Annotated[
        str,
        typer.Argument(
            metavar="FABRICS",
            help="Fabrics of the catalog or YAML files: A,B,C.",
            autocompletion=completion.fabrics,
        ),
    ],
    cluster: ClusterName,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="Simulate an all-reduce and all-to-alls of 1 GiB on each.")
    ] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with bars and drawings.")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Put several fabrics for the same accelerators side by side."""
    check_language(lang)
    check_outputs({"--html": html, "--json": json_file})
    from myriad import __version__, api
    from myriad.report.fabric_page import comparison_html
    from myriad.report.fabric_text import comparison_text

    listed = [name.strip() for name in names.split(",")]
    if not all(listed):
        raise SpecError(f"expected names of fabrics separated by commas, found {names!r}")
    comparison = api.compare_fabrics(listed, cluster)
    if traffic:
        with progress("simulating") as step:
            comparison = api.with_traffic(comparison, step("simulating"))
    if html is not None:
        joined = [row.name for row in comparison.rows if row.description is not None]
        drawings = {name: api.draw_fabric(name, cluster) for name in joined}
        write(html, comparison_html(comparison, drawings, __version__, lang))
    answer(comparison, json_file, comparison_text(comparison, lang))
    if html is not None:
        say(f"page: {html}")
