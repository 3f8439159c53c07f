"""How a cluster breaks: causes with their rates and what each does, how it is found, and how long its repair takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from myriad.spec.base import Count, Fraction, Seconds, Spec
from myriad.units import YEAR_S

Component = Literal[
    "gpu", "hbm", "nvlink", "pcie", "nic", "optics", "switch", "cpu", "memory", "disk", "host", "power", "cooling",
    "storage", "software", "unknown",
]  # fmt: skip
Effect = Literal["stop", "slow", "corrupt"]
"""`stop` ends the step of every job that uses it, `slow` holds all ranks of a job back, `corrupt` spoils its state
unseen until it is detected."""
Unit = Literal["accelerator", "node", "link", "switch", "rack", "power-domain", "pool"]
"""What a rate counts. A link is one port of a node's scale-out network cards."""
Reach = Literal["none", "node", "leaf", "rack", "power-domain", "pool"]
"""Machines that one event takes: `none` stops the job and leaves all of them fit to go on."""

REFERENCE_AGE_S = YEAR_S
"""Age over which a rate with a Weibull shape is the mean."""


class Rate(Spec):
    """Events per 1,000 units and day of operation, and the range over published clusters."""

    per_1000_unit_days: float = Field(ge=0)
    low: float | None = Field(default=None, ge=0)
    high: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _range_holds_it(self) -> Rate:
        low, high = self.low, self.high
        if (low is not None and low > self.per_1000_unit_days) or (high is not None and high < self.per_1000_unit_days):
            raise ValueError(f"the range {low} to {high} does not hold {self.per_1000_unit_days}")
        return self


class Duration(Spec):
    """A time that varies from event to event."""

    mean: Seconds
    law: Literal["fixed", "exponential", "lognormal"] = "fixed"
    variation: float = Field(default=1.0, ge=0)
    """Standard deviation over the mean, of a lognormal one."""
    low: Seconds | None = None
    """Range of the mean over published clusters."""
    high: Seconds | None = None


class FailureCause(Spec):
    """One way of breaking."""

    component: Component
    effect: Effect = "stop"
    unit: Unit = "node"
    rate: Rate
    shape: float = Field(default=1.0, gt=0)
    """Weibull shape by age: below 1 for parts that fail young, above 1 for wear. The hazard summed to age `a` is
    `rate * T * (a / T) ** shape` with T one year."""
    burst: float = Field(default=1.0, ge=1)
    """Mean number of events that come together (geometric), on the same unit; the rate counts them all."""
    burst_within: Seconds = 0.0
    """Mean time between the events of a burst."""
    reach: Reach = "node"
    repaired: Fraction = 1.0
    """Share of events after which what was reached leaves service for `repair`; after the others it goes on at once."""
    replaced: bool = True
    """Whether a repair makes the unit as good as new: its age starts again."""
    detection: Duration
    """From the event until it is known that something is wrong."""
    diagnosis: Duration = Duration(mean=0.0)
    """From then until it is known which machine to take out."""
    repair: Duration = Duration(mean=0.0)
    """From then until what was reached is back in service, given a free crew."""
    speed: Fraction = 1.0
    """Of a job that a `slow` event holds back, as a share of its usual speed."""
    lasts: Duration | None = None
    """Of a `slow` event that ends by itself; `None` lasts until it is found."""
    note: str = ""

    @model_validator(mode="after")
    def _effect_is_whole(self) -> FailureCause:
        if self.effect == "slow" and self.speed >= 1.0:
            raise ValueError("speed: a slow event needs a share below 1")
        if self.effect != "slow" and (self.speed < 1.0 or self.lasts is not None):
            raise ValueError("speed and lasts: only of slow events")
        if self.reach == "none" and self.repaired > 0.0:
            raise ValueError("repaired: an event that reaches no machine repairs none; give 0")
        return self

    def at(self, bound: Literal["low", "high"]) -> FailureCause:
        """The same with the rate at one end of its range, where it has one."""
        rate: float | None = getattr(self.rate, bound)
        if rate is None:
            return self
        return self.model_copy(update={"rate": self.rate.model_copy(update={"per_1000_unit_days": rate})})


class Lemons(Spec):
    """Nodes that fail far more often than the others."""

    share: Fraction = 0.0
    times: float = Field(default=1.0, ge=1)
    """How many times as often."""


class Reliability(Spec):
    """How one kind of cluster breaks."""

    name: str
    causes: dict[str, FailureCause] = Field(min_length=1)
    lemons: Lemons = Lemons()
    nodes_per_leaf: Count = 32
    """Nodes that share a leaf switch."""
    nodes_per_rack: Count = 4
    nodes_per_power_domain: Count = 64
    switches_per_node: float = Field(default=0.1, ge=0)
    """Where no fabric is described that would count them."""

    def at(self, bound: Literal["low", "high"]) -> Reliability:
        """The same with every rate at one end of its range over published clusters, where it has one."""
        causes = {name: cause.at(bound) for name, cause in self.causes.items()}
        return self.model_copy(update={"causes": causes})
