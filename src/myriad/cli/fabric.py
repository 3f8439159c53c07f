"""`myriad fabric`: one file per verb."""

from __future__ import annotations

import typer

from myriad.cli import fabric_compare, fabric_describe


def register(group: typer.Typer) -> None:
    """Adds the verbs to their group."""
    group.command("describe", epilog=fabric_describe.EXAMPLES)(fabric_describe.describe)
    group.command("compare", epilog=fabric_compare.EXAMPLES)(fabric_compare.compare)
