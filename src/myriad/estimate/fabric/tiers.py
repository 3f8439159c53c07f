"""What one accelerator sees of a fabric: tiers of links, each with the bandwidth of the least cut below it.

Up to a leaf, or to all leaves of a scalable unit where rails are aligned, an accelerator has its share of its host's
cards. What leaves a leaf shares its links upwards, what leaves a pod those of the pod's spines to the cores:

    bandwidth of a tier = bandwidth of the cards * min(1, least live bandwidth upwards / bandwidth of the cards below)

the least over all leaves (pods), since a step waits for its slowest rank. A tier that takes nothing away is merged
into the nearer one: a whole fabric that does not block and sprays its packets is one tier, the node's own.

What is in which factor. `Link.efficiency`, the node's, is the protocol: headers, and what NCCL keeps of a card's rate
over a few leaves. Over-subscription and damage are in the bandwidth of the tier. `Link.contention` is what hashing
alone adds (`estimate.fabric.contention`); spraying and adaptive routing are taken to add nothing.

Slim Fly and Dragonfly have no tiers to cut: beyond a switch, in a Dragonfly+ beyond a group, and in a torus for all, an
accelerator has what uniform traffic on shortest paths leaves it, however few ranks send (`estimate.fabric.uniform`).

All of this is held against simulated flows in tests/validation/test_contention.py.

Left out: patterns that load shortest paths unevenly (two groups of a Dragonfly that talk to each other alone), and
non-minimal routing around them; ECMP on Slim Fly, Dragonfly and torus; rails that are changed in the fabric, since
NCCL changes them in the host (PXN); other jobs on the same links.
"""

from __future__ import annotations

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.contention import stretches
from myriad.estimate.fabric.damage import damaged
from myriad.estimate.fabric.network import Network
from myriad.estimate.fabric.parts import EVEN, WITH_CUTS, Cut, cuts_of
from myriad.estimate.fabric.uniform import torus_bytes_per_s
from myriad.spec.cluster import Link
from myriad.spec.fabric import Fabric, FatTree, Torus

_FULL = 1.0 - 1e-9
_HOPS_PER_TIER = 2
"""Switches that a path gains with every tier that it climbs and descends."""


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
    planes = fabric.topology.planes if isinstance(fabric.topology, FatTree) else 1
    hashed = fabric.routing == "ecmp" and fabric.topology.kind in WITH_CUTS
    if hashed and planes > 1:
        port = Cut(hosts=1, share=1.0, links=1.0, endpoints=1.0, all_links=network.num_endpoints * planes, wiring=EVEN)
        scale_out = scale_out.model_copy(
            update={"contention": _contention(fabric, network, port, accelerators_per_host)}
        )
    tiers = [scale_out]
    share = 1.0
    for climbed, cut in enumerate(cuts_of(fabric, network, live), start=1):
        if cut.hosts >= network.num_hosts:
            continue
        if not cut.share:
            raise InfeasibleError("damage: cuts hosts off from all others")
        share = min(share, cut.share)
        near = tiers[-1]
        far = _slowed(scale_out, share) if share < _FULL else scale_out
        found = _contention(fabric, network, cut, accelerators_per_host) if hashed else _unmatched(cut, network)
        # Over the bandwidth that the tier states: where that is less than the cut has, flows take no longer.
        contention = tuple((messages, factor * min(share / cut.share, 1.0)) for messages, factor in found)
        update: dict[str, object] = {"contention": contention}
        if fabric.hop_latency is not None:
            update["latency_s"] = scale_out.latency_s + _HOPS_PER_TIER * climbed * fabric.hop_latency
        far = far.model_copy(update=update)
        if far != near:
            tiers[-1] = near.model_copy(update={"domain": max(int(cut.hosts * accelerators_per_host), 1)})
            tiers.append(far)
    return tuple(tiers)


def _slowed(link: Link, share: float) -> Link:
    return link.model_copy(update={"bytes_per_s_one_way": link.bytes_per_s_one_way * share})


def _unmatched(cut: Cut, network: Network) -> tuple[tuple[float, float], ...]:
    """By what factor sprayed traffic takes longer where links of neighbours do not lead to the same switches.

    All of it between neighbours, as in rings, and none where every accelerator sends to all hosts. Left out where the
    cut is whole and does not block: there it is a matter of how the last links are dealt out.
    """
    factor = cut.wiring.neighbours
    if cut.share >= _FULL or factor <= 1.0 / _FULL:
        return ()
    return (1.0, factor), (float(max(network.num_hosts, 2)), 1.0)


def _contention(
    fabric: Fabric, network: Network, cut: Cut, accelerators_per_host: int
) -> tuple[tuple[float, float], ...]:
    """By what factor hashed flows take longer over a cut than evenly spread ones: a hash picks the plane, too."""
    planes = fabric.topology.planes if isinstance(fabric.topology, FatTree) else 1
    return stretches(
        links=cut.links * planes,
        bins=2.0 * cut.all_links,
        accelerators=cut.endpoints * accelerators_per_host / network.nics_per_host,
        flows_each=float(fabric.flows_per_pair),
        most=float(network.num_hosts),
        uneven=(cut.wiring.hashed, cut.wiring.hashed_all),
    )


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
