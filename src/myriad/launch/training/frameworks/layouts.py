"""What layouts frameworks refuse, in the words of the layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from myriad.errors import SpecError
from myriad.spec.training_launch import TrainingLaunch


def refuse_layout(launch: TrainingLaunch, software: str, problems: Mapping[str, str | Literal[False]]) -> None:
    """Raises SpecError for the first problem that there is, under the keys of the layout that it lies in."""
    for where, problem in problems.items():
        if problem:
            raise SpecError(f"layout.{where}: {software} cannot run {launch.layout.text()}: {problem}")


def unfilled_chunks(launch: TrainingLaunch) -> str | Literal[False]:
    """Why chunks of stages cannot be interleaved, as all that have them do it; `False` where they can."""
    layout = launch.layout
    uneven = layout.vpp > 1 and layout.num_micro_batches(launch.work.global_batch) % layout.pp != 0
    return uneven and "interleaving needs micro-batches in multiples of pp"
