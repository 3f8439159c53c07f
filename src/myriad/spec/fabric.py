"""Fabrics: how network cards, switches and links are joined, how traffic is spread, and what is broken.

A host is a server with accelerators and network cards; an endpoint is one card. What a fabric is made of (ports,
prices, power) is in `spec.fabric_parts`, what comes out in `spec.fabric_result`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from myriad.errors import unknown_name
from myriad.spec.base import BytesPerS, Count, CountOrZero, Fraction, Seconds, Spec

Rails = Literal["mixed", "aligned", "separate"]
"""`mixed`: all cards of a host go to one leaf. `aligned` (rail-optimised): card i of every host of a scalable unit
goes to leaf i of that unit. `separate` (rail-only, multi-plane): card i of every host lies in network i of its own,
and other rails are reached through the scale-up links of the host."""
Routing = Literal["ecmp", "spray"]
"""`ecmp`: a hash puts each flow on one of the shortest paths. `spray`: packets of a flow spread over all of them, as
adaptive routing and packet spraying do."""


TIERS: Final[dict[str, tuple[str, ...]]] = {
    "fat-tree": ("leaf", "spine", "core"),
    "slim-fly": ("switch",),
    "dragonfly": ("switch",),
    "dragonfly-plus": ("leaf", "spine"),
    "torus": (),
    "direct": (),
}
"""Tiers of switches of each kind of topology, nearest to endpoints first."""
LINK_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "fat-tree": ("host-leaf", "leaf-spine", "spine-core"),
    "slim-fly": ("host-switch", "switch-switch"),
    "dragonfly": ("host-switch", "local", "global"),
    "dragonfly-plus": ("host-leaf", "leaf-spine", "global"),
    "torus": ("neighbour",),
    "direct": ("host-host",),
}
"""Classes of links of each kind of topology; the first joins endpoints."""


class TierPorts(Spec):
    """Ports of a switch towards endpoints and away from them, at the switch's own port rate."""

    down: Count
    up: Count


class FatTree(Spec):
    """A folded Clos network of one to three tiers, or several beside each other."""

    kind: Literal["fat-tree"] = "fat-tree"
    switch: str
    """Catalog id of the leaf, and of all tiers that name no other."""
    spine_switch: str | None = None
    core_switch: str | None = None
    tiers: Literal[1, 2, 3] | None = None
    """`None`: the fewest that reach all endpoints."""
    rails: Rails = "mixed"
    pods: Literal["units", "rails"] = "units"
    """What a pod of three tiers holds: whole scalable units, or (of aligned rails) the leaves of some rails of all
    units, so that no rail crosses a core. Spines of the latter cable as many ports up as their pod has leaves for."""
    planes: Count = 1
    """Copies of the network; a card has one port, an equal share of its bandwidth, in each (dual ToR, multi-plane)."""
    oversubscription: float = Field(default=1.0, ge=1)
    """Bandwidth of a leaf towards endpoints over that towards spines."""
    spine_oversubscription: float = Field(default=1.0, ge=1)
    """Of a spine: towards leaves over towards cores."""
    leaf_ports: TierPorts | None = None
    """In place of `oversubscription`."""
    spine_ports: TierPorts | None = None
    """In place of `spine_oversubscription`; `up` is not used in two tiers."""
    even: bool = False
    """A vendor's rule: each switch has as many links to each switch above as to any other, so that counts are rounded
    up to divisors of its ports. Else links are dealt in turn."""
    service_ports: CountOrZero = 0
    """Ports on leaves that are taken by other machines, fabric managers for example."""

    @model_validator(mode="after")
    def _pods_of_rails_have_rails(self) -> FatTree:
        if self.pods == "rails" and self.rails != "aligned":
            raise ValueError(f"pods: rails are pods where rails are aligned, found rails: {self.rails}")
        return self


class SlimFly(Spec):
    """A Slim Fly of diameter two: 2 q^2 switches of McKay, Miller and Siran's graphs."""

    kind: Literal["slim-fly"] = "slim-fly"
    switch: str
    q: Count | None = None
    """Order of the field; (3 q - d)/2 links per switch, d the rest -1, 0 or 1 of q by 4. `None`: the least that reaches
    all endpoints."""
    endpoints_per_switch: Count | None = None
    """`None`: half the network ports of a switch, rounded up."""


class Dragonfly(Spec):
    """Groups of fully joined switches, groups joined by global links."""

    kind: Literal["dragonfly"] = "dragonfly"
    switch: str
    endpoints_per_switch: Count
    switches_per_group: Count
    global_links_per_switch: Count
    groups: Count | None = None
    """`None`: as many as the endpoints need."""


class DragonflyPlus(Spec):
    """Groups of leaves and spines joined as a two-tier tree, spines of all groups joined by global links."""

    kind: Literal["dragonfly-plus"] = "dragonfly-plus"
    switch: str
    leaves_per_group: Count
    spines_per_group: Count
    endpoints_per_leaf: Count
    global_links_per_spine: Count
    groups: Count | None = None


class Torus(Spec):
    """Accelerators that are their own switches, each joined to two neighbours in every dimension (TPU pods)."""

    kind: Literal["torus"] = "torus"
    dimensions: tuple[Count, ...] = Field(min_length=1, max_length=4)
    link_bandwidth: BytesPerS
    """Of one link, one way."""


class Direct(Spec):
    """Two hosts whose cards are cabled to each other, without a switch."""

    kind: Literal["direct"] = "direct"


Topology = Annotated[FatTree | SlimFly | Dragonfly | DragonflyPlus | Torus | Direct, Field(discriminator="kind")]


class LinkFault(Spec):
    """Links that do less than they should."""

    share: Annotated[Fraction, Field(gt=0)]
    """Of the links of the class, drawn by `Damage.seed`."""
    bandwidth_left: Fraction = 0.0
    """0 is down; between 0 and 1 slow, or flapping with that share of the time up."""
    tier: str = ""
    """Class of links, `leaf-spine` for example; empty is all links between switches."""


class SwitchFault(Spec):
    """Switches that are down, with all their links."""

    tier: str
    """`leaf`, `spine` or `core`; `switch` where all are alike."""
    number: Count = 1


class Damage(Spec):
    """What is broken. The same seed breaks the same things."""

    links: tuple[LinkFault, ...] = ()
    switches: tuple[SwitchFault, ...] = ()
    seed: CountOrZero = 0

    @property
    def nothing(self) -> bool:
        """Whether all is whole."""
        return not self.links and not self.switches


class Fabric(Spec):
    """The network that joins the hosts of a pool."""

    topology: Topology
    nics_per_host: Count | None = None
    """`None`: one per accelerator."""
    nic_bandwidth: BytesPerS | None = None
    """Of one card over all its ports, one way; `None`: the node's bandwidth, shared out over its cards."""
    routing: Routing = "spray"
    flows_per_pair: Count = 1
    """Flows (queue pairs) that a message is parted into, each with a hash of its own; for ECMP."""
    hop_latency: Seconds | None = None
    """Of one switch and the cable behind it; `None`: the switch's own."""
    damage: Damage = Damage()
    note: str = ""

    @model_validator(mode="after")
    def _damage_exists(self) -> Fabric:
        kind = self.topology.kind
        for link in self.damage.links:
            if link.tier and link.tier not in LINK_CLASSES[kind]:
                raise ValueError(f"damage.links: {unknown_name('class of links', link.tier, LINK_CLASSES[kind])}")
        for switch in self.damage.switches:
            if switch.tier not in TIERS[kind]:
                raise ValueError(f"damage.switches: {unknown_name('tier', switch.tier, TIERS[kind])}")
        return self
