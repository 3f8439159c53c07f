"""A network of any topology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.direct import direct
from myriad.estimate.fabric.dragonfly import dragonfly
from myriad.estimate.fabric.dragonfly_plus import dragonfly_plus
from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.estimate.fabric.network import Network
from myriad.estimate.fabric.slim_fly import slim_fly
from myriad.estimate.fabric.torus import torus
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_parts import Switch

MOST_HOST_LINKS: Final = 2**23
"""Of all planes: about 2 GB while a fat tree of three tiers is built."""


def build_network(
    topology: Topology, num_hosts: int, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> Network:
    """The network that joins so many hosts. Raises InfeasibleError where the topology cannot.

    `switches` are the catalog's, by the names that the topology uses; a card carries `nic_bytes_per_s` one way over
    all its ports. So many links of hosts that arrays would not fit in memory are refused.
    """
    planes = topology.planes if isinstance(topology, FatTree) else 1
    if (links := num_hosts * nics_per_host * planes) > MOST_HOST_LINKS:
        raise InfeasibleError(f"{links:,} links of hosts are too many to build; at most {MOST_HOST_LINKS:,}")
    match topology:
        case FatTree():
            return fat_tree(topology, num_hosts, nics_per_host, nic_bytes_per_s, switches)
        case SlimFly():
            return slim_fly(topology, num_hosts, nics_per_host, nic_bytes_per_s, switches)
        case Dragonfly():
            return dragonfly(topology, num_hosts, nics_per_host, nic_bytes_per_s, switches)
        case DragonflyPlus():
            return dragonfly_plus(topology, num_hosts, nics_per_host, nic_bytes_per_s, switches)
        case Torus():
            return torus(topology, num_hosts, nics_per_host)
        case Direct():
            return direct(num_hosts, nics_per_host, nic_bytes_per_s)
