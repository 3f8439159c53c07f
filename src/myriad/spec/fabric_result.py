"""What is said of fabrics: one described, several beside each other."""

from __future__ import annotations

from pydantic import Field

from myriad.spec.base import Spec


class GrowthStep(Spec):
    """A fabric of so many scalable units, and what the step from the one before adds; what is negative is taken out."""

    num_hosts: int
    num_accelerators: int
    switches: dict[str, int]
    """By tier."""
    links: dict[str, int]
    """By class."""
    added_switches: dict[str, int]
    added_links: dict[str, int]


class FabricDescription(Spec):
    """A fabric built for so many accelerators."""

    name: str
    """As it was asked for."""
    title: str
    kind: str
    """Kind of topology, `fat-tree` for example."""
    routing: str
    num_accelerators: int
    num_hosts: int
    nics_per_host: int
    nic_bytes_per_s: float
    """Of one card over all its ports, one way."""
    num_endpoints: int
    most_endpoints: int
    """That the topology reaches with these switches."""
    switches: dict[str, int]
    """By tier, nearest to endpoints first."""
    switch_names: dict[str, str]
    """What the switches of each tier are."""
    ports_free: dict[str, int]
    """By tier."""
    links: dict[str, int]
    """By class, those of endpoints first."""
    link_bytes_per_s: dict[str, float]
    """Of one link of each class, one way."""
    links_between_switches: int
    bisection_bytes_per_s: float
    """What one half of the hosts can send to the other at once, one way, with what the fabric says is broken. All else
    is of the whole fabric."""
    bisection_fraction: float
    """Of what the cards of half of the hosts can send."""
    diameter: int
    """Switches between two endpoints at most; links in a torus."""
    mean_hops: float
    """The same on the mean of all pairs."""
    latency_across_s: float | None
    """Of the longest way, without load; `None` where the catalog has no latency of its switches."""
    scale_up_domain: int
    """Accelerators that share scale-up links."""
    scale_up_bytes_per_s: float
    """Of one accelerator, one way."""
    growth: tuple[GrowthStep, ...] = ()

    @property
    def num_switches(self) -> int:
        """Switches of all tiers."""
        return sum(self.switches.values())


class ComparedFabric(Spec):
    """One fabric of a comparison; figures that nobody has worked out are `None`."""

    name: str
    description: FabricDescription | None
    reason: str = ""
    """Why the fabric cannot join so many; empty where it can."""
    transceivers: int | None = None
    """Optical modules by the usual rules of bills; two ports may share one."""
    cost_per_endpoint_usd: float | None = None
    """Of switches and links by the usual rules; `None` where a part of them has no price."""
    power_watts: float | None = None
    """Of switches; `None` where the catalog lacks that of one."""
    collectives_s: dict[str, float] = Field(default_factory=dict)
    """Time of each collective by its name."""


class FabricComparison(Spec):
    """Several fabrics for the same accelerators."""

    cluster: str
    num_accelerators: int
    rows: tuple[ComparedFabric, ...]
