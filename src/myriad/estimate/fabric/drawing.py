"""A picture of a network of any size, as boxes and bundles of links; `report` turns it into an SVG."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from myriad.estimate.fabric.drawn_flat import drawn_direct, drawn_groups, drawn_slim_fly, drawn_torus
from myriad.estimate.fabric.drawn_tree import drawn_tree
from myriad.estimate.fabric.folding import Folded, bundles, counted, moved
from myriad.estimate.fabric.network import Array, Network
from myriad.spec.fabric import Direct, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_drawing import ClassSum, DrawnBox, DrawnFrame, DrawnLink, FabricDrawing

_AROUND: Final = 34.0


def draw(network: Network, topology: Topology, utilisation: Array | None = None) -> FabricDrawing:
    """The picture of a network that was built for this topology.

    `utilisation` (2 L,) of directed links, as shares of what they carry, says how full they were; a link without
    bandwidth is down.
    """
    folded = _folded(network, topology)
    folded = _framed(replace(folded, boxes=counted(network, folded)))
    links = bundles(network, folded.boxes, folded.box_of, isinstance(topology, FatTree), utilisation)
    of_class = [network.links(name) for name in network.link_classes]
    return FabricDrawing(
        kind=topology.kind,
        width=folded.width,
        height=folded.height,
        boxes=folded.boxes,
        frames=folded.frames,
        links=tuple(_bent(link, folded) for link in links),
        classes=tuple(
            ClassSum(link_class=name, links=len(links), bytes_per_s=float(network.bytes_per_s[links].sum()))
            for name, links in zip(network.link_classes, of_class, strict=True)
        ),
        tiers={name: len(network.switches(name)) for name in network.tiers},
        hosts=network.num_hosts,
        endpoints=network.num_endpoints,
        folded=any(box.tier != "host" and max(box.alike, *box.switches.values(), 1) > 1 for box in folded.boxes),
    )


def _folded(network: Network, topology: Topology) -> Folded:
    if isinstance(topology, FatTree):
        return drawn_tree(network, topology)
    if isinstance(topology, SlimFly):
        return drawn_slim_fly(network)
    if isinstance(topology, Torus):
        return drawn_torus(network, topology)
    if isinstance(topology, Direct):
        return drawn_direct(network)
    return drawn_groups(network)


def _framed(folded: Folded) -> Folded:
    """The picture moved to positive places, with room around it."""
    shapes: list[DrawnBox | DrawnFrame] = [*folded.boxes, *folded.frames]
    left, right = min(one.x - one.width / 2 for one in shapes), max(one.x + one.width / 2 for one in shapes)
    top, bottom = min(one.y - one.height / 2 for one in shapes), max(one.y + one.height / 2 for one in shapes)
    room = moved(folded, _AROUND - left, _AROUND - top)
    return replace(room, width=right - left + 2 * _AROUND, height=bottom - top + 2 * _AROUND)


def _bent(link: DrawnLink, folded: Folded) -> DrawnLink:
    """The link, bent where a straight one would run through other boxes of its row or column."""
    a, b = folded.boxes[link.lower], folded.boxes[link.upper]
    upright, level = abs(b.x - a.x) < 1.0, abs(b.y - a.y) < 1.0
    if link.link_class == "global" or not (upright or (level and link.link_class in ("neighbour", "local"))):
        return link
    left, right, top, bottom = min(a.x, b.x), max(a.x, b.x), min(a.y, b.y), max(a.y, b.y)
    passed = sum(
        left - 1 < box.x < right + 1 and top - 1 < box.y < bottom + 1
        for box in folded.boxes
        if box is not a and box is not b
    )
    beside = a.width if upright else a.height
    return link.model_copy(update={"bend": beside / 2 + 5.0 + 4.0 * passed}) if passed else link
