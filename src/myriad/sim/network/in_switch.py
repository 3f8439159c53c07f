"""Reductions in the switches: every card sends its bytes once towards a tree of switches and receives the sum once."""

from __future__ import annotations

import numpy as np

from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import Flows, IntArray, Phase
from myriad.sim.network.leaves import leaves_of
from myriad.sim.network.ranks import NO_FLOWS, Ranks, flows_of, lanes, summed_inside_bytes, with_near


def in_switch_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float, network: Network) -> tuple[Phase, ...]:
    """As SHARP does it: 1/K of the bytes on each rail once up a tree of switches, summed where branches meet, and down.

    Inside domains a reduce-scatter before and an all-gather after. Above the leaves the bytes of a tree go from leaf to
    leaf in a ring, pod by pod: as in the tree, each leaf sends them up once and receives them once, and so does each
    pod. That trees are bound to one root each, and switches can sum only so much, is left out.
    """
    if groups.shape[1] == 1:
        return ()
    by_domain = lanes(ranks, groups)
    domains, members = by_domain.shape[1:]
    near_bytes = summed_inside_bytes(ranks, bytes_, members)
    if domains == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes),)
    rails = by_domain.transpose(0, 2, 1).reshape(-1, domains)
    each = ranks.cards.shape[1]
    cards = np.concatenate([ranks.cards[rails, j] for j in range(each)])
    flows = _trees(network, cards, bytes_ / members / each)
    return (with_near(ranks, flows, near_bytes, steps=2.0 * len(network.tiers)),)


def _trees(network: Network, cards: IntArray, part: float) -> Flows:
    """What each tree sends, for the cards (T, n) that it joins."""
    leaves = leaves_of(network)[cards]
    tree = np.repeat(np.arange(len(cards)), cards.shape[1])
    pod = network.switch_group[leaves.ravel() - network.num_endpoints]
    ring = np.unique(np.stack([tree, pod, leaves.ravel()], axis=1), axis=0)
    # The next leaf of the same tree; the last goes on to the first.
    starts = np.flatnonzero(np.diff(ring[:, 0], prepend=-1))
    following = np.append(ring[1:, 2], 0)
    following[np.append(starts[1:], len(ring)) - 1] = ring[starts, 2]
    apart = ring[:, 2] != following
    source = np.concatenate([cards.ravel(), leaves.ravel(), ring[apart, 2]])
    target = np.concatenate([leaves.ravel(), cards.ravel(), following[apart]])
    return flows_of(source, target, part)
