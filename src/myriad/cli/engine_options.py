"""Options that say what runs many points: this machine or a Ray cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from myriad.cli.options import read_flag
from myriad.errors import SpecError, unknown_name

if TYPE_CHECKING:
    from myriad.engine import Engine

EngineName = Annotated[str, typer.Option("--engine", metavar="local|ray", help="What does the work.")]
RayAddress = Annotated[str | None, typer.Option("--address", metavar="ADDRESS", help="Of the Ray cluster.")]
Workers = Annotated[
    str | None, typer.Option("--workers", metavar="COUNT", help="Processes on this machine (default: its cores).")
]


def read_engine(name: str, address: str | None, workers: str | None) -> Engine:
    """The engine that the options name. Raises SpecError for options that do not go together."""
    from myriad.engine import Local, Ray
    from myriad.engine.on_ray import ray_package
    from myriad.spec.base import Count

    if name not in ("local", "ray"):
        raise SpecError(f"--engine: {unknown_name('engine', name, ('local', 'ray'))}")
    if name == "ray":
        if workers is not None:
            raise SpecError("--workers: goes with --engine local; the Ray cluster has as many as it has cores")
        ray_package()
        return Ray(address)
    if address is not None:
        raise SpecError("--address: goes with --engine ray")
    return Local(None if workers is None else read_flag("--workers", workers, Count))
