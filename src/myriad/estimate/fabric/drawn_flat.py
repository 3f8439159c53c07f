"""Where the boxes of fabrics without rows of tiers lie: circles of groups, blocks of a Slim Fly, grids of a torus."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from myriad.estimate.fabric.folding import Folded, folded_places
from myriad.estimate.fabric.network import IntArray, Network
from myriad.spec.fabric import Torus
from myriad.spec.fabric_drawing import DrawnBox, DrawnFrame

ONE_WIDE: Final = 44.0
FOLDED_WIDE: Final = 66.0
HIGH: Final = 28.0
_TALL: Final = 42.0
_WHOLE_SWITCHES: Final = 50
_GROUPS: Final = 20
_COLUMNS: Final = 16
_ALONG: Final = 6
"""Places of a torus along one dimension."""


def _box(x: float, y: float, tier: str, first: int, alike: int) -> DrawnBox:
    wide = ONE_WIDE if alike == 1 else FOLDED_WIDE
    return DrawnBox(x=x, y=y, width=wide, height=HIGH, tier=tier, first=first, alike=alike)


def _folded(boxes: list[DrawnBox], frames: list[DrawnFrame], box_of: IntArray) -> Folded:
    return Folded(boxes=tuple(boxes), frames=tuple(frames), box_of=box_of, width=0.0, height=0.0)


def _with_endpoints(network: Network, switch_box: IntArray) -> IntArray:
    """The box of every vertex: an endpoint lies where its switch does."""
    access = network.links(network.link_classes[0])
    endpoint_box = np.zeros(network.num_endpoints, int)
    endpoint_box[network.lower[access]] = switch_box[network.upper[access] - network.num_endpoints]
    return np.concatenate([endpoint_box, switch_box])


def drawn_groups(network: Network) -> Folded:
    """A Dragonfly or Dragonfly+: groups around a circle, their switches one by one where they are few."""
    groups = int(network.switch_group.max()) + 1
    size = network.num_switches // groups
    whole = network.num_switches <= _WHOLE_SWITCHES and groups <= _GROUPS
    places = folded_places(groups, _GROUPS)
    shown = int(places.max()) + 1
    columns = math.ceil(math.sqrt(size)) if whole else 1
    inside = ONE_WIDE * columns + 14.0 * (columns - 1)
    spacing = (inside + 44.0) if whole else FOLDED_WIDE + 16.0
    radius = max(120.0, shown * spacing * 1.15 / (2 * math.pi))
    angle = [2 * math.pi * place / shown - math.pi / 2 for place in range(shown)]
    middle = [(1.25 * radius * math.cos(one), radius * math.sin(one)) for one in angle]
    first = [int(np.flatnonzero(places == place)[0]) for place in range(shown)]
    alike = np.bincount(places).tolist()
    if not whole:
        boxes = [
            DrawnBox(x=x, y=y, width=FOLDED_WIDE, height=_TALL, tier="group", first=first[at], alike=alike[at])
            for at, (x, y) in enumerate(middle)
        ]
        return _folded(boxes, [], _with_endpoints(network, places[network.switch_group]))
    boxes, frames = [], []
    high = -(-size // columns)
    for group, (x, y) in enumerate(middle):
        for one in range(size):
            row, column = divmod(one, columns)
            tier = network.tiers[int(network.switch_tier[group * size + one])]
            at_x = x + (column - (columns - 1) / 2) * (ONE_WIDE + 14)
            boxes.append(_box(at_x, y + (row - (high - 1) / 2) * (HIGH + 16), tier, one, 1))
        tall = high * HIGH + (high - 1) * 16 + 24
        frames.append(DrawnFrame(kind="group", x=x, y=y, width=inside + 24, height=tall, first=group))
    return _folded(boxes, frames, _with_endpoints(network, np.arange(network.num_switches)))


def drawn_slim_fly(network: Network) -> Folded:
    """Both blocks of q x q switches: one by one for q up to 5, else a box per column."""
    q = math.isqrt(network.num_switches // 2)
    half, row = np.arange(network.num_switches) // q % 2, np.arange(network.num_switches) % q
    column = np.arange(network.num_switches) // (2 * q)
    boxes = []
    if network.num_switches <= _WHOLE_SWITCHES:
        across, down, apart = ONE_WIDE + 30, HIGH + 40, 130.0
        for block in range(2):
            left = block * ((q - 1) * across + ONE_WIDE + apart)
            boxes += [_box(left + x * across, y * down, "switch", x * q + y, 1) for x in range(q) for y in range(q)]
        frames = [
            _block(block, block * ((q - 1) * across + ONE_WIDE + apart), (q - 1) * across, 0.0, (q - 1) * down)
            for block in range(2)
        ]
        return _folded(boxes, frames, _with_endpoints(network, half * q * q + column * q + row))
    places = folded_places(q, _COLUMNS)
    shown = int(places.max()) + 1
    across = FOLDED_WIDE + 8
    alike = np.bincount(places).tolist()
    for block in range(2):
        for place in range(shown):
            first = int(np.flatnonzero(places == place)[0])
            box = _box(place * across, 280.0 * block, "column", first, alike[place])
            boxes.append(box.model_copy(update={"height": _TALL}))
    frames = [_block(block, 0.0, (shown - 1) * across, 280.0 * block, 280.0 * block) for block in range(2)]
    return _folded(boxes, frames, _with_endpoints(network, half * shown + places[column]))


def _block(number: int, left: float, wide: float, top: float, bottom: float) -> DrawnFrame:
    return DrawnFrame(
        kind="block",
        x=left + wide / 2,
        y=(top + bottom) / 2,
        width=wide + FOLDED_WIDE + 34,
        height=bottom - top + 44 + 34,
        first=number,
    )


def drawn_torus(network: Network, topology: Torus) -> Folded:
    """A ring, or the first two dimensions as a grid; what lies along the others shares a box."""
    lengths = [length for length in topology.dimensions if length > 1] or [1]
    if len(lengths) == 1:
        return _ring(lengths[0])
    rows, columns = lengths[0], lengths[1]
    deep = network.num_endpoints // (rows * columns)
    of_row, of_column = folded_places(rows, _ALONG), folded_places(columns, _ALONG)
    across = int(of_column.max()) + 1
    row, column = np.divmod(np.arange(network.num_endpoints) // deep, columns)
    box_of = of_row[row] * across + of_column[column]
    alike = np.bincount(box_of).tolist()
    boxes = [
        DrawnBox(
            x=at % across * (FOLDED_WIDE + 44.0),
            y=at // across * (HIGH + 44.0),
            width=FOLDED_WIDE,
            height=HIGH,
            tier="chip",
            first=int(np.flatnonzero(box_of == at)[0]),
            alike=count,
        )
        for at, count in enumerate(alike)
    ]
    return _folded(boxes, [], box_of)


def _ring(length: int) -> Folded:
    places = folded_places(length, 2 * _ALONG)
    alike = np.bincount(places).tolist()
    radius = 26.0 + 15.0 * len(alike)
    boxes = []
    for at, count in enumerate(alike):
        angle = 2 * math.pi * at / len(alike) - math.pi / 2
        first = int(np.flatnonzero(places == at)[0])
        boxes.append(_box(1.25 * radius * math.cos(angle), radius * math.sin(angle), "chip", first, count))
    return _folded(boxes, [], places)


def drawn_direct(network: Network) -> Folded:
    """Two hosts beside each other."""
    host = np.arange(network.num_endpoints) // network.nics_per_host
    return _folded([_box(240.0 * one, 0.0, "host", one, 1) for one in range(network.num_hosts)], [], host)
