"""Dragonfly+: groups that are two-tier trees, whose spines are joined by global links.

Shpiner and others, HiPINEB 2017.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from myriad.estimate.fabric.assemble import assemble
from myriad.estimate.fabric.dragonfly import group_count
from myriad.estimate.fabric.network import Network
from myriad.estimate.fabric.ports import check_ports, deal_between_groups, spread
from myriad.spec.fabric import DragonflyPlus
from myriad.spec.fabric_parts import Switch


def dragonfly_plus(
    topology: DragonflyPlus, num_hosts: int, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> Network:
    """The network of a Dragonfly+; leaves come before spines in every group, endpoints are spread evenly over leaves.

    Raises InfeasibleError where it cannot reach so many, or where switches lack ports.
    """
    switch = switches[topology.switch]
    leaves, spines = topology.leaves_per_group, topology.spines_per_group
    ports = topology.global_links_per_spine
    check_ports(switch, topology.endpoints_per_leaf, spines, nic_bytes_per_s)
    check_ports(switch, 0, leaves + ports, nic_bytes_per_s)
    members = num_hosts * nics_per_host
    groups = group_count(topology.groups, members, leaves * topology.endpoints_per_leaf, spines * ports)
    size = leaves + spines
    leaf_group, leaf_in_group = np.divmod(spread(members, groups * leaves), leaves)
    group, leaf, spine = (
        axis.ravel() for axis in np.meshgrid(np.arange(groups), np.arange(leaves), np.arange(spines), indexing="ij")
    )
    near, near_port, far, far_port = deal_between_groups(groups, spines * ports)
    first_spine = members + leaves
    return assemble(
        members,
        nics_per_host,
        ("leaf", "spine"),
        np.tile(np.repeat([0, 1], [leaves, spines]), groups),
        np.repeat(np.arange(groups), size),
        {
            "host-leaf": (np.arange(members), members + leaf_group * size + leaf_in_group, nic_bytes_per_s),
            "leaf-spine": (
                members + group * size + leaf,
                first_spine + group * size + spine,
                switch.port_bandwidth,
            ),
            "global": (
                first_spine + near * size + near_port // ports,
                first_spine + far * size + far_port // ports,
                switch.port_bandwidth,
            ),
        },
    )
