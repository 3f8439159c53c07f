"""How often to save, from what saving and failing really cost."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

from myriad.estimate.goodput.intervals import daly_s

PLANNED_FAILURES: Final = 2.0
"""What the plan's mean time to interruption weighs: as much as so many failures that were seen."""
WORTH_A_CHANGE: Final = 0.15
"""A change smaller than this share is none: the loss is flat around the best interval."""
LAST: Final = 5
"""Checkpoints whose median is what one costs."""


@dataclass(frozen=True)
class Saving:
    """What is known of saving and failing so far."""

    blocking_s: tuple[float, ...]
    """Of each checkpoint, the newest last."""
    write_s: float | None
    """Of the newest, until it could be read back."""
    trained_s: float
    """Time that ranks have trained in, all lives together."""
    failures: int
    planned_mtti_s: float | None
    in_force_s: float | None


def mean_time_to_interruption_s(saving: Saving) -> float | None:
    """Mean time to interruption in seconds, of the plan and of what was seen; `None` while nothing says.

        (k P + T) / (k + n)

    for n failures in T seconds, and a planned P that weighs as k failures: the inverse of the mean of a gamma
    distribution of the rate with shape k before anything was seen. Without a plan T / n.
    """
    if saving.planned_mtti_s is None:
        return saving.trained_s / saving.failures if saving.failures and saving.trained_s > 0 else None
    seen = PLANNED_FAILURES * saving.planned_mtti_s + saving.trained_s
    return seen / (PLANNED_FAILURES + saving.failures)


def better_interval_s(saving: Saving) -> float | None:
    """The interval between checkpoints to change to, in seconds; `None` where the one in force is as good.

    Daly's, of the median blocking time of the last checkpoints and the mean time to interruption; never shorter than
    writing one takes.
    """
    mtti_s = mean_time_to_interruption_s(saving)
    if mtti_s is None or not saving.blocking_s:
        return None
    best_s = max(float(daly_s(median(saving.blocking_s[-LAST:]), mtti_s)), saving.write_s or 0.0)
    if saving.in_force_s is not None and abs(best_s / saving.in_force_s - 1.0) < WORTH_A_CHANGE:
        return None
    return best_s if best_s > 0 else None
