"""`myriad fabric`: one file per verb."""

from __future__ import annotations

import typer

from myriad.cli import fabric_bom, fabric_compare, fabric_describe, fabric_simulate


def register(group: typer.Typer) -> None:
    """Adds the verbs to their group."""
    group.command("describe", epilog=fabric_describe.EXAMPLES)(fabric_describe.describe)
    group.command("compare", epilog=fabric_compare.EXAMPLES)(fabric_compare.compare)
    group.command("bom", epilog=fabric_bom.EXAMPLES)(fabric_bom.bom)
    group.command("simulate", epilog=fabric_simulate.EXAMPLES)(fabric_simulate.simulate)
