"""The machine at hand: `start.sh` with itself as the only node, and nothing beside it."""

from __future__ import annotations

from myriad.errors import SpecError
from myriad.spec.training_launch import TrainingLaunch


def check(launch: TrainingLaunch) -> None:
    """Raises SpecError for a job of several nodes."""
    if launch.nodes > 1:
        raise SpecError(f"jobs.{launch.job}: local is one machine, and the job needs {launch.nodes:,} nodes")
