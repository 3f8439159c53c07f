"""Where a job goes: each function finds nodes for so many accelerators, or says that there are none.

A placement is a function `(nodes, need, allowed) -> nodes` with `allowed` as bits. A job that needs at most a node gets
one node with so many free; a larger one gets whole nodes. They look at what is free and take nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from myriad.sim.jobs.nodes import Nodes

Placement: TypeAlias = Callable[[Nodes, int, int], "list[int] | None"]


def first_fit(nodes: Nodes, need: int, allowed: int) -> list[int] | None:
    """The lowest numbers that will do."""
    if need > nodes.per_node:
        return lowest(nodes, -(-need // nodes.per_node), allowed)
    found = 0
    for mask in nodes.with_free[need:]:
        found |= mask
    found &= allowed
    return [_lowest(found)] if found else None


def packed(nodes: Nodes, need: int, allowed: int) -> list[int] | None:
    """The node that keeps least free afterwards; whole nodes by number."""
    if need > nodes.per_node:
        return lowest(nodes, -(-need // nodes.per_node), allowed)
    with_free = nodes.with_free
    for free in range(need, nodes.per_node + 1):
        found = with_free[free] & allowed
        if found:
            return [_lowest(found)]
    return None


def spread(nodes: Nodes, need: int, allowed: int) -> list[int] | None:
    """The node with most free; whole nodes from as many leaves as there are, in turn."""
    if need <= nodes.per_node:
        for free in range(nodes.per_node, need - 1, -1):
            found = nodes.with_free[free] & allowed
            if found:
                return [_lowest(found)]
        return None
    wanted = -(-need // nodes.per_node)
    empty = nodes.with_free[-1] & allowed
    if empty.bit_count() < wanted:
        return None
    taken: list[int] = []
    while True:
        for mask in nodes.of_leaf:
            found = empty & mask
            if found:
                node = _lowest(found)
                empty ^= nodes.bit[node]
                taken.append(node)
                if len(taken) == wanted:
                    return taken


def fewest_leaves(nodes: Nodes, need: int, allowed: int) -> list[int] | None:
    """As few leaf switches as there can be, and of those the ones with least left over.

    Up to a node: packed, and an empty node is broken into where its leaf has fewest empty ones. Whole nodes: the leaf
    with the least sufficient number of empty ones; where no leaf has enough, those with most first, which spans the
    fewest, and the rest again from the one that it fits best.
    """
    if need > nodes.per_node:
        return _whole_nodes_in_fewest_leaves(nodes, -(-need // nodes.per_node), allowed)
    with_free = nodes.with_free
    for free in range(need, nodes.per_node):
        found = with_free[free] & allowed
        if found:
            return [_lowest(found)]
    return _whole_nodes_in_fewest_leaves(nodes, 1, allowed)


def _whole_nodes_in_fewest_leaves(nodes: Nodes, wanted: int, allowed: int) -> list[int] | None:
    empty = nodes.with_free[-1] & allowed
    if not empty or empty.bit_count() < wanted:
        return None
    if allowed == nodes.everywhere:
        counts = nodes.empty_in_leaf.copy()
    else:
        counts = [(empty & mask).bit_count() for mask in nodes.of_leaf]
    taken: list[int] = []
    while True:
        left = wanted - len(taken)
        best = min((count for count in counts if count >= left), default=None)
        leaf = counts.index(max(counts) if best is None else best)
        found = empty & nodes.of_leaf[leaf]
        for _ in range(min(left, counts[leaf])):
            bit = found & -found
            found ^= bit
            taken.append(bit.bit_length() - 1)
        if best is not None:
            return taken
        counts[leaf] = 0


def lowest(nodes: Nodes, wanted: int, allowed: int) -> list[int] | None:
    """Empty nodes by number, as many as wanted."""
    found = nodes.with_free[-1] & allowed
    if found.bit_count() < wanted:
        return None
    taken = []
    for _ in range(wanted):
        bit = found & -found
        found ^= bit
        taken.append(bit.bit_length() - 1)
    return taken


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1
