"""Ranks of a cluster on its network: which hosts they get, over which links they speak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.fabric.network import Array, Network
from myriad.sim.network.flows import IntArray
from myriad.sim.network.placement import near, packed, pods_of, shuffled, some_free, spread, units_of
from myriad.sim.network.ranks import Ranks, cards_and_domains
from myriad.spec.cluster import Cluster, Link
from myriad.spec.fabric import LINK_CLASSES, Fabric
from myriad.spec.traffic import Conditions


def efficiency_of(cluster: Cluster, conditions: Conditions) -> float:
    """Share of the line rate that long messages reach: as given, or the node's."""
    return _far(cluster).efficiency if conditions.efficiency is None else conditions.efficiency


def domain_size(cluster: Cluster, network: Network) -> tuple[int, int]:
    """Accelerators and cards of one scale-up domain, at least a host; in a torus, whose links join them, of one."""
    if network.link_classes == LINK_CLASSES["torus"]:
        return 1, 1
    per_host = max(cluster.num_accelerators // network.num_hosts, 1)
    hosts = max(min(cluster.scale_up_domain, cluster.num_accelerators) // per_host, 1)
    return hosts * per_host, hosts * network.nics_per_host


def num_free(cluster: Cluster, network: Network, conditions: Conditions) -> int:
    """Accelerators in the scale-up domains that are free."""
    domain, cards = domain_size(cluster, network)
    return _num_free(network.num_endpoints // cards, conditions) * domain


def ranks_of(
    cluster: Cluster, fabric: Fabric, network: Network, conditions: Conditions, num_ranks: int, block: int
) -> Ranks:
    """So many ranks on the free hosts of a network whose links are whole; neighbours fill scale-up domains.

    `block` is how many ranks the heaviest groups span, for placements that keep them near. Raises InfeasibleError where
    too few hosts are free.
    """
    domain, cards = domain_size(cluster, network)
    order = _order(network, conditions, -(-num_ranks // domain), cards, -(-block // domain))
    far = _far(cluster)
    scale_up = next((link for link in cluster.links if link.tier == "scale-up"), far)
    topology = fabric.topology
    card = float(card_bytes_per_s(network).max()) * efficiency_of(cluster, conditions)
    share = scale_up.reduction_share
    own_cards, own_domain = cards_and_domains(order, domain, cards)
    ranks = Ranks(
        cards=own_cards,
        domain=own_domain,
        cards_per_host=network.nics_per_host,
        card_bytes_per_s=card,
        near_bytes_per_s=scale_up.bytes_per_s_one_way * scale_up.efficiency,
        near_sum_bytes_per_s=None if share is None else scale_up.bytes_per_s_one_way * share,
        near_latency_s=scale_up.latency_s,
        far_latency_s=far.latency_s,
        rails_apart=topology.kind == "fat-tree" and topology.rails == "separate",
    )
    return ranks.take(np.arange(num_ranks))


def network_only(ranks: Ranks) -> Ranks:
    """The same ranks where nothing but the network takes time."""
    return replace(ranks, near_bytes_per_s=np.inf, near_sum_bytes_per_s=None, near_latency_s=0.0, far_latency_s=0.0)


def card_bytes_per_s(network: Network) -> Array:
    """What each card sends over all its ports, one way, in bytes/s, (E,)."""
    total = np.zeros(network.num_endpoints)
    for ends in (network.lower, network.upper):
        joins = ends < network.num_endpoints
        total += np.bincount(ends[joins], network.bytes_per_s[joins], network.num_endpoints)
    return total


def _order(network: Network, conditions: Conditions, needed: int, cards: int, block: int) -> IntArray:
    """The domains that ranks fill, in turn."""
    number = network.num_endpoints // cards
    free = some_free(number, _num_free(number, conditions), conditions.seed)
    if needed > len(free):
        raise InfeasibleError(f"{needed:,} scale-up domains are asked for, {len(free):,} of {number:,} are free")
    if conditions.placement == "packed":
        return packed(free)[:needed]
    if conditions.placement == "random":
        return shuffled(free, conditions.seed)[:needed]
    if not network.tiers:
        raise SpecError(f"placement: {conditions.placement} goes by leaves, and this fabric has none")
    units = units_of(network, cards)
    if conditions.placement == "spread":
        return spread(free, units)[:needed]
    return near(free, needed, (units, pods_of(network, cards)), block)


def _num_free(domains: int, conditions: Conditions) -> int:
    return int(conditions.free * domains + 0.5)


def _far(cluster: Cluster) -> Link:
    return next((link for link in cluster.links if link.tier == "scale-out"), cluster.links[-1])
