"""The bill of materials of a pool and its fabric: counts from the network's arrays, prices from outside.

The total is the sum of the lines; what nobody prices stands there with its count, and is left out of the sum.
Not counted: cable trays, patch panels, licences, support, labour, taxes, and line systems of fibre between sites.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from myriad.estimate.fabric.bill_links import IN_NODE, PricedNetwork, Shop, link_lines
from myriad.estimate.fabric.bill_site import nodes_in_a_rack, rack_lines, site_lines
from myriad.estimate.fabric.counts import switches_by_tier
from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.estimate.fabric.network import Network
from myriad.spec.bill import Bill, BillLine, BillRules, Group, Sort
from myriad.spec.cluster import Node
from myriad.spec.fabric import FatTree
from myriad.spec.fabric_parts import Switch

SPARE_SORTS = ("node", "nic", "switch", "transceiver", "cable", "fibre", "link")


@dataclass(frozen=True)
class Purchase:
    """What a bill is asked for."""

    cluster: str
    fabric: str
    node_id: str
    node: Node
    num_nodes: int
    network: Network
    tier_switches: Mapping[str, tuple[str, Switch]]
    """Tier of the network -> catalog id and switch."""
    other_switches: Mapping[str, Switch]
    """The switches that the rules name, by catalog id."""


def bill(purchase: Purchase, rules: BillRules, shop: Shop, rules_name: str = "") -> Bill:
    """The bill of a pool and its fabric, in US dollars; a fabric that the rules ask for and cannot be built raises."""
    main = PricedNetwork(purchase.network, purchase.tier_switches, "network")
    lines = [*_node_lines(purchase, rules, shop), *_switch_lines(main, shop), *_links(main, purchase, rules, shop)]
    lines += _storage_lines(purchase, rules, shop)
    lines += _management_lines(purchase, lines, rules, shop)
    lines += rack_lines(purchase.num_nodes, purchase.node, _switch_units(lines, purchase), rules, shop)
    lines += list(_spare_lines(lines, rules))
    lines += site_lines(lines, purchase.num_nodes, rules, shop)
    return Bill(
        cluster=purchase.cluster,
        fabric=purchase.fabric,
        num_accelerators=purchase.num_nodes * purchase.node.num_accelerators,
        num_nodes=purchase.num_nodes,
        num_endpoints=purchase.network.num_endpoints,
        lines=tuple(lines),
        pue=rules.pue,
        rules=rules_name,
    )


def _node_lines(purchase: Purchase, rules: BillRules, shop: Shop) -> Iterator[BillLine]:
    node, count = purchase.node, purchase.num_nodes
    yield BillLine(
        group="compute", sort="node", item=purchase.node_id, name=node.name, quantity=count,
        price=shop.prices.get(purchase.node_id),
        watts=None if node.power_watts is None else count * node.power_watts,
        basis=f"{count * node.num_accelerators:,} accelerators, {node.num_accelerators} a node",
    )  # fmt: skip
    domains = -(-count * node.num_accelerators // node.scale_up_domain)
    if node.backplane_cables is not None:
        yield BillLine(
            group="compute", sort="backplane", item="backplane", name="backplane copper cable", place="scale-up",
            quantity=domains * node.backplane_cables, price=IN_NODE,
            basis=f"{node.backplane_cables:,} a rack, {domains:,} racks",
        )  # fmt: skip
    if node.scale_up_transceivers is not None:
        yield BillLine(
            group="compute", sort="transceiver", item="scale-up-transceiver", name="transceiver of scale-up links",
            place="scale-up", quantity=domains * node.scale_up_transceivers, price=IN_NODE,
            basis=f"{node.scale_up_transceivers:,} a domain, {domains:,} domains",
        )  # fmt: skip
    cards = purchase.network.num_endpoints
    yield BillLine(
        group="compute", sort="nic", item=rules.nic or "network-card", name="network card", quantity=cards,
        price=shop.prices.get(rules.nic) if rules.nic else IN_NODE,
        basis=f"{purchase.network.nics_per_host} a node, {purchase.network.num_hosts:,} nodes",
    )  # fmt: skip


def _switch_lines(priced: PricedNetwork, shop: Shop) -> Iterator[BillLine]:
    for tier, count in switches_by_tier(priced.network).items():
        if not count:
            continue
        item, switch = priced.tier_switches[tier]
        yield BillLine(
            group=priced.group, sort="switch", item=item, name=switch.name, place=priced.named(tier), quantity=count,
            price=shop.prices.get(item),
            watts=None if switch.power_watts is None else count * switch.power_watts,
            basis=f"{switch.ports} ports each, {priced.network.num_endpoints:,} endpoints",
        )  # fmt: skip


def _links(priced: PricedNetwork, purchase: Purchase, rules: BillRules, shop: Shop) -> list[BillLine]:
    lengths = link_lengths_m(priced.network, nodes_in_a_rack(purchase.node, rules), rules)
    return link_lines(priced, lengths, rules, shop)


def link_lengths_m(network: Network, nodes_per_rack: int, rules: BillRules) -> dict[str, float]:
    """Length of the links of each class, in metres, by how far apart the rules put their ends.

    A switch that joins no more hosts than a rack holds stands in it; others stand in the row. Switches of a network
    that fits in a row stay in it, else links between them cross the hall.
    """
    one_row = network.num_hosts <= nodes_per_rack * rules.racks_per_row
    between = rules.in_row if one_row else rules.in_hall
    lengths = dict.fromkeys(network.link_classes, between)
    first = network.link_classes[0]
    lengths[first] = rules.in_rack if _hosts_of_a_switch(network) <= nodes_per_rack else rules.in_row
    return {**lengths, **{name: length for name, length in rules.lengths.items() if name in lengths}}


def _hosts_of_a_switch(network: Network) -> int:
    """Hosts that the busiest switch joins; 1 without switches."""
    links = network.links(network.link_classes[0])
    if not network.num_switches:
        return 1
    pairs = np.unique(network.upper[links] * network.num_hosts + network.lower[links] // network.nics_per_host)
    return int(np.bincount(pairs // network.num_hosts).max())


def _side_network(switch_id: str, switch: Switch, ports: int, group: Group, place: str) -> PricedNetwork:
    """The smallest fat tree of one kind of switch that joins so many ports at its own speed."""
    network = fat_tree(FatTree(switch=switch_id), ports, 1, switch.port_bandwidth, {switch_id: switch})
    return PricedNetwork(network, dict.fromkeys(network.tiers, (switch_id, switch)), group, place)


def _storage_lines(purchase: Purchase, rules: BillRules, shop: Shop) -> list[BillLine]:
    accelerators = purchase.num_nodes * purchase.node.num_accelerators
    nodes = math.ceil(rules.storage_nodes_per_1000_accelerators * accelerators / 1000 - 1e-9)
    lines = []
    if nodes:
        lines.append(
            BillLine(
                group="storage", sort="server", item="storage-node", name="storage node", quantity=nodes,
                price=shop.prices.get("storage-node"),
                watts=None if rules.storage_node_watts is None else nodes * rules.storage_node_watts,
                basis=f"{rules.storage_nodes_per_1000_accelerators:g} per 1,000 accelerators",
            )
        )  # fmt: skip
    ports = purchase.num_nodes * rules.storage_ports_per_node + nodes * rules.storage_ports_per_storage_node
    if rules.storage_switch and ports:
        switch = purchase.other_switches[rules.storage_switch]
        side = _side_network(rules.storage_switch, switch, ports, "storage", "storage")
        lines += [*_switch_lines(side, shop), *_links(side, purchase, rules, shop)]
    return lines


def _management_lines(purchase: Purchase, before: list[BillLine], rules: BillRules, shop: Shop) -> list[BillLine]:
    def machines(item: str, name: str, count: int, sort: Sort) -> BillLine:
        return BillLine(
            group="management", sort=sort, item=item, name=name, quantity=count, price=shop.prices.get(item),
            basis="by the rules",
        )  # fmt: skip

    lines = []
    if rules.managers:
        lines.append(machines("fabric-manager", "fabric manager", rules.managers, "manager"))
    if rules.management_servers:
        lines.append(machines("management-server", "management server", rules.management_servers, "server"))
    ports = round(purchase.num_nodes * rules.in_band_ports_per_node + _count([*before, *lines], "server"))
    if rules.in_band_switch and ports:
        switch = purchase.other_switches[rules.in_band_switch]
        side = _side_network(rules.in_band_switch, switch, ports, "management", "in-band")
        lines += [*_switch_lines(side, shop), *_links(side, purchase, rules, shop)]
    if rules.out_of_band_ports_per_node:
        machines_besides = _count([*before, *lines], "server", "switch")
        lines += _out_of_band(
            round(purchase.num_nodes * rules.out_of_band_ports_per_node + machines_besides), rules, shop
        )
    return lines


def _count(lines: list[BillLine], *sorts: Sort) -> float:
    return sum(line.quantity for line in lines if line.sort in sorts)


def _out_of_band(ports: int, rules: BillRules, shop: Shop) -> Iterator[BillLine]:
    """Switches and cables to so many service processors."""
    each = rules.out_of_band_ports_per_switch
    yield BillLine(
        group="management", sort="switch", item="out-of-band-switch", name="out-of-band switch", place="out-of-band",
        quantity=-(-ports // each), price=shop.prices.get("out-of-band-switch"),
        basis=f"{each} ports each, {ports:,} endpoints",
    )  # fmt: skip
    yield BillLine(
        group="management", sort="cable", item="out-of-band-cable", name="twisted-pair cable", place="out-of-band",
        quantity=ports, price=shop.prices.get("out-of-band-cable"), basis=f"{ports:,} links",
    )  # fmt: skip


def _switch_units(lines: list[BillLine], purchase: Purchase) -> int:
    """Rack units of all switches whose height is known."""
    known = {**purchase.other_switches, **dict(purchase.tier_switches.values())}
    switches = ((line, known[line.item]) for line in lines if line.sort == "switch" and line.item in known)
    return round(sum(line.quantity * (switch.rack_units or 0) for line, switch in switches))


def _spare_lines(lines: list[BillLine], rules: BillRules) -> Iterator[BillLine]:
    for line in lines:
        spare = math.ceil(line.quantity * rules.spares - 1e-9)
        if line.sort in SPARE_SORTS and spare:
            basis = f"{rules.spares:.3%} of {line.quantity:,.0f}, rounded up"
            yield line.model_copy(update={"group": "spares", "quantity": spare, "watts": None, "basis": basis})
