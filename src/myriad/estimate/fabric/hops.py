"""How many switches lie on the way from one endpoint to another: at most, and on the mean of all pairs.

Counted on shortest paths within the network; rails apart from each other, whose ends meet in the host, do not count as
pairs. In a torus every endpoint is a switch, and hops are links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.fabric.network import IntArray, Network
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology, Torus


@dataclass(frozen=True)
class Hops:
    """Switches on the way between two endpoints."""

    diameter: int
    mean: float


def hops(topology: Topology, network: Network) -> Hops:
    """Hops of a whole network; of a damaged one they are those that it had."""
    match topology:
        case FatTree():
            return _of_nested(network, 5)
        case DragonflyPlus():
            return _of_nested(network, 4)
        case SlimFly():
            return _of_slim_fly(network)
        case Dragonfly():
            return _of_dragonfly(network)
        case Torus():
            return _of_torus(topology, network)
        case Direct():
            return Hops(0, 0.0)


def switch_distances(network: Network, sources: IntArray) -> IntArray:
    """(S, sources) links between switches on the shortest way from some switches to all; -1 where there is none."""
    between = network.lower >= network.num_endpoints
    lower = network.lower[between] - network.num_endpoints
    upper = network.upper[between] - network.num_endpoints
    pairs = np.unique(np.concatenate([upper * network.num_switches + lower, lower * network.num_switches + upper]))
    to, of = np.divmod(pairs, network.num_switches)
    distance = np.full((network.num_switches, len(sources)), -1, dtype=np.int64)
    distance[sources, np.arange(len(sources))] = 0
    reached, first = np.unique(to, return_index=True)
    fresh = distance == 0
    step = 0
    while len(reached) and fresh.any():
        step += 1
        # One bit per source, so that a step over all links is a few bytes for each.
        touched = np.bitwise_or.reduceat(np.packbits(fresh, axis=1)[of], first, axis=0)
        fresh = np.zeros_like(fresh)
        fresh[reached] = np.unpackbits(touched, axis=1, count=len(sources)).astype(bool)
        fresh &= distance < 0
        distance[fresh] = step
    return distance


def endpoints_of_switches(network: Network) -> IntArray:
    """(S,) endpoints of each switch."""
    at = network.upper[network.link_class == 0] - network.num_endpoints
    return np.bincount(at, minlength=network.num_switches)


def _of_pairs(numbers: dict[int, int]) -> Hops:
    """From the number of ordered pairs of endpoints at each number of hops."""
    total = sum(numbers.values())
    if not total:
        return Hops(0, 0.0)
    mean = sum(hops * number for hops, number in numbers.items()) / total
    return Hops(max(hops for hops, number in numbers.items() if number), mean)


def _of_nested(network: Network, across: int) -> Hops:
    """1 under one leaf, 3 in one pod or group, `across` between them."""
    joins = np.flatnonzero(network.link_class == 0)
    endpoint, first = np.unique(network.lower[joins], return_index=True)
    leaf = network.upper[joins[first]] - network.num_endpoints
    plane = network.switch_plane[leaf]
    pod = plane * (network.switch_group.max() + 1) + network.switch_group[leaf]
    leaves, pods, networks = (int(np.sum(np.bincount(of) ** 2)) for of in (leaf, pod, plane))
    return _of_pairs({1: leaves - len(endpoint), 3: pods - leaves, across: networks - pods})


def _of_slim_fly(network: Network) -> Hops:
    """2 across a link, 3 across any other pair of switches: the diameter of the graph is two links."""
    endpoints = endpoints_of_switches(network)
    between = network.link_class == 1
    near = endpoints[network.lower[between] - network.num_endpoints]
    linked = 2 * int(np.sum(near * endpoints[network.upper[between] - network.num_endpoints]))
    same = int(np.sum(endpoints**2))
    return _of_pairs({1: same - int(np.sum(endpoints)), 2: linked, 3: int(np.sum(endpoints)) ** 2 - same - linked})


def _of_dragonfly(network: Network) -> Hops:
    """From all switches of the first group: what lies so many groups on looks the same from any other."""
    groups = int(network.switch_group.max()) + 1
    endpoints = endpoints_of_switches(network).reshape(groups, -1)
    distance = switch_distances(network, np.flatnonzero(network.switch_group == 0))
    pairs = np.concatenate([np.roll(endpoints, -ahead, axis=0).T @ endpoints for ahead in range(groups)])
    numbers = {step + 1: int(np.sum(pairs[distance == step])) for step in range(int(distance.max()) + 1)}
    numbers[1] -= int(np.sum(endpoints))
    return _of_pairs(numbers)


def _of_torus(topology: Torus, network: Network) -> Hops:
    """Half of every dimension at most; on the mean of all pairs n^2/4 / n of it, rounded down before the last step."""
    mean = sum(length**2 // 4 / length for length in topology.dimensions)
    others = network.num_endpoints - 1
    scale = network.num_endpoints / others if others else 0.0
    return Hops(sum(length // 2 for length in topology.dimensions), mean * scale)
