"""A picture of a network of any size, as boxes and bundles of links; `report` turns it into an SVG."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from myriad.estimate.fabric.drawn_flat import drawn_direct, drawn_groups, drawn_slim_fly, drawn_torus
from myriad.estimate.fabric.drawn_tree import drawn_tree
from myriad.estimate.fabric.folding import Folded, Use, bundles, counted, moved
from myriad.estimate.fabric.network import Network
from myriad.spec.fabric import Direct, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_drawing import ClassSum, DrawnLink, FabricDrawing

_AROUND: Final = 30.0


def draw(network: Network, topology: Topology, use: Use | None = None) -> FabricDrawing:
    """The picture of a network that was built for this topology, with how full its links were where `use` says so."""
    folded = _folded(network, topology)
    folded = _framed(replace(folded, boxes=counted(network, folded)))
    links = bundles(network, folded.boxes, folded.box_of, use)
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
        folded=any(sum(box.switches.values()) > 1 for box in folded.boxes),
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
    shapes = [*folded.boxes, *folded.frames]
    left, right = min(one.x - one.width / 2 for one in shapes), max(one.x + one.width / 2 for one in shapes)
    top, bottom = min(one.y - one.height / 2 for one in shapes), max(one.y + one.height / 2 for one in shapes)
    room = moved(folded, _AROUND - left, _AROUND - top)
    return replace(room, width=right - left + 2 * _AROUND, height=bottom - top + 2 * _AROUND)


def _bent(link: DrawnLink, folded: Folded) -> DrawnLink:
    """The link, bent where a straight one would run through other boxes of its row or column."""
    a, b = folded.boxes[link.lower], folded.boxes[link.upper]
    middle = np.array([(a.x + b.x) / 2, (a.y + b.y) / 2])
    across = abs(b.x - a.x) < 1.0 or abs(b.y - a.y) < 1.0
    length = float(np.hypot(b.x - a.x, b.y - a.y))
    passed = across and any(
        abs(box.x - middle[0]) < abs(b.x - a.x) / 2 + 1 - (a.width if abs(b.x - a.x) > 1 else 0)
        and abs(box.y - middle[1]) < abs(b.y - a.y) / 2 + 1 - (a.height if abs(b.y - a.y) > 1 else 0)
        for box in folded.boxes
        if box is not a and box is not b
    )
    return link.model_copy(update={"bend": round(0.16 * length + 8, 1)}) if passed else link
