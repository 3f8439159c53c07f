"""Clusters as all verbs take them: accelerators of the catalog, on the fabric that joins them."""

from __future__ import annotations

from myriad import catalog
from myriad.api.fabric import hosts_of, network_of
from myriad.api.named import at_key
from myriad.errors import SpecError
from myriad.estimate.fabric.tiers import scale_out_tiers
from myriad.spec.cluster import Cluster, Node, Sites
from myriad.spec.fabric import Fabric, FatTree
from myriad.spec.fibre import FIBRES
from myriad.spec.system import Pool, System
from myriad.units import format_seconds


def clusters_of(system: System) -> dict[str, Cluster]:
    """The clusters of all pools of a system, by name. Raises SpecError, MissingDataError or InfeasibleError."""
    return {name: cluster_of(name, pool) for name, pool in system.pools.items()}


def cluster_of(pool_name: str, pool: Pool) -> Cluster:
    """The cluster of one pool of a system file, on its fabric."""
    found = catalog.cluster_of(pool_name, pool)
    if pool.fabric is None:
        return found
    with at_key(f"pools.{pool_name}.fabric"):
        fabric = catalog.fabric(pool.fabric) if isinstance(pool.fabric, str) else pool.fabric
        return on_fabric(found, catalog.node_of(pool), fabric, 1 if pool.sites is None else pool.sites.number)


def fabric_text(named: str | Fabric) -> str:
    """A fabric in a few words: what it is, how it spreads traffic, whether it is damaged.

    >>> from myriad.spec.fabric import Dragonfly
    >>> fly = Dragonfly(switch="qm9700", endpoints_per_switch=16, switches_per_group=32, global_links_per_switch=16)
    >>> fabric_text(Fabric(topology=fly, routing="ecmp", flows_per_pair=4))
    'fabric dragonfly, ECMP with 4 flows per pair'
    """
    fabric = catalog.fabric(named) if isinstance(named, str) else named
    topology = fabric.topology
    words = [f"fabric {named if isinstance(named, str) else topology.kind}"]
    if isinstance(topology, FatTree):
        words.append(f"rails {topology.rails}")
        for tier, ports, ratio in (
            ("leaves", topology.leaf_ports, topology.oversubscription),
            ("spines", topology.spine_ports, topology.spine_oversubscription),
        ):
            down_to_up = ports.down / ports.up if ports is not None else ratio
            if down_to_up > 1:
                words.append(f"{tier} {down_to_up:.3g}:1")
        if topology.planes > 1:
            words.append(f"{topology.planes} planes")
    flows = fabric.flows_per_pair
    words.append("sprayed" if fabric.routing == "spray" else f"ECMP with {flows} flow{'s' * (flows > 1)} per pair")
    return ", ".join(words if fabric.damage.nothing else [*words, "damaged"])


def sites_text(sites: Sites) -> str:
    """Sites in a few words: how far apart, in what fibre, and what light loses in time and power on the way."""
    fibre = FIBRES[sites.fibre]
    flight, loss = fibre.seconds_per_metre * sites.distance, fibre.decibels_per_metre * sites.distance
    apart = f"{sites.number} sites {sites.distance / 1e3:,.0f} km apart over {sites.fibre} fibre"
    return f"{apart}: {format_seconds(flight)}, {loss:.3g} dB"


def on_fabric(machines: Cluster, node: Node, fabric: Fabric, sites: int = 1) -> Cluster:
    """The cluster with the tiers of a fabric in place of its one tier of network; of every site one of its own.

    A cluster that scale-up links join alone stays as it is. Raises SpecError or InfeasibleError where the fabric
    cannot join the hosts.
    """
    own = next((link for link in machines.links if link.tier == "scale-out"), None)
    if own is None:
        return machines
    number, rest = divmod(machines.num_accelerators, sites)
    if rest or not number or number % node.num_accelerators:
        raise SpecError(f"{machines.num_accelerators // sites} accelerators are not whole hosts; a fabric joins hosts")
    node = with_network_of(node, machines)
    if fabric.nic_bandwidth is not None:
        hosts = hosts_of(fabric, node, number)
        each = hosts.nic_bytes_per_s * hosts.nics_per_host / node.num_accelerators
        own = own.model_copy(update={"bytes_per_s_one_way": each})
    tiers = scale_out_tiers(fabric, network_of(fabric, node, number), node.num_accelerators, own)
    before = tuple(link for link in machines.links if link.tier == "scale-up")
    beyond = tuple(link for link in machines.links if link.tier == "scale-across")
    return machines.model_copy(update={"links": (*before, *tiers, *beyond)})


def with_network_of(node: Node, machines: Cluster) -> Node:
    """The node with the network bandwidth of a cluster of it, which may be the pool's own."""
    own = next((link for link in machines.links if link.tier == "scale-out"), None)
    return node if own is None else node.model_copy(update={"scale_out_bytes_per_s_one_way": own.bytes_per_s_one_way})
