"""When a supervisor waits, restarts or gives up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from myriad.spec.base import Count, CountOrZero, Seconds, Spec


class Policy(Spec):
    """Limits of one run, kept with it, so that whoever takes it up goes by the same."""

    restarts_without_progress: CountOrZero = 3
    """More restarts than these in a row, none of which trained a step further than all before, and the run fails."""
    backoff: Seconds = 5.0
    """Before the second restart without progress; it doubles with each. The first restart does not wait."""
    longest_backoff: Seconds = 600.0
    hang_steps: Count = 10
    """Without a step of any rank for so many step times, a run hangs ..."""
    hang_floor: Seconds = 300.0
    """... but not before this."""
    start_floor: Seconds = 1800.0
    """From the start of the ranks to their first step it may take so long, or three times the planned restart."""
    slow_factor: Annotated[float, Field(gt=1)] = 1.25
    """A rank is slow that computes so many times as long as the median of all ..."""
    slow_steps: Count = 5
    """... in so many steps in a row."""
    look_every: Annotated[Seconds, Field(gt=0)] = 2.0
    lost_after: Seconds = 120.0
    """A submission of which the scheduler has no record for so long is taken for ended."""
    store_patience: Seconds = 900.0
    """A database that cannot be written for so long ends the supervisor, not the run."""
