"""What a bill holds beyond machines and links: racks, the building by the megawatt, fibre between sites."""

from __future__ import annotations

from collections.abc import Iterator

from myriad.estimate.fabric.bill_links import BITS_PER_BYTE, Shop
from myriad.spec.bill import BillLine, BillRules
from myriad.spec.cluster import Node

FIBRE_PAIR_BYTES_PER_S = 121.6e12 / BITS_PER_BYTE
"""96 wavelengths on one pair of fibres, one way: a published long-haul system (quoted second-hand)."""


def nodes_in_a_rack(node: Node, rules: BillRules) -> int:
    """Nodes per rack by the power of a rack, at least 1; a node with a backplane fills a rack with its domain."""
    if rules.nodes_per_rack is not None:
        return rules.nodes_per_rack
    if node.backplane_cables is not None:
        return max(1, node.scale_up_domain // node.num_accelerators)
    return max(1, int(rules.rack_power // node.power_watts)) if node.power_watts else 1


def rack_lines(num_nodes: int, node: Node, switch_units: int, rules: BillRules, shop: Shop) -> Iterator[BillLine]:
    """Racks of nodes, and of switches by their height; those that come with the nodes are in their price."""
    each = nodes_in_a_rack(node, rules)
    if rules.node_racks and node.backplane_cables is None:
        yield _racks("node rack", -(-num_nodes // each), f"{each} nodes a rack", shop)
    if rules.switch_units_per_rack and switch_units:
        count = -(-switch_units // rules.switch_units_per_rack)
        yield _racks(
            "switch rack", count, f"{switch_units:,} rack units of switches, {rules.switch_units_per_rack} a rack", shop
        )


def _racks(name: str, count: int, basis: str, shop: Shop) -> BillLine:
    return BillLine(
        group="racks", sort="rack", item="rack", name=name, quantity=count, price=shop.prices.get("rack"), basis=basis
    )


def site_lines(lines: list[BillLine], num_nodes: int, rules: BillRules, shop: Shop) -> Iterator[BillLine]:
    """The building for the power of all lines, or by the node as a cost sheet has it, and fibre between sites."""
    if rules.data_hall:
        machines_mw = sum(line.watts or 0.0 for line in lines if not line.powered_by_host) / 1e6
        yield BillLine(
            group="site", sort="building", item="data-hall", name="data hall with power and cooling", unit="MW",
            quantity=machines_mw * rules.pue, price=shop.prices.get("data-hall"),
            basis=f"{machines_mw:.3g} MW of machines at PUE {rules.pue:g}",
        )  # fmt: skip
    if rules.facility_per_node is not None:
        yield BillLine(
            group="site", sort="building", item="facility-per-node", name="facility and operations",
            quantity=num_nodes, price=shop.prices.get("facility-per-node"), basis=f"{num_nodes:,} nodes",
        )  # fmt: skip
    if (sites := rules.sites) is not None:
        pairs = -(-sites.bandwidth // FIBRE_PAIR_BYTES_PER_S)
        spans = sites.number - 1
        yield BillLine(
            group="site", sort="fibre", item=f"long-fibre-{rules.long_fibre}", name=f"{rules.long_fibre} fibre pair",
            unit="km", quantity=pairs * spans * sites.distance / 1000,
            price=shop.prices.get(f"long-fibre-{rules.long_fibre}"),
            basis=f"{pairs:.0f} pairs over {spans} spans of {sites.distance / 1000:g} km",
        )  # fmt: skip
