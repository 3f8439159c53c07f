"""Where a fabric is hot: use of links by class, by place and the fullest ones, from the use of every directed link."""

from __future__ import annotations

from typing import Final

import numpy as np

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.spec.fabric_heat import ClassUse, Direction, FabricHeat, HeatMap, HotLink, SwitchPlace

MOST_CELLS: Final = 96
"""Lines of a map, and cells of a line."""
HOTTEST: Final = 10


def fabric_heat(network: Network, utilisation: Array) -> FabricHeat:
    """The heat of a network whose directed links were so full (2 L,), as shares of what they carry.

    A link without bandwidth is down. Links that join endpoints to switches have no map: they are in the sums only.
    """
    classes: list[ClassUse] = []
    maps: list[HeatMap] = []
    for index, name in enumerate(network.link_classes):
        links = network.links(name)
        if not len(links):
            continue
        level = _within_tier(network, links)
        ways: tuple[Direction, ...] = ("out",) if level else ("up", "down")
        classes += [_class_use(network, name, way, links, utilisation) for way in ways]
        if level:
            maps.append(_map_out(network, name, links, utilisation))
        elif index:
            maps += [_map_between(network, name, links, way, utilisation) for way in ways]
    return FabricHeat(classes=tuple(classes), maps=tuple(maps), hottest=_hottest(network, utilisation))


def _tier_of(network: Network, vertices: IntArray) -> IntArray:
    """Index into the tiers; -1 for endpoints."""
    return np.concatenate([np.full(network.num_endpoints, -1), network.switch_tier])[vertices]


def _within_tier(network: Network, links: IntArray) -> bool:
    both = _tier_of(network, network.lower[links[:1]]) == _tier_of(network, network.upper[links[:1]])
    return bool(both.all())


def _directed(links: IntArray, way: Direction) -> IntArray:
    """Directed links: all that go up, all that go down, or both one after the other."""
    if way == "out":
        return np.concatenate([2 * links, 2 * links + 1])
    return 2 * links + (way == "down")


def _class_use(network: Network, name: str, way: Direction, links: IntArray, utilisation: Array) -> ClassUse:
    alive = links[network.bytes_per_s[links] > 0]
    fraction = utilisation[_directed(alive, way)]
    return ClassUse(
        link_class=name,
        direction=way,
        links=len(links),
        dead=len(links) - len(alive),
        mean_fraction=_short(fraction.mean()) if len(alive) else 0.0,
        peak_fraction=_short(fraction.max()) if len(alive) else 0.0,
    )


def _map_between(network: Network, name: str, links: IntArray, way: Direction, utilisation: Array) -> HeatMap:
    """A line per switch below, a cell per switch above it in the order of their numbers."""
    lower, upper = network.lower[links], network.upper[links]
    pair, cell = np.unique(lower * network.num_vertices + upper, return_inverse=True)
    line_of_pair = pair // network.num_vertices
    place = (np.arange(len(pair)) - np.searchsorted(line_of_pair, line_of_pair))[cell]
    return _map(network, name, way, lower, upper, place, _directed(links, way), utilisation)


def _map_out(network: Network, name: str, links: IntArray, utilisation: Array) -> HeatMap:
    """A line per switch, a cell per link of it."""
    ends = np.concatenate([network.lower[links], network.upper[links]])
    others = np.concatenate([network.upper[links], network.lower[links]])
    order = np.lexsort((others, ends))
    ends, others = ends[order], others[order]
    place = np.arange(len(ends)) - np.searchsorted(ends, ends)
    return _map(network, name, "out", ends, others, place, _directed(links, "out")[order], utilisation)


def _map(
    network: Network,
    name: str,
    way: Direction,
    lines: IntArray,
    others: IntArray,
    place: IntArray,
    directed: IntArray,
    utilisation: Array,
) -> HeatMap:
    number, tier = _numbered(network, lines)
    count, wide = int(number.max()) + 1, int(place.max()) + 1
    by_line, by_place = -(-count // MOST_CELLS), -(-wide // MOST_CELLS)
    dead = network.bytes_per_s[directed // 2] <= 0
    fraction = np.where(dead, -1.0, utilisation[directed])
    cells = np.full((-(-count // by_line), -(-wide // by_place)), -np.inf)
    np.maximum.at(cells, (number // by_line, place // by_place), fraction)
    alive = np.bincount(number[~dead] // by_line, minlength=len(cells))
    total = np.bincount(number[~dead] // by_line, weights=fraction[~dead], minlength=len(cells))
    return HeatMap(
        link_class=name,
        direction=way,
        tier=tier,
        reached_tier=_numbered(network, others)[1],
        switches=count,
        reached=wide,
        switches_per_cell=by_line,
        reached_per_cell=by_place,
        cells=tuple(tuple(None if value == -np.inf else _short(value) for value in line) for line in cells.tolist()),
        means=tuple(_short(value) for value in (total / np.maximum(alive, 1)).tolist()),
    )


def _numbered(network: Network, vertices: IntArray) -> tuple[IntArray, str]:
    """Numbers of vertices of one tier among all of it, and its name; endpoints are `chip`."""
    if vertices[0] < network.num_endpoints:
        return vertices, "chip"
    tier = network.tiers[int(_tier_of(network, vertices[:1])[0])]
    return np.searchsorted(network.switches(tier), vertices), tier


def _hottest(network: Network, utilisation: Array) -> tuple[HotLink, ...]:
    dead = np.repeat(network.bytes_per_s <= 0, 2)
    fraction: Array = np.where(dead, -1.0, utilisation)
    most = np.argsort(-fraction, kind="stable")[:HOTTEST].tolist()
    found = []
    for directed in most:
        if fraction[directed] <= 0:
            break
        link, down = divmod(directed, 2)
        ends = int(network.lower[link]), int(network.upper[link])
        name = network.link_classes[int(network.link_class[link])]
        way: Direction = "down" if down else "up"
        found.append(
            HotLink(
                link_class=name,
                direction="out" if _within_tier(network, np.array([link])) else way,
                from_place=_place(network, ends[down]),
                to_place=_place(network, ends[1 - down]),
                use_fraction=_short(fraction[directed]),
            )
        )
    return tuple(found)


def _place(network: Network, vertex: int) -> SwitchPlace:
    if vertex < network.num_endpoints:
        host, card = divmod(vertex, network.nics_per_host)
        return SwitchPlace(tier="host", number=host, card=card)
    number, tier = _numbered(network, np.array([vertex]))
    switch = vertex - network.num_endpoints
    group, planes = int(network.switch_group[switch]), int(network.switch_plane.max()) + 1
    grouped = group >= 0 and int(network.switch_group.max()) > 0
    return SwitchPlace(
        tier=tier,
        number=int(number[0]),
        group=group if grouped else None,
        plane=int(network.switch_plane[switch]) if planes > 1 else None,
    )


def _short(fraction: float) -> float:
    return round(float(fraction), 3)
