"""How often the state is saved, in what frameworks count: steps."""

from __future__ import annotations

from typing import Final

from myriad.spec.training_launch import TrainingLaunch

DEFAULT_INTERVAL_S: Final = 1800.0
"""Where nobody says how the pool breaks."""
KEPT_CHECKPOINTS: Final = 3
"""The newest so many stay, where the software removes the others itself."""


def interval_s(launch: TrainingLaunch) -> float:
    """Seconds from one checkpoint to the next: the plan's, else half an hour."""
    return DEFAULT_INTERVAL_S if launch.checkpoint_interval_s is None else launch.checkpoint_interval_s


def interval_steps(launch: TrainingLaunch) -> int:
    """Steps from one checkpoint to the next: the interval over the step time promised, rounded, at least 1."""
    return max(1, min(launch.steps, round(interval_s(launch) / launch.promise.step_s)))


def interval_notes(launch: TrainingLaunch) -> tuple[str, ...]:
    """What is to be said where the interval was not planned."""
    if launch.checkpoint_interval_s is not None:
        return ()
    return (f"nobody says how the pool breaks: a checkpoint every {DEFAULT_INTERVAL_S:g} s is assumed",)
