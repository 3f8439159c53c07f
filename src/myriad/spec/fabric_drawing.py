"""A fabric as a picture of bounded size: boxes, bundles of links between them, and how full the links are.

Equal things share a box and equal links a bundle, so that ten thousand switches fit on a page. Nothing is left out:
every endpoint and switch lies in one box, every link in one bundle or inside one box. Places are pixels of a plane of
`width` by `height`, x to the right and y down; words are left to whoever shows it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Spec


class DrawnBox(Spec):
    """One rectangle, around its middle."""

    x: float
    y: float
    width: float
    height: float
    tier: str
    """A tier of switches, `host`, `chip` (accelerators that are their own switches), `group` (all switches of one) or
    `column` (of a block of a Slim Fly)."""
    first: int
    """Number of its first thing among those of its tier and frame, from 0."""
    switches: dict[str, int] = Field(default_factory=dict)
    """Tier -> switches in it."""
    endpoints: int = 0
    inner_links: int = 0
    """Links between two things in it."""
    alike: int = 1
    """Things that it stands for: switches, hosts or groups."""


class DrawnFrame(Spec):
    """A rectangle around boxes that belong together."""

    kind: Literal["unit", "pod", "plane", "rail", "network", "group", "block"]
    """`unit`: a scalable unit of rail-optimised hosts; `network`: a rail of a plane; `block`: half of a Slim Fly."""
    x: float
    y: float
    width: float
    height: float
    first: int
    """From 0."""
    alike: int = 1
    """Frames that it stands for."""


class LinkUse(Spec):
    """How full the links of a bundle are each way, as shares of what they carry whole."""

    up_mean: float
    up_peak: float
    down_mean: float
    down_peak: float
    dead: int = 0
    """Links that carry nothing because they, or a switch at their end, are down."""


class DrawnLink(Spec):
    """A bundle of links of one class between two boxes."""

    lower: int
    upper: int
    """Indices of boxes."""
    link_class: str
    links: int
    bytes_per_s: float
    """Of all of them, one way."""
    weight: float
    """Share of the widest line, from 0 to 1: bandwidth between one thing of a box and all of the other (in fat trees,
    of the lower of two switches), elsewhere between one thing and one other."""
    bend: float = 0.0
    """Pixels that the middle of the line lies beside the straight one, to the right as seen from `lower`."""
    use: LinkUse | None = None


class ClassSum(Spec):
    """All links of one class."""

    link_class: str
    links: int
    bytes_per_s: float
    """One way."""


class FabricDrawing(Spec):
    """What is drawn of a fabric."""

    kind: str
    """Kind of the topology."""
    width: float
    height: float
    boxes: tuple[DrawnBox, ...]
    frames: tuple[DrawnFrame, ...] = ()
    links: tuple[DrawnLink, ...]
    classes: tuple[ClassSum, ...]
    """Nearest to endpoints first."""
    tiers: dict[str, int]
    """Tier -> switches."""
    hosts: int
    endpoints: int
    folded: bool
    """Whether boxes stand for several things."""
