"""Fabrics by name, built for a cluster, described and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from myriad import catalog
from myriad.api.bill import USUAL_RULES, bill_of
from myriad.api.named import at_key
from myriad.errors import InfeasibleError
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.counts import (
    links_between_switches,
    links_by_class,
    most_endpoints,
    ports_free,
    switches_by_tier,
    tier_switches,
)
from myriad.estimate.fabric.cuts import bisection_bytes_per_s
from myriad.estimate.fabric.damage import damaged
from myriad.estimate.fabric.growth import growth_hosts, scalable_unit_hosts
from myriad.estimate.fabric.hops import hops
from myriad.estimate.fabric.network import Network
from myriad.spec.bill import Bill
from myriad.spec.cluster import Node
from myriad.spec.fabric import Fabric, FatTree, Torus
from myriad.spec.fabric_parts import Switch
from myriad.spec.fabric_result import ComparedFabric, FabricComparison, FabricDescription, GrowthStep
from myriad.spec.money import Money

_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Hosts:
    """The hosts that a fabric joins."""

    number: int
    nics_per_host: int
    nic_bytes_per_s: float
    """Of one card over all its ports, one way."""


def fabric_of(name_or_path: str) -> Fabric:
    """The fabric of the catalog with this name, or the one that a YAML or JSON file describes.

    Raises SpecError with the nearest names, or with file and line.
    """
    if Path(name_or_path).suffix.lower() in _FILES:
        return catalog.read_spec(name_or_path, Fabric)
    return catalog.fabric(name_or_path)


def switches_of(fabric: Fabric) -> dict[str, Switch]:
    """The switches of the catalog that a fabric names, by those names. Raises SpecError with the nearest names."""
    with at_key("topology"):
        return {name: catalog.switch(name) for name in tier_switches(fabric.topology).values()}


def hosts_of(fabric: Fabric, node: Node, num_accelerators: int) -> Hosts:
    """Hosts and cards of so many accelerators in such nodes: trays count, not the racks that share scale-up links.

    A host has the cards that the fabric says, or one per accelerator; a card the bandwidth that the fabric says, or
    its share of the node's.
    """
    cards = fabric.nics_per_host or node.num_accelerators
    bytes_per_s = fabric.nic_bandwidth or node.scale_out_bytes_per_s_one_way * node.num_accelerators / cards
    return Hosts(-(-num_accelerators // node.num_accelerators), cards, bytes_per_s)


def network_of(fabric: Fabric, node: Node, num_accelerators: int) -> Network:
    """The whole network of a fabric for so many accelerators in such nodes.

    Raises InfeasibleError where it cannot join them.
    """
    return _network(fabric, hosts_of(fabric, node, num_accelerators), switches_of(fabric))


def describe_fabric(name: str, cluster: str, grow: bool = False) -> FabricDescription:
    """What a fabric for the cluster `NAME:COUNT` is made of and how far it carries; with its growth where asked.

    Raises SpecError for wrong names, InfeasibleError where the fabric cannot join so many.
    """
    node, number = catalog.counted_node(cluster)
    fabric = fabric_of(name)
    description = described(name, fabric, node, number)
    return description.model_copy(update={"growth": _growth(fabric, node, number)}) if grow else description


def compare_fabrics(names: Sequence[str], cluster: str) -> FabricComparison:
    """Several fabrics for the same accelerators; one that cannot join them says why."""
    node, number = catalog.counted_node(cluster)
    fabrics = {name: fabric_of(name) for name in names}
    rows = tuple(_compared(name, fabric, node, number, cluster) for name, fabric in fabrics.items())
    return FabricComparison(cluster=cluster, num_accelerators=number, rows=rows)


def fabric_bill(name: str, cluster: str, rules: str = USUAL_RULES, prices: Mapping[str, Money] | None = None) -> Bill:
    """The bill of materials of a fabric for the cluster `NAME:COUNT`, with own unit prices by item before all others.

    Raises SpecError for wrong names, rules and prices, InfeasibleError where the fabric cannot join so many.
    """
    node, number = catalog.counted_node(cluster)
    fabric = fabric_of(name)
    hosts = hosts_of(fabric, node, number)
    network = _network(fabric, hosts, switches_of(fabric))
    node_id = catalog.node_id_of(cluster.rpartition(":")[0])
    return bill_of(network, fabric, node_id, hosts.number, rules, prices=prices, cluster=cluster, fabric_name=name)


def _network(fabric: Fabric, hosts: Hosts, switches: Mapping[str, Switch]) -> Network:
    return build_network(fabric.topology, hosts.number, hosts.nics_per_host, hosts.nic_bytes_per_s, switches)


def described(name: str, fabric: Fabric, node: Node, number: int) -> FabricDescription:
    """What a fabric for so many accelerators in such nodes is made of, and how far it carries."""
    hosts, switches = hosts_of(fabric, node, number), switches_of(fabric)
    topology = fabric.topology
    network = _network(fabric, hosts, switches)
    named = tier_switches(topology)
    bisection = bisection_bytes_per_s(topology, damaged(network, fabric.damage))
    way = hops(topology, network)
    rates = {one: float(network.bytes_per_s[network.links(one)].max(initial=0.0)) for one in network.link_classes}
    endpoint_bytes_per_s = hosts.nic_bytes_per_s
    if isinstance(topology, Torus):
        endpoint_bytes_per_s = 2 * topology.link_bandwidth * sum(length > 1 for length in topology.dimensions)
    found = catalog.find("fabrics", name)
    return FabricDescription(
        name=name,
        title=catalog.entry("fabrics", found).title if found else fabric.note or name,
        kind=topology.kind,
        routing=fabric.routing,
        num_accelerators=number,
        num_hosts=hosts.number,
        nics_per_host=hosts.nics_per_host,
        nic_bytes_per_s=endpoint_bytes_per_s,
        num_endpoints=network.num_endpoints,
        most_endpoints=most_endpoints(topology, hosts.nics_per_host, hosts.nic_bytes_per_s, switches),
        switches=switches_by_tier(network),
        switch_names={tier: switches[named[tier]].name for tier in network.tiers},
        ports_free=ports_free(topology, network, hosts.nic_bytes_per_s, switches),
        links=links_by_class(network),
        link_bytes_per_s=rates,
        links_between_switches=links_between_switches(network),
        bisection_bytes_per_s=bisection,
        bisection_fraction=bisection / (hosts.number // 2 * hosts.nics_per_host * endpoint_bytes_per_s)
        if hosts.number > 1
        else 0.0,
        diameter=way.diameter,
        mean_hops=way.mean,
        latency_across_s=_latency_across_s(fabric, network, switches, way.diameter),
        scale_up_domain=node.scale_up_domain,
        scale_up_bytes_per_s=node.scale_up_bytes_per_s_one_way,
    )


def _latency_across_s(fabric: Fabric, network: Network, switches: Mapping[str, Switch], diameter: int) -> float | None:
    """Of the longest way: up to the highest tier and down again, or across so many equal switches."""
    if fabric.hop_latency is not None:
        return diameter * fabric.hop_latency
    named = tier_switches(fabric.topology)
    if not network.tiers:
        return None
    on_the_way = [named[tier] for tier in network.tiers]
    if isinstance(fabric.topology, FatTree):
        tiers = on_the_way[: (diameter + 1) // 2]
        on_the_way = [*tiers, *tiers[:-1]]
    else:
        on_the_way = [on_the_way[0]] * diameter
    latencies = [switches[name].latency_s for name in on_the_way]
    known = [latency for latency in latencies if latency is not None]
    return sum(known) if len(known) == len(latencies) else None


def _growth(fabric: Fabric, node: Node, number: int) -> tuple[GrowthStep, ...]:
    hosts, switches = hosts_of(fabric, node, number), switches_of(fabric)
    topology = fabric.topology
    unit = scalable_unit_hosts(topology, hosts.nics_per_host, hosts.nic_bytes_per_s, switches)
    service = topology.service_ports if isinstance(topology, FatTree) else 0
    reserved = -(-service // hosts.nics_per_host)
    steps: list[GrowthStep] = []
    for count in growth_hosts(unit, reserved, hosts.number) if unit is not None else [hosts.number]:
        network = _network(fabric, Hosts(count, hosts.nics_per_host, hosts.nic_bytes_per_s), switches)
        made, links = switches_by_tier(network), links_by_class(network)
        before = steps[-1] if steps else None
        steps.append(
            GrowthStep(
                num_hosts=count,
                num_accelerators=min(count * node.num_accelerators, number),
                switches=made,
                links=links,
                added_switches=_added(made, before.switches if before else {}),
                added_links=_added(links, before.links if before else {}),
            )
        )
    return tuple(steps)


def _added(now: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {key: now.get(key, 0) - before.get(key, 0) for key in (*now, *(key for key in before if key not in now))}


def _compared(name: str, fabric: Fabric, node: Node, number: int, cluster: str) -> ComparedFabric:
    try:
        description = described(name, fabric, node, number)
    except InfeasibleError as error:
        return ComparedFabric(name=name, description=None, reason=str(error))
    bill = fabric_bill(name, cluster)
    return ComparedFabric(
        name=name,
        description=description,
        transceivers=bill.network_transceivers,
        cost_per_endpoint_usd=bill.network_usd_per_endpoint,
        power_watts=bill.network_watts,
    )
