"""Fabrics, switches and prices that tests of bills share."""

from __future__ import annotations

from myriad import catalog
from myriad.estimate.fabric.bill import Purchase, bill
from myriad.estimate.fabric.bill_links import Shop
from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.spec.bill import Bill, BillRules, UnitPrice
from myriad.spec.fabric import FatTree
from myriad.spec.fabric_parts import Switch

SWITCH = Switch(
    name="QM", vendor="", technology="infiniband", ports=64, port_bandwidth=50e9, ports_per_cage=2, rack_units=1,
    power_watts=1720.0,
)  # fmt: skip


def tree_bill(
    num_nodes: int, rules: BillRules, prices: dict[str, float], switch: Switch = SWITCH, **topology: object
) -> Bill:
    """The bill of H100 nodes on a fat tree of one kind of switch, called `switch`."""
    tree = FatTree.model_validate({"switch": "switch", **topology})
    network = fat_tree(tree, num_nodes, 8, 50e9, {"switch": switch})
    purchase = Purchase(
        cluster="test", fabric="tree", node_id="dgx-h100", node=catalog.node("dgx-h100"), num_nodes=num_nodes,
        network=network, tier_switches=dict.fromkeys(network.tiers, ("switch", switch)),
        other_switches={"switch": switch},
    )  # fmt: skip
    units = {item: UnitPrice(usd=usd, kind="given", source="test") for item, usd in prices.items()}
    return bill(purchase, rules, Shop(catalog.link_parts(), units))
