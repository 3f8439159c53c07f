"""The one way to run points, whatever runs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

PointT = TypeVar("PointT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Local:
    """Processes on this machine, as many as it has cores unless told otherwise."""

    workers: int | None = None


@dataclass(frozen=True)
class Ray:
    """An existing Ray cluster, found as `ray.init` finds it unless its address is given."""

    address: str | None = None


Engine = Local | Ray


def run_points(
    points: Mapping[str, PointT],
    function: Callable[[PointT], ResultT],
    engine: Engine,
    on_result: Callable[[str, ResultT], None],
) -> None:
    """Calls `on_result` with the key of every point and what the function made of it, once, as each is finished.

    A point whose worker dies is given to another one, three times at most; then LaunchError ends the run. An
    exception of the function or of `on_result` ends it too. What was reported before stays reported.
    """
    if isinstance(engine, Ray):
        from myriad.engine.on_ray import run_on_ray

        run_on_ray(points, function, engine.address, on_result)
        return
    from myriad.engine.processes import run_in_processes

    run_in_processes(points, function, min(engine.workers or os.cpu_count() or 1, len(points)), on_result)
