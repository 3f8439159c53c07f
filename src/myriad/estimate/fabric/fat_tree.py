"""Fat trees of one to three tiers as networks: how many leaves, spines and cores, and which links join them.

With k ports and a leaf of d ports down and u up, E endpoints take E/d leaves; two tiers take u/k spines per leaf as
long as every leaf reaches every spine; three tiers make pods of as many leaves as a spine has ports down, with u spines
each, and join spine j of all pods by core group j. Without oversubscription that is k^2/2 endpoints on 3 k/2 switches,
and k^3/4 on 5 k^2/4 (Al-Fares, SIGCOMM 2008).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.estimate.fabric.ports import endpoints_per_port
from myriad.spec.fabric import FatTree, TierPorts
from myriad.spec.fabric_parts import Switch


@dataclass(frozen=True)
class _Shape:
    """One network of a fat tree: the same for all planes and rails."""

    tiers: int
    down: int
    """Endpoints per leaf."""
    leaves: int
    pods: int
    """1 in one and two tiers."""
    pod_leaves: int
    spines: int
    """Per pod."""
    up: int
    """Ports of a leaf towards spines."""
    spine_up: int = 0
    cores: int = 0
    """Per core group."""
    merged: int = 1
    """Spines of a pod that a core group joins: group j those from j times so many on, of all pods."""
    rails: int = 0
    """Of a pod that holds some rails of all its units; 0 where it holds whole units."""


def fat_tree(
    topology: FatTree, num_hosts: int, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]
) -> Network:
    """The network of a fat tree for so many hosts. Raises InfeasibleError where it cannot reach them all.

    `switches` are the catalog's, by the names that the topology uses. Copies of the network (planes, and rails where
    they are separate) lie one behind the other in `switch_plane`; within one, leaves come first, then spines by pod,
    then cores by group.
    """
    separate = topology.rails == "separate"
    members = num_hosts if separate else num_hosts * nics_per_host
    rails = nics_per_host if topology.rails == "aligned" else 1
    port_bytes_per_s = nic_bytes_per_s / topology.planes
    shape = _shape(topology, members, rails, port_bytes_per_s, switches)
    one = _one_copy(topology, shape, members, rails, port_bytes_per_s, switches)
    return _copies(one, topology, num_hosts, nics_per_host)


def leaf_members(topology: FatTree, nic_bytes_per_s: float, switches: Mapping[str, Switch]) -> int:
    """Endpoints of a full leaf below spines."""
    leaf = switches[topology.switch]
    per_port = endpoints_per_port(leaf, nic_bytes_per_s / topology.planes)
    return _ports(leaf, topology.leaf_ports, topology.oversubscription).down * per_port


def most_members(topology: FatTree, nics_per_host: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]) -> int:
    """Endpoints that a fat tree reaches at most: leaves are as many as a spine has ports, pods as a core has."""
    rails = nics_per_host if topology.rails == "aligned" else 1
    networks = nics_per_host if topology.rails == "separate" else 1
    tried: tuple[int, ...] = (topology.tiers,) if topology.tiers else (1, 2, 3) if rails == 1 else (2, 3)
    most = max(_most_of(topology, tiers, rails, nic_bytes_per_s, switches) for tiers in tried)
    return networks * (most - topology.service_ports)


def _most_of(topology: FatTree, tiers: int, rails: int, nic_bytes_per_s: float, switches: Mapping[str, Switch]) -> int:
    """The same for one network of so many tiers, ports of other machines included."""
    leaf = switches[topology.switch]
    spine = switches[topology.spine_switch or topology.switch]
    core = switches[topology.core_switch or topology.spine_switch or topology.switch]
    if tiers == 1:
        return leaf.ports * endpoints_per_port(leaf, nic_bytes_per_s / topology.planes)
    down = leaf_members(topology, nic_bytes_per_s, switches)
    if tiers == 2:
        leaves = topology.spine_ports.down if topology.spine_ports is not None else spine.ports
    else:
        above = _ports(spine, topology.spine_ports, topology.spine_oversubscription)
        leaves = core.ports * _pod_leaves(above, rails)
        if topology.pods == "rails":
            leaves = core.ports // rails * above.down * rails
    return leaves // rails * rails * down


def _pod_leaves(spine: TierPorts, rails: int) -> int:
    """Leaves of a pod: all that a spine has ports for, less what would part the rails of a scalable unit."""
    return spine.down // rails * rails or spine.down


def _ports(switch: Switch, given: TierPorts | None, oversubscription: float) -> TierPorts:
    if given is not None:
        if given.down + given.up > switch.ports:
            raise InfeasibleError(
                f"{switch.name} has {switch.ports} ports; {given.down} down and {given.up} up ask more"
            )
        return given
    up = int(switch.ports / (1.0 + oversubscription))
    if not up:
        raise InfeasibleError(f"oversubscription {oversubscription:g} leaves no port up of {switch.ports}")
    return TierPorts(down=switch.ports - up, up=up)


def _rounded(needed: int, ports: int, even: bool) -> int:
    """So many switches above, or the next number that divides the ports evenly."""
    if not even:
        return needed
    return next((number for number in range(needed, ports + 1) if ports % number == 0), needed)


def _shape(
    topology: FatTree, members: int, rails: int, port_bytes_per_s: float, switches: Mapping[str, Switch]
) -> _Shape:
    leaf = switches[topology.switch]
    spine = switches[topology.spine_switch or topology.switch]
    core = switches[topology.core_switch or topology.spine_switch or topology.switch]
    per_port = endpoints_per_port(leaf, port_bytes_per_s)
    taken = members + topology.service_ports
    one = _Shape(1, leaf.ports * per_port, 1, 1, 1, 0, 0)
    if topology.tiers == 1:
        if taken > one.down:
            raise InfeasibleError(f"one {leaf.name} joins {one.down} endpoints, not {taken}")
        return one
    ports = _ports(leaf, topology.leaf_ports, topology.oversubscription)
    # Before it is known whether a third tier is needed, so that a ratio which cannot be is refused at any size.
    above = _ports(spine, topology.spine_ports, 1.0 if topology.tiers == 2 else topology.spine_oversubscription)
    if topology.tiers is None and rails == 1 and taken <= one.down:
        return one
    down = ports.down * per_port
    leaves = -(-taken // (down * rails)) * rails
    if topology.tiers != 3:
        spine_ports = topology.spine_ports.down if topology.spine_ports is not None else spine.ports
        spines = _rounded(-(-leaves * ports.up // spine_ports), ports.up, topology.even)
        if spines <= ports.up:
            return _Shape(2, down, leaves, 1, leaves, spines, ports.up)
        if topology.tiers == 2:
            reach = spine_ports * down
            raise InfeasibleError(f"two tiers of these switches join at most {reach:,} endpoints, not {taken:,}")
    if topology.pods == "rails":
        shape = _pods_of_rails(topology, leaves // rails, rails, down, ports.up, above, core)
    else:
        pod_leaves = _pod_leaves(above, rails)
        pods = -(-leaves // pod_leaves)
        cores = _rounded(-(-pods * above.up // core.ports), above.up, topology.even)
        shape = _Shape(3, down, leaves, pods, pod_leaves, ports.up, ports.up, above.up, cores)
    if shape.cores > shape.spine_up:
        reach = _most_of(topology, 3, rails, port_bytes_per_s * topology.planes, switches)
        raise InfeasibleError(f"three tiers of these switches join at most {reach:,} endpoints, not {taken:,}")
    return shape


def _pods_of_rails(
    topology: FatTree, units: int, rails: int, down: int, up: int, spine: TierPorts, core: Switch
) -> _Shape:
    """As many rails to a pod as a spine has ports for; beyond one rail, units in equal parts."""
    parts = -(-units // spine.down)
    fitting = [number for number in range(1, rails + 1) if rails % number == 0 and number * units <= spine.down]
    together = max(fitting, default=1)
    pod_leaves = together * -(-units // parts)
    pods = rails // together * parts
    spine_up = -(-pod_leaves * spine.up // spine.down)
    merged = max(1, min(up, core.ports // pods))
    cores = _rounded(-(-pods * merged * spine_up // core.ports), spine_up, topology.even)
    return _Shape(3, down, units * rails, pods, pod_leaves, up, up, spine_up, cores, merged, together)


def _one_copy(
    topology: FatTree,
    shape: _Shape,
    members: int,
    rails: int,
    port_bytes_per_s: float,
    switches: Mapping[str, Switch],
) -> Network:
    """One network whose endpoints are numbered by host, then by card."""
    endpoint = np.arange(members)
    host, rail = np.divmod(endpoint, rails)
    by_rail = shape.tiers > 1 and rails > 1
    leaf_of = (host // shape.down) * rails + rail if by_rail else endpoint // shape.down
    leaf = np.arange(shape.leaves)
    lower, upper, link_class, rate = [endpoint], [members + leaf_of], [np.zeros(members, int)], [port_bytes_per_s]
    pod = leaf // shape.pod_leaves
    if shape.rails:
        unit, rail_of = np.divmod(leaf, rails)
        pod = unit // (shape.pod_leaves // shape.rails) * (rails // shape.rails) + rail_of // shape.rails
    first_spine = members + shape.leaves
    if shape.tiers > 1:
        ups = np.arange(shape.leaves * shape.up)
        of, port = np.divmod(ups, shape.up)
        turn = ups if shape.tiers == 2 else port
        lower.append(members + of)
        upper.append(first_spine + pod[of] * shape.spines + turn % shape.spines)
        link_class.append(np.full(len(ups), 1))
        rate.append(switches[topology.switch].port_bandwidth)
    num_spines = shape.spines * shape.pods
    if shape.tiers > 2:
        ups = np.arange(num_spines * shape.spine_up)
        of, port = np.divmod(ups, shape.spine_up)
        in_pod, spine = np.divmod(of, shape.spines)
        lower.append(first_spine + of)
        core_group, member = np.divmod(spine, shape.merged)
        turn = ((in_pod * shape.merged + member) * shape.spine_up + port) % shape.cores
        upper.append(first_spine + num_spines + core_group * shape.cores + turn)
        link_class.append(np.full(len(ups), 2))
        rate.append(switches[topology.spine_switch or topology.switch].port_bandwidth)
    num_cores = -(-shape.spines // shape.merged) * shape.cores
    tier = np.repeat([0, 1, 2], [shape.leaves, num_spines, num_cores])
    group = np.concatenate([pod, np.repeat(np.arange(shape.pods), shape.spines), np.full(num_cores, -1)])
    rates: Array = np.concatenate([np.full(len(part), one) for part, one in zip(lower, rate, strict=True)])
    return Network(
        num_endpoints=members,
        nics_per_host=rails,
        tiers=("leaf", "spine", "core")[: shape.tiers],
        switch_tier=tier,
        switch_group=group,
        switch_plane=np.zeros(len(tier), int),
        link_classes=("host-leaf", "leaf-spine", "spine-core")[: shape.tiers],
        link_class=np.concatenate(link_class),
        lower=np.concatenate(lower),
        upper=np.concatenate(upper),
        bytes_per_s=rates,
    )


def _copies(one: Network, topology: FatTree, num_hosts: int, nics_per_host: int) -> Network:
    """The networks beside each other: endpoint j of copy r is card r of host j where rails are separate, else j."""
    separate = topology.rails == "separate"
    rails = nics_per_host if separate else 1
    copies = rails * topology.planes
    endpoints = num_hosts * nics_per_host

    def vertex(vertices: IntArray, copy: int) -> IntArray:
        own = vertices * nics_per_host + copy // topology.planes if separate else vertices
        switch = endpoints + copy * one.num_switches + (vertices - one.num_endpoints)
        return np.where(vertices < one.num_endpoints, own, switch)

    return Network(
        num_endpoints=endpoints,
        nics_per_host=nics_per_host,
        tiers=one.tiers,
        switch_tier=np.tile(one.switch_tier, copies),
        switch_group=np.tile(one.switch_group, copies),
        switch_plane=np.repeat(np.arange(copies), one.num_switches),
        link_classes=one.link_classes,
        link_class=np.tile(one.link_class, copies),
        lower=np.concatenate([vertex(one.lower, copy) for copy in range(copies)]),
        upper=np.concatenate([vertex(one.upper, copy) for copy in range(copies)]),
        bytes_per_s=np.tile(one.bytes_per_s, copies),
    )
