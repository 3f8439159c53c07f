"""Nodes, links and clusters: which accelerators share which links."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.accelerator import Accelerator
from myriad.spec.base import BytesPerS, Count, Fraction, Metres, Seconds, Spec, Watts
from myriad.spec.fibre import FibreKind

TierKind = Literal["scale-up", "scale-out", "scale-across"]


class Link(Spec):
    """One tier of links, seen from one accelerator. Ordered from the nearest tier to the farthest."""

    tier: TierKind
    domain: Count
    """Accelerators that reach each other over this tier or a nearer one."""
    bytes_per_s_one_way: BytesPerS
    """Bandwidth of one accelerator into this tier, one way, before `efficiency`."""
    latency_s: Seconds
    """Time of one step of a small message between two accelerators."""
    efficiency: Fraction = 1.0
    """Share of the bandwidth that large collectives reach."""
    half_bytes: float = Field(default=0.0, ge=0)
    """Message size per rank at which half of that is reached."""
    start_s: Seconds = 0.0
    """Fixed time of a collective, whatever its size and members; 0 where `latency_s` holds it."""
    gather_share: float = Field(default=1.0, gt=0, le=1)
    """Share of that which all-gathers and reduce-scatters reach: below 1 where the library copies what it gathers,
    and sums everything to scatter it (gloo)."""
    reduction_share: float | None = Field(default=None, gt=0, le=1)
    """Share of the bandwidth that large all-reduces reach whose sums the switches of this tier form (NVLS, SHARP).
    `None`: they form none."""
    reduction_start_s: Seconds = 0.0
    """Fixed time of such an all-reduce."""
    point_to_point: bool = False
    """Whether the bandwidth is that of separate links to every other accelerator of the domain, without a switch: a
    group has only those between its members."""
    contention: tuple[tuple[float, float], ...] = ()
    """Where a hash puts flows on links: flows that each accelerator sends into the tier at once, and the factor by
    which they take longer than evenly spread ones; in between, logarithms are linear."""


class Node(Spec):
    """A server or a rack-scale system, bought as one thing."""

    name: str
    accelerator: str
    """Catalog id of its accelerators."""
    num_accelerators: Count
    scale_up_domain: Count
    """Accelerators that share its scale-up links (72 for an NVL72 rack of 4-GPU trays)."""
    scale_up_bytes_per_s_one_way: BytesPerS
    scale_up_latency_s: Seconds
    scale_up_efficiency: Fraction
    scale_up_half_bytes: float = Field(default=0.0, ge=0)
    """See `Link.half_bytes`."""
    scale_up_start_s: Seconds = 0.0
    """See `Link.start_s`."""
    scale_up_gather_share: float = Field(default=1.0, gt=0, le=1)
    """See `Link.gather_share`."""
    scale_up_reduction_share: float | None = Field(default=None, gt=0, le=1)
    """See `Link.reduction_share`."""
    scale_up_reduction_start_s: Seconds = 0.0
    """See `Link.reduction_start_s`."""
    scale_up_point_to_point: bool = False
    """See `Link.point_to_point`."""
    scale_out_bytes_per_s_one_way: BytesPerS
    """Network bandwidth per accelerator, one way."""
    scale_out_latency_s: Seconds
    scale_out_efficiency: Fraction
    scale_out_half_bytes: float = Field(default=0.0, ge=0)
    power_watts: Watts | None = None
    """Power of the whole node under load, at the plug."""
    backplane_cables: Count | None = None
    """Copper cables of the backplane that joins a scale-up domain within one rack; `None` where there is none."""
    scale_up_transceivers: Count | None = None
    """Optical modules that join a scale-up domain of several racks, where it is not joined by copper."""


class Sites(Spec):
    """A pool spread evenly over several places joined by long links (the scale-across tier)."""

    number: int = Field(ge=2, le=64)
    distance: Metres
    """Fibre between two neighbouring sites."""
    bandwidth: BytesPerS
    """Between two neighbouring sites, one way, over all fibres."""
    fibre: FibreKind = "single-mode"
    """`hollow-core` takes about 30 % less time over the distance."""


class Cluster(Spec):
    """Equal accelerators and the tiers of links between them, nearest first."""

    name: str
    accelerator: Accelerator
    accelerator_id: str
    num_accelerators: Count
    links: tuple[Link, ...]
    watts_per_accelerator: Watts | None = None
    """Power at the plug per accelerator: the node's, shared out. `None` if the catalog does not know."""

    @property
    def scale_up_domain(self) -> int:
        """Accelerators that share scale-up links; 1 without any."""
        return max((link.domain for link in self.links if link.tier == "scale-up"), default=1)
