"""`myriad fabric describe`: what the network of a cluster is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import ClusterName, JsonFile, LanguageCode, check_language
from myriad.cli.output import answer, check_outputs, say, write

EXAMPLES: Final = """\b
Examples:
  myriad fabric describe superpod-h100 --cluster dgx-h100:1016 --grow
    --html fabric.html
  myriad fabric describe my-fabric.yaml --cluster gb200-nvl72:9216 --json -"""


def describe(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FABRIC", help="Fabric of the catalog, or a YAML file.", autocompletion=completion.fabrics
        ),
    ],
    cluster: ClusterName,
    grow: Annotated[bool, typer.Option("--grow", help="Add what each scalable unit adds, from one up.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the fabric drawn.")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Count switches, links and free ports of a fabric; its bisection, hops and growth."""
    check_language(lang)
    check_outputs({"--html": html, "--json": json_file})
    from myriad import __version__, api
    from myriad.report.fabric_page import fabric_html
    from myriad.report.fabric_text import fabric_text

    description = api.describe_fabric(name, cluster, grow)
    if html is not None:
        write(html, fabric_html(description, api.draw_fabric(name, cluster), __version__, lang))
    answer(description, json_file, fabric_text(description, lang))
    if html is not None:
        say(f"page: {html}")
