"""Dragonfly: groups of fully joined switches, and groups joined to each other by global links.

With a switches of h global links to a group there are at most a h + 1 groups; p = h = a/2 is balanced (Kim and others,
ISCA 2008). All global ports are used: fewer groups are joined by more links.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.assemble import assemble
from myriad.estimate.fabric.network import Network
from myriad.estimate.fabric.ports import check_ports, deal_between_groups, spread
from myriad.spec.fabric import Dragonfly
from myriad.spec.fabric_parts import Switch


def dragonfly(
    topology: Dragonfly, num_hosts: int, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> Network:
    """The network of a Dragonfly; endpoints are spread evenly over its switches.

    Raises InfeasibleError where it cannot reach so many, or where switches lack ports.
    """
    switch = switches[topology.switch]
    size, ports = topology.switches_per_group, topology.global_links_per_switch
    check_ports(switch, topology.endpoints_per_switch, size - 1 + ports, nic_bytes_per_s)
    members = num_hosts * nics_per_host
    groups = group_count(topology.groups, members, size * topology.endpoints_per_switch, size * ports)
    total = groups * size
    one, other = np.triu_indices(size, 1)
    first = members + np.arange(groups)[:, None] * size
    near, near_port, far, far_port = deal_between_groups(groups, size * ports)
    return assemble(
        members,
        nics_per_host,
        ("switch",),
        np.zeros(total, dtype=np.int64),
        np.arange(total) // size,
        {
            "host-switch": (np.arange(members), members + spread(members, total), nic_bytes_per_s),
            "local": ((first + one).ravel(), (first + other).ravel(), switch.port_bandwidth),
            "global": (
                members + near * size + near_port // ports,
                members + far * size + far_port // ports,
                switch.port_bandwidth,
            ),
        },
    )


def group_count(given: int | None, members: int, per_group: int, global_links: int) -> int:
    """Groups for so many endpoints, as given or the fewest. Raises InfeasibleError for more than can be joined."""
    groups = -(-members // per_group) if given is None else given
    if groups > global_links + 1 and given is not None:
        raise InfeasibleError(
            f"a group with {global_links} global links joins at most {global_links + 1} groups, not {groups}"
        )
    reached = min(groups, global_links + 1) * per_group
    if members > reached:
        raise InfeasibleError(
            f"{min(groups, global_links + 1)} groups of {per_group:,} reach at most {reached:,} endpoints, "
            f"not {members:,}"
        )
    return groups
