"""What a network is made of, counted: switches, links, ports, and the endpoints that it could grow to."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from myriad.estimate.fabric.fat_tree import most_members
from myriad.estimate.fabric.network import IntArray, Network
from myriad.estimate.fabric.ports import endpoints_per_port
from myriad.estimate.fabric.slim_fly import endpoints_per_switch, orders
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_parts import Switch


def switches_by_tier(network: Network) -> dict[str, int]:
    """Number of switches of each tier, nearest to endpoints first; planes and rails together."""
    numbers = np.bincount(network.switch_tier, minlength=len(network.tiers))
    return {tier: int(number) for tier, number in zip(network.tiers, numbers, strict=True)}


def links_by_class(network: Network) -> dict[str, int]:
    """Number of links of each class, those of endpoints first. A card has one link per plane."""
    numbers = np.bincount(network.link_class, minlength=len(network.link_classes))
    return {one: int(number) for one, number in zip(network.link_classes, numbers, strict=True)}


def links_between_switches(network: Network) -> int:
    """Number of links between switches: what papers call the links of a topology."""
    return int(np.count_nonzero(network.lower >= network.num_endpoints))


def ports_used(network: Network, cards_per_port: int) -> IntArray:
    """(S,) ports taken of each switch, where one port serves so many ports of network cards."""
    total, endpoints = network.num_switches, network.num_endpoints
    joins = network.lower < endpoints
    cards = np.bincount(network.upper[joins & (network.upper >= endpoints)] - endpoints, minlength=total)
    ends = np.concatenate([network.lower[~joins], network.upper[~joins]]) - endpoints
    used: IntArray = -(-cards // cards_per_port) + np.bincount(ends, minlength=total)
    return used


def ports_free(
    topology: Topology, network: Network, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> dict[str, int]:
    """Number of ports of each tier's switches that no link takes."""
    named = tier_switches(topology)
    if not named:
        return {}
    planes = topology.planes if isinstance(topology, FatTree) else 1
    used = ports_used(network, endpoints_per_port(switches[named[network.tiers[0]]], nic_bytes_per_s / planes))
    return {
        tier: int(np.sum(switches[named[tier]].ports - used[network.switch_tier == index]))
        for index, tier in enumerate(network.tiers)
    }


def tier_switches(topology: Topology) -> dict[str, str]:
    """Catalog id of the switch of each tier that a topology may have."""
    match topology:
        case FatTree():
            spine = topology.spine_switch or topology.switch
            return {"leaf": topology.switch, "spine": spine, "core": topology.core_switch or spine}
        case SlimFly() | Dragonfly():
            return {"switch": topology.switch}
        case DragonflyPlus():
            return {"leaf": topology.switch, "spine": topology.switch}
        case Torus() | Direct():
            return {}


def most_endpoints(
    topology: Topology, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> int:
    """Endpoints that a topology reaches at most, all rails together; ports of other machines are taken off."""
    match topology:
        case FatTree():
            return most_members(topology, nics_per_host, nic_bytes_per_s, switches)
        case SlimFly():
            known = (topology.q,) if topology.q else orders(topology, nic_bytes_per_s, switches[topology.switch])
            return max((2 * q**2 * endpoints_per_switch(topology, q) for q in known), default=0)
        case Dragonfly():
            size = topology.switches_per_group
            most = size * topology.global_links_per_switch + 1
            return min(topology.groups or most, most) * size * topology.endpoints_per_switch
        case DragonflyPlus():
            most = topology.spines_per_group * topology.global_links_per_spine + 1
            return min(topology.groups or most, most) * topology.leaves_per_group * topology.endpoints_per_leaf
        case Torus():
            return math.prod(topology.dimensions)
        case Direct():
            return 2 * nics_per_host
