"""All-to-all of many groups at once, as phases of flows; `bytes_` is what each member sends to all n in equal parts."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import Array, Flows, IntArray, Phase
from myriad.sim.network.leaves import leaves_of
from myriad.sim.network.ranks import NO_FLOWS, Ranks, flows_of, lanes, phase, with_near

MOST_ROWS = 1 << 16
"""More pairs than that are counted by pairs of leaves."""
MOST_PAIRS = 1 << 24
"""More messages one by one would not fit into memory."""


def pairwise_all_to_all(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """n-1 rounds, in round r each member sends to the one r further: every round is a permutation.

    Raises InfeasibleError for more than `MOST_PAIRS` messages.
    """
    size = groups.shape[1]
    _check_pairs(groups)
    return tuple(phase(ranks, groups, np.roll(groups, -r, axis=1), bytes_ / size) for r in range(1, size))


def direct_all_to_all(
    ranks: Ranks, groups: IntArray, bytes_: float, network: Network, hashed: bool = False
) -> tuple[Phase, ...]:
    """All pairs at once, as NCCL posts them.

    More than `MOST_ROWS` pairs become rows by pair of leaves with `members`, see `_by_leaves`. Where flows are
    `hashed`, so that some fare worse than their like, and where there are no leaves, they stay pairs. Raises
    InfeasibleError for more than `MOST_PAIRS` of these.
    """
    size = groups.shape[1]
    if size == 1:
        return ()
    part = bytes_ / size
    if groups.size * (size - 1) <= MOST_ROWS or hashed or not network.tiers:
        _check_pairs(groups)
        one, other = np.nonzero(~np.eye(size, dtype=bool))
        return (phase(ranks, groups[:, one], groups[:, other], part),)
    if ranks.rails_apart:
        return hierarchical_all_to_all(ranks, groups, bytes_, network, hashed)
    each = ranks.cards.shape[1]
    domains = ranks.domain[groups]
    near_bytes = part * (_same(domains) - 1)
    cards = np.concatenate([ranks.cards[groups, j] for j in range(each)])
    flows = _by_leaves(network, cards, np.tile(domains, (each, 1)), part / each)
    return (with_near(ranks, flows, near_bytes),)


def hierarchical_all_to_all(
    ranks: Ranks, groups: IntArray, bytes_: float, network: Network, hashed: bool = False
) -> tuple[Phase, ...]:
    """Through the scale-up links to the member on the receiver's rail, which sends to the receiver (NCCL's PXN).

    No flow leaves its rail. Many pairs are counted as in `direct_all_to_all`.
    """
    size = groups.shape[1]
    by_domain = lanes(ranks, groups)
    _, domains, members = by_domain.shape
    if members == 1:
        return direct_all_to_all(ranks, groups, bytes_, network, hashed)
    part = bytes_ / size
    near_bytes = part * (members - 1) * domains
    if domains == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes),)
    rails = by_domain.transpose(0, 2, 1).reshape(-1, domains)
    if rails.size * (domains - 1) <= MOST_ROWS or hashed or not network.tiers:
        _check_pairs(rails)
        one, other = np.nonzero(~np.eye(domains, dtype=bool))
        return (phase(ranks, rails[:, one], rails[:, other], part * members, near_bytes=near_bytes),)
    each = ranks.cards.shape[1]
    cards = np.concatenate([ranks.cards[rails, j] for j in range(each)])
    flows = _by_leaves(network, cards, np.tile(ranks.domain[rails], (each, 1)), part * members / each)
    return (with_near(ranks, flows, near_bytes),)


def _check_pairs(groups: IntArray) -> None:
    pairs = groups.size * (groups.shape[1] - 1)
    if pairs > MOST_PAIRS:
        raise InfeasibleError(f"{pairs:,} messages one by one; at most {MOST_PAIRS:,}: use smaller groups, or direct")


def _same(domains: IntArray) -> int:
    """The most members of a group in one domain."""
    at = domains + np.arange(len(domains))[:, None] * (int(domains.max()) + 1)
    return int(np.unique(at, return_counts=True)[1].max())


def _by_leaves(network: Network, cards: IntArray, domains: IntArray, part: float) -> Flows:
    """Flows of `part` bytes between all cards of a group in different domains, counted by pairs of leaves.

    Rows from each card to its leaf and back, and from leaf to leaf, stand for as many flows as pass; a leaf stands for
    its likes in all planes. The time is exact where traffic is as even as here: the slowest of these rows is the
    slowest flow. Members of `cards` and `domains` are (G, n).
    """
    card, group = cards.ravel(), np.repeat(np.arange(len(cards)), cards.shape[1])
    _, block = np.unique(group * (int(domains.max()) + 1) + domains.ravel(), return_inverse=True)
    others = cards.shape[1] - np.bincount(block)[block]
    names, leaf = np.unique(leaves_of(network)[card], return_inverse=True)
    passing = _pairs(group, leaf, len(names)) - _pairs(block, leaf, len(names))
    np.fill_diagonal(passing, 0.0)  # what stays under one leaf takes the links of both cards only
    one, other = np.nonzero(passing > 0)
    found = (
        flows_of(names[one], names[other], part, passing[one, other].astype(np.int64)),
        flows_of(card, names[leaf], part, others),
        flows_of(names[leaf], card, part, others),
    )
    kept = np.concatenate([flows.members for flows in found]) > 0
    return Flows(
        **{
            column.name: np.concatenate([getattr(flows, column.name) for flows in found])[kept]
            for column in fields(Flows)
        }
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
