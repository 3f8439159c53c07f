"""Networks with links and switches that are down, slow or flapping."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from myriad.errors import SpecError
from myriad.estimate.fabric.network import IntArray, Network
from myriad.spec.fabric import Damage, LinkFault


def damaged(network: Network, damage: Damage) -> Network:
    """The network with what `damage` breaks: the same links, those that are down with a bandwidth of 0 bytes/s.

    Each fault draws from a stream of its own, so that the same seed breaks the same things, a further fault changes
    nothing in those before it, and a larger share breaks what a smaller one does, and more. At least one link breaks,
    however small the share. A link that two faults hit suffers both. A flapping link is taken as slow all the time.
    Raises SpecError where more switches are to break than there are. Whether an endpoint is cut off is found out by
    the traffic that needs it.
    """
    if damage.nothing:
        return network
    left = np.ones(network.num_links)
    for index, fault in enumerate(damage.links):
        links = _links(network, fault)
        number = max(round(fault.share * len(links)), 1)
        drawn = np.random.default_rng([damage.seed, 0, index]).permutation(len(links))[:number]
        left[links[drawn]] *= fault.bandwidth_left
    for index, switch in enumerate(damage.switches):
        switches = network.switches(switch.tier) if switch.tier in network.tiers else np.zeros(0, int)
        if switch.number > len(switches):
            raise SpecError(f"damage.switches: {switch.number} {switch.tier} down, the network has {len(switches)}")
        drawn = np.random.default_rng([damage.seed, 1, index]).permutation(len(switches))[: switch.number]
        down = np.zeros(network.num_vertices, bool)
        down[switches[drawn]] = True
        left[down[network.lower] | down[network.upper]] = 0.0
    return replace(network, bytes_per_s=network.bytes_per_s * left)


def _links(network: Network, fault: LinkFault) -> IntArray:
    """The links that a fault may hit."""
    if fault.tier:
        if fault.tier not in network.link_classes:
            raise SpecError(f"damage.links: the network has no links {fault.tier!r}, only {network.link_classes}")
        return network.links(fault.tier)
    if not network.tiers:
        return np.arange(network.num_links)
    return np.flatnonzero((network.lower >= network.num_endpoints) & (network.upper >= network.num_endpoints))
