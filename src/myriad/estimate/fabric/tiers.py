"""What one accelerator sees of a fabric: tiers of links, each with the bandwidth of the least cut below it.

Up to a leaf, or to all leaves of a scalable unit where rails are aligned, an accelerator has its share of its host's
cards. What leaves a leaf shares its links upwards, what leaves a pod those of the pod's spines to the cores:

    bandwidth of a tier = bandwidth of the cards * min(1, least live bandwidth upwards / bandwidth of the cards below)

the least over all leaves (pods), since a step waits for its slowest rank. A tier that takes nothing away is merged
into the nearer one: a whole fabric that does not block and sprays its packets is one tier, the node's own.

What is in which factor. `Link.efficiency`, the node's, is the protocol: headers, and what NCCL keeps of a card's rate
over a few leaves. Over-subscription and damage are in the bandwidth of the tier. `Link.contention` is what hashing
alone adds (`estimate.fabric.contention`); spraying and adaptive routing are taken to add nothing.

Slim Fly and Dragonfly have no tiers to cut: beyond a switch, and in a torus for all, an accelerator has what uniform
traffic on shortest paths leaves it, however few ranks send (`estimate.fabric.uniform`).

Left out: patterns that load shortest paths unevenly (two groups of a Dragonfly that talk to each other alone), and
non-minimal routing around them; ECMP on Slim Fly, Dragonfly and torus; rails that are changed in the fabric, since
NCCL changes them in the host (PXN); other jobs on the same links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.contention import stretches
from myriad.estimate.fabric.damage import damaged
from myriad.estimate.fabric.network import IntArray, Network
from myriad.estimate.fabric.uniform import summed, torus_bytes_per_s, uniform_share
from myriad.spec.cluster import Link
from myriad.spec.fabric import Fabric, FatTree, Torus

WITH_CUTS = ("fat-tree", "dragonfly-plus")
"""Kinds of topologies whose traffic leaves through the tops of ever larger parts."""
_FULL = 1.0 - 1e-9
_HOPS_PER_TIER = 2
"""Switches that a path gains with every tier that it climbs and descends."""


@dataclass(frozen=True)
class Cut:
    """The links upwards of equal parts of a fabric: of its leaves, or of its pods."""

    hosts: int
    """That reach each other, on one rail, below."""
    share: float
    """Live bandwidth upwards over the bandwidth of the cards below; of the part where it is least."""
    links: float
    """Live links of that part."""
    endpoints: float
    """Cards below it."""
    all_links: int
    """Live links of all parts."""


def scale_out_tiers(fabric: Fabric, network: Network, accelerators_per_host: int, scale_out: Link) -> tuple[Link, ...]:
    """The tiers of a fabric as one accelerator sees them, nearest first; `scale_out` is the node's own.

    `network` is the whole one, for the hosts that there are; `fabric.damage` is done to it here. Raises InfeasibleError
    where damage cuts hosts off.
    """
    live = damaged(network, fabric.damage)
    count = network.num_hosts * accelerators_per_host
    scale_out = scale_out.model_copy(update={"domain": max(count, scale_out.domain)})
    if isinstance(fabric.topology, Torus):
        uniform = torus_bytes_per_s(fabric.topology, live)
        return (_slowed(scale_out, min(uniform / scale_out.bytes_per_s_one_way, 1.0)),)
    cards = _cards_share(network, live)
    if cards < _FULL:
        scale_out = _slowed(scale_out, cards)
    tiers = [scale_out]
    share = 1.0
    for climbed, cut in enumerate(_cuts(fabric, network, live), start=1):
        if cut.hosts >= network.num_hosts:
            continue
        if not cut.share:
            raise InfeasibleError("damage: cuts hosts off from all others")
        share = min(share, cut.share)
        near = tiers[-1]
        far = _slowed(scale_out, share) if share < _FULL else scale_out
        update: dict[str, object] = {"contention": ()}
        if fabric.routing == "ecmp" and fabric.topology.kind in WITH_CUTS:
            update["contention"] = _contention(fabric, network, cut, share, accelerators_per_host)
        if fabric.hop_latency is not None:
            update["latency_s"] = scale_out.latency_s + _HOPS_PER_TIER * climbed * fabric.hop_latency
        far = far.model_copy(update=update)
        if far != near:
            tiers[-1] = near.model_copy(update={"domain": cut.hosts * accelerators_per_host})
            tiers.append(far)
    return tuple(tiers)


def _slowed(link: Link, share: float) -> Link:
    return link.model_copy(update={"bytes_per_s_one_way": link.bytes_per_s_one_way * share})


def _contention(
    fabric: Fabric, network: Network, cut: Cut, share: float, accelerators_per_host: int
) -> tuple[tuple[float, float], ...]:
    """The stretches of a cut, over the bandwidth that its tier states: where that is less than the cut has, less."""
    planes = fabric.topology.planes if isinstance(fabric.topology, FatTree) else 1
    per_card = accelerators_per_host / network.nics_per_host
    found = stretches(
        links=cut.links,
        bins=2.0 * cut.all_links,
        accelerators=cut.endpoints * per_card,
        flows_each=max(fabric.flows_per_pair / planes, 1.0),
        most=float(network.num_hosts),
    )
    return tuple((messages, factor * min(share / cut.share, 1.0)) for messages, factor in found)


def _cards_share(whole: Network, live: Network) -> float:
    """Live bandwidth of the cards of a host over what it was, of the worst host."""
    first = np.flatnonzero(whole.link_class == 0)
    if not whole.num_switches:
        return 1.0
    host = whole.lower[first] // whole.nics_per_host
    was, left = (np.bincount(host, network.bytes_per_s[first]) for network in (whole, live))
    share = float((left / was).min())
    if not share:
        raise InfeasibleError(f"damage: cuts {int((left == 0).sum())} of {whole.num_hosts} hosts off")
    return share


def _cuts(fabric: Fabric, whole: Network, live: Network) -> list[Cut]:
    """The cuts of a fabric, nearest first."""
    switch_of = np.full(whole.num_vertices, -1)
    leaf_of = whole.upper[whole.link_class == 0] - whole.num_endpoints
    leaf = np.arange(whole.num_switches)
    if not whole.num_switches:
        return []
    if fabric.topology.kind not in WITH_CUTS:
        return [_beyond_a_switch(whole, live, leaf_of)]
    switch_of[whole.num_endpoints :] = np.where(whole.switch_tier == 0, leaf, -1)
    cuts = [_cut(whole, live, switch_of, leaf_of)]
    if len(np.unique(whole.switch_group[whole.switch_group >= 0])) > 1:
        groups = int(whole.switch_group.max()) + 1
        pod = np.where(whole.switch_group >= 0, whole.switch_plane * groups + whole.switch_group, -1)
        pod_of = np.concatenate([np.full(whole.num_endpoints, -1), pod])
        cuts.append(_cut(whole, live, pod_of, pod[leaf_of]))
    return cuts


def _cut(whole: Network, live: Network, part_of: IntArray, below: IntArray) -> Cut:
    """The cut around parts: the part of each vertex (-1 is none), and of each link of an endpoint."""
    first = whole.link_class == 0
    number = int(part_of.max()) + 1
    cards = summed(below, whole.bytes_per_s[first], number)
    lower, upper = part_of[live.lower], part_of[live.upper]
    leaving = ~first & (lower != upper) & (live.bytes_per_s > 0)
    up, links = np.zeros(number), np.zeros(number)
    for end in (lower, upper):
        own = leaving & (end >= 0)
        up += summed(end[own], live.bytes_per_s[own], number)
        links += summed(end[own], np.ones(int(own.sum())), number)
    used = np.flatnonzero(cards)
    shares = up[used] / cards[used]
    worst = used[int(np.argmin(shares))]
    return Cut(
        hosts=_hosts_below(whole, below),
        share=float(shares.min()),
        links=float(links[worst]),
        endpoints=float((below == worst).sum()),
        all_links=int(links.sum()),
    )


def _hosts_below(whole: Network, below: IntArray) -> int:
    """Hosts that a part joins on one rail, the most of all parts."""
    endpoint = whole.lower[whole.link_class == 0]
    rail = endpoint % whole.nics_per_host
    _, number = np.unique(below * whole.nics_per_host + rail, return_counts=True)
    return int(number.max())


def _beyond_a_switch(whole: Network, live: Network, switch_of: IntArray) -> Cut:
    """What uniform traffic leaves of the cards beyond a switch."""
    return Cut(_hosts_below(whole, switch_of), uniform_share(whole, live), 0.0, 0.0, 0)
