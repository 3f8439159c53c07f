"""A pool over its life: bring-up, growth, maintenance, power caps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from myriad.spec.base import Count, Fraction, Seconds, Spec


class Growth(Spec):
    """Accelerators that join later."""

    at: Seconds
    """From the start of the plan, when they enter service: their burn-in is over."""
    count: Count


class PowerCap(Spec):
    """A time for which machines run slower."""

    start: Seconds
    lasts: Seconds
    every: Seconds | None = None
    """Comes again; `None` once."""
    speed: Annotated[Fraction, Field(gt=0)]
    """Of jobs meanwhile, as a share of their usual speed."""


class Maintenance(Spec):
    """Planned time without machines."""

    start: Seconds
    lasts: Seconds
    every: Seconds | None = None
    share: Annotated[Fraction, Field(gt=0)] = 1.0
    """Of the nodes, taken in order, that are out."""


class Life(Spec):
    """What happens to a pool by plan, and how old it is. Times count from the start of the plan."""

    age: Seconds = 0.0
    """Of the first accelerators at the start, since they entered service: their burn-in adds to it."""
    burn_in: Seconds = 0.0
    """Under test before a node enters service: failures in that time happen to nobody's job, and nodes are older."""
    growth: tuple[Growth, ...] = ()
    power_caps: tuple[PowerCap, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()

    @model_validator(mode="after")
    def _windows_end(self) -> Life:
        for key in ("power_caps", "maintenance"):
            for window in getattr(self, key):
                if window.every is not None and window.every <= window.lasts:
                    raise ValueError(f"{key}: every must be longer than lasts")
        return self
