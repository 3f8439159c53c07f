"""Which scale-up domain each run of ranks gets: in the fabric's order, spread, at random, or near each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import IntArray
from myriad.sim.network.leaves import leaves_of


def units_of(network: Network, cards_per_domain: int) -> IntArray:
    """Leaf of the first card of each domain, (D,): domains of one number share their leaves (a scalable unit)."""
    return leaves_of(network)[::cards_per_domain]


def pods_of(network: Network, cards_per_domain: int) -> IntArray:
    """Pod or group of each domain, (D,)."""
    return network.switch_group[units_of(network, cards_per_domain) - network.num_endpoints]


def packed(free: IntArray) -> IntArray:
    """Free domains in the fabric's order: neighbours in rank order are neighbours in the fabric."""
    return np.sort(free)


def spread(free: IntArray, units: IntArray) -> IntArray:
    """One domain of each unit in turn: neighbours in rank order share no leaf.

    >>> spread(np.arange(6), np.array([0, 0, 0, 1, 1, 1])).tolist()
    [0, 3, 1, 4, 2, 5]
    """
    free = np.sort(free)
    turn, _ = _turns(units[free])
    return free[np.lexsort((units[free], turn))]


def shuffled(free: IntArray, seed: int) -> IntArray:
    """Free domains at random."""
    return np.random.default_rng(seed).permutation(np.sort(free))


def some_free(num_domains: int, needed: int, seed: int) -> IntArray:
    """Domains that a busy cluster happens to have free, in the fabric's order: drawn at random."""
    return np.sort(np.random.default_rng(seed).permutation(num_domains)[:needed])


def near(free: IntArray, needed: int, levels: Sequence[IntArray], block: int) -> IntArray:
    """So many free domains, in an order that spreads each block of `block` domains over few units.

    `levels` are units of domains from the nearest on (leaves, then pods); `block` is what the heaviest groups of a job
    span. Whole blocks within a leaf come first; what leaves then have over is joined to blocks within pods, the largest
    pieces first, each with the largest that still fits; then to blocks anywhere. A heuristic: nothing says that no
    better order exists.
    """
    pieces = [np.array([domain]) for domain in np.sort(free)]
    order: list[IntArray] = []
    for level in (*levels, np.zeros_like(levels[0])):
        units: dict[int, list[IntArray]] = {}
        for piece in pieces:
            units.setdefault(int(level[piece[0]]), []).append(piece)
        pieces = []
        for inside in units.values():
            whole, left = _blocks(inside, block)
            order += whole
            pieces += left
    return np.concatenate([*order, *pieces])[:needed]


def _blocks(pieces: list[IntArray], block: int) -> tuple[list[IntArray], list[IntArray]]:
    """Blocks put together from pieces that are smaller, and what is left over, in one piece."""
    waiting = sorted(pieces, key=len, reverse=True)
    whole: list[IntArray] = []
    while sum(len(piece) for piece in waiting) >= block:
        filled, missing = [waiting.pop(0)], block
        missing -= len(filled[0])
        while missing:
            at = next((i for i, piece in enumerate(waiting) if len(piece) <= missing), len(waiting) - 1)
            piece = waiting.pop(at)
            filled.append(piece[:missing])
            if len(piece) > missing:
                waiting.append(piece[missing:])
                waiting.sort(key=len, reverse=True)
            missing -= len(filled[-1])
        whole.append(np.concatenate(filled))
    return whole, [np.concatenate(waiting)] if waiting else []


def _turns(units: IntArray) -> tuple[IntArray, IntArray]:
    """Place of each within its unit, from 0 on, and how many the unit has."""
    _, unit, counts = np.unique(units, return_inverse=True, return_counts=True)
    order = np.argsort(unit, kind="stable")
    turn = np.empty(len(units), np.int64)
    turn[order] = np.arange(len(units)) - np.repeat(np.cumsum(counts) - counts, counts)
    return turn, counts[unit]
