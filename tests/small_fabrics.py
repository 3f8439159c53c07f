"""Small networks of every kind, and traffic for them."""

from __future__ import annotations

import numpy as np

from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.damage import damaged
from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import Flows
from myriad.spec.fabric import Damage, Direct, Dragonfly, DragonflyPlus, FatTree, LinkFault, SlimFly, Topology, Torus
from myriad.spec.fabric_parts import Switch

SWITCHES = {
    f"ports-{ports}": Switch(name=f"{ports}", vendor="any", technology="any", ports=ports, port_bandwidth=50e9)
    for ports in (4, 6, 8, 16)
}
NIC_BYTES_PER_S = 50e9
TOPOLOGIES: dict[str, tuple[Topology, int, int]] = {
    "one-tier": (FatTree(switch="ports-16"), 4, 4),
    "two-tier": (FatTree(switch="ports-8"), 8, 4),
    "two-tier-uneven": (FatTree(switch="ports-8", leaf_ports={"down": 4, "up": 3}), 4, 4),
    "rails": (FatTree(switch="ports-8", rails="aligned"), 8, 2),
    "rails-apart": (FatTree(switch="ports-4", rails="separate"), 8, 2),
    "planes": (FatTree(switch="ports-4", planes=2), 8, 2),
    "three-tier": (FatTree(switch="ports-4", tiers=3), 8, 2),
    "three-tier-lean": (FatTree(switch="ports-8", tiers=3, oversubscription=3.0), 12, 4),
    "pods-of-rails": (FatTree(switch="ports-8", rails="aligned", pods="rails", tiers=3), 12, 4),
    "slim-fly": (SlimFly(switch="ports-16", q=5, endpoints_per_switch=2), 50, 2),
    "dragonfly": (
        Dragonfly(switch="ports-8", endpoints_per_switch=2, switches_per_group=4, global_links_per_switch=2),
        36,
        2,
    ),
    "dragonfly-plus": (
        DragonflyPlus(
            switch="ports-8", leaves_per_group=4, spines_per_group=4, endpoints_per_leaf=4, global_links_per_spine=4
        ),
        24,
        2,
    ),
    "torus": (Torus(dimensions=(4, 3, 2), link_bandwidth=25e9), 24, 1),
    "direct": (Direct(), 2, 4),
}


def small(name: str, broken: float = 0.0, seed: int = 0) -> Network:
    """One of them, with a share of its links down."""
    topology, hosts, nics = TOPOLOGIES[name]
    network = build_network(topology, hosts, nics, NIC_BYTES_PER_S, SWITCHES)
    if not broken:
        return network
    return damaged(network, Damage(links=(LinkFault(share=broken),), seed=seed))


def random_flows(name: str, network: Network, number: int, seed: int = 0) -> Flows:
    """Messages between endpoints drawn at random; from a card to the same card of another where rails are apart."""
    generator = np.random.default_rng(seed)
    source = generator.integers(0, network.num_endpoints, number)
    target = generator.integers(0, network.num_endpoints, number)
    if name in ("rails-apart", "direct"):
        target = target // network.nics_per_host * network.nics_per_host + source % network.nics_per_host
    return Flows(source, target, generator.uniform(1e6, 1e8, number), generator.integers(1, 4, number))
