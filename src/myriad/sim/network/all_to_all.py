"""All-to-all of many groups at once, as phases of flows; `bytes_` is what each member sends to all n in equal parts."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np

from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import Array, Flows, IntArray, Phase
from myriad.sim.network.ranks import NO_FLOWS, Ranks, flows_of, lanes, phase, with_near

MOST_ROWS = 1 << 18
"""More pairs than that are counted by pairs of leaves."""


def pairwise_all_to_all(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """n-1 rounds, in round r each member sends to the one r further: every round is a permutation."""
    size = groups.shape[1]
    return tuple(phase(ranks, groups, np.roll(groups, -r, axis=1), bytes_ / size) for r in range(1, size))


def direct_all_to_all(ranks: Ranks, groups: IntArray, bytes_: float, network: Network) -> tuple[Phase, ...]:
    """All pairs at once, as NCCL posts them.

    More than `MOST_ROWS` pairs become rows by pair of leaves with `members`, see `_by_leaves`.
    """
    size = groups.shape[1]
    if size == 1:
        return ()
    part = bytes_ / size
    if groups.size * (size - 1) <= MOST_ROWS:
        one, other = np.nonzero(~np.eye(size, dtype=bool))
        return (phase(ranks, groups[:, one], groups[:, other], part),)
    if ranks.rails_apart:
        return hierarchical_all_to_all(ranks, groups, bytes_, network)
    each = ranks.cards.shape[1]
    domains = ranks.domain[groups]
    near_bytes = part * (_same(domains) - 1)
    cards = np.concatenate([ranks.cards[groups, j] for j in range(each)])
    flows = _by_leaves(network, cards, np.tile(domains, (each, 1)), part / each)
    return (with_near(ranks, flows, near_bytes),)


def hierarchical_all_to_all(ranks: Ranks, groups: IntArray, bytes_: float, network: Network) -> tuple[Phase, ...]:
    """Through the scale-up links to the member on the receiver's rail, which sends to the receiver (NCCL's PXN).

    No flow leaves its rail.
    """
    size = groups.shape[1]
    by_domain = lanes(ranks, groups)
    _, domains, members = by_domain.shape
    if members == 1:
        return direct_all_to_all(ranks, groups, bytes_, network)
    part = bytes_ / size
    near_bytes = part * (members - 1) * domains
    if domains == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes),)
    rails = by_domain.transpose(0, 2, 1).reshape(-1, domains)
    if rails.size * (domains - 1) <= MOST_ROWS:
        one, other = np.nonzero(~np.eye(domains, dtype=bool))
        return (phase(ranks, rails[:, one], rails[:, other], part * members, near_bytes=near_bytes),)
    each = ranks.cards.shape[1]
    cards = np.concatenate([ranks.cards[rails, j] for j in range(each)])
    flows = _by_leaves(network, cards, np.tile(ranks.domain[rails], (each, 1)), part * members / each)
    return (with_near(ranks, flows, near_bytes),)


def _same(domains: IntArray) -> int:
    """The most members of a group in one domain."""
    at = domains + np.arange(len(domains))[:, None] * (int(domains.max()) + 1)
    return int(np.unique(at, return_counts=True)[1].max())


def _by_leaves(network: Network, cards: IntArray, domains: IntArray, part: float) -> Flows:
    """Flows of `part` bytes between all cards of a group in different domains, counted by pairs of switches.

    Rows from each card to its leaf and back, and from leaf to leaf, stand for as many flows as pass; parted evenly over
    the planes of a card. The time is exact where traffic is as even as here: the slowest of these rows is the slowest
    flow. Members of `cards` and `domains` are (G, n).
    """
    lower, upper = network.lower[network.link_class == 0], network.upper[network.link_class == 0]
    ports = np.bincount(lower, minlength=network.num_endpoints)
    present = np.zeros(network.num_endpoints, bool)
    present[cards] = True
    planes = int(ports[present].max())
    by_card = np.argsort(lower, kind="stable")
    first = np.concatenate([[0], np.cumsum(ports)])[:-1]
    found: list[Flows] = []
    size, group = cards.shape[1], np.repeat(np.arange(len(cards)), cards.shape[1])
    num_domains = int(domains.max()) + 1
    card = cards.ravel()
    _, block = np.unique(group * num_domains + domains.ravel(), return_inverse=True)
    others = size - np.bincount(block)[block]
    for plane in range(planes):
        leaves = upper[by_card[first[card] + np.minimum(plane, ports[card] - 1)]]
        names, leaf = np.unique(leaves, return_inverse=True)
        passing = _pairs(group, leaf, len(names)) - _pairs(block, leaf, len(names))
        np.fill_diagonal(passing, 0.0)  # what stays under one leaf takes the links of both cards only
        one, other = np.nonzero(passing > 0)
        found.append(flows_of(names[one], names[other], part / planes, passing[one, other].astype(np.int64)))
        found.append(flows_of(card, leaves, part / planes, others))
        found.append(flows_of(leaves, card, part / planes, others))
    kept = np.concatenate([flows.members for flows in found]) > 0
    return Flows(
        **{one.name: np.concatenate([getattr(flows, one.name) for flows in found])[kept] for one in fields(Flows)}
    )


def _pairs(block: IntArray, leaf: IntArray, num_leaves: int) -> Array:
    """Ordered pairs of cards of one block by their leaves, (leaves, leaves), a card with itself counted too."""
    num_blocks = int(block.max()) + 1
    total = np.zeros((num_leaves, num_leaves))
    rows_at_once = max(1, (1 << 24) // num_leaves)
    order = np.argsort(block, kind="stable")
    edges = np.searchsorted(block[order], np.arange(0, num_blocks + rows_at_once, rows_at_once))
    for start, end in pairwise(edges.tolist()):
        at = order[start:end]
        if not len(at):
            continue
        low = int(block[at[0]])
        rows = int(block[at[-1]]) - low + 1
        counts = np.bincount((block[at] - low) * num_leaves + leaf[at], minlength=rows * num_leaves)
        table = counts.reshape(rows, num_leaves).astype(float)
        total += table.T @ table
    return total
