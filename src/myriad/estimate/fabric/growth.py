"""How a fabric grows: by the hosts that fill one more set of leaves, or one more group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from myriad.estimate.fabric.fat_tree import leaf_members
from myriad.spec.fabric import Dragonfly, DragonflyPlus, FatTree, Topology
from myriad.spec.fabric_parts import Switch

MOST_STEPS: Final = 16
"""Beyond so many units the steps double."""


def scalable_unit_hosts(
    topology: Topology, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> int | None:
    """Hosts of one scalable unit; `None` where a topology is built as a whole.

    Of a fat tree: one leaf per rail, filled, where rails are apart; else the fewest leaves that whole hosts fill. Of
    a Dragonfly: a group.
    """
    match topology:
        case FatTree():
            down = leaf_members(topology, nic_bytes_per_s, switches)
            return down if topology.rails != "mixed" else math.lcm(down, nics_per_host) // nics_per_host
        case Dragonfly():
            members = topology.switches_per_group * topology.endpoints_per_switch
        case DragonflyPlus():
            members = topology.leaves_per_group * topology.endpoints_per_leaf
        case _:
            return None
    return max(1, members // nics_per_host)


def growth_hosts(unit: int, reserved: int, num_hosts: int) -> list[int]:
    """Hosts at every step up to so many: units less the hosts whose ports are reserved; doubling beyond 16 units.

    >>> growth_hosts(32, 1, 127)
    [31, 63, 95, 127]
    """
    most = -(-(num_hosts + reserved) // unit)
    counts = range(1, most) if most <= MOST_STEPS else [2**i for i in range(most.bit_length()) if 2**i < most]
    steps = [units * unit - reserved for units in counts]
    return [*(hosts for hosts in steps if 0 < hosts < num_hosts), num_hosts]
