"""The fabric of a plan as Slurm describes networks, and where the ranks of a job came to lie on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myriad.launch.training.schedulers.placement import GROUPS
from myriad.spec.layout import Layout


def scattered(nodes: int) -> list[int]:
    """Nodes in the order of their cables, which names and numbers need not follow: every 7th, over and over."""
    return [one for first in range(7) for one in range(first, nodes, 7)]


def switch_tree(names: Sequence[str], nodes_per_group: Sequence[int]) -> str:
    """topology.conf: a switch for each group of each size, nearest first, and one over all.

    >>> print(switch_tree(["a", "b", "c"], [2]))
    SwitchName=t0-0 Nodes=a,b
    SwitchName=t0-1 Nodes=c
    SwitchName=core Switches=t0-0,t0-1
    """
    lines, below, covered, key = [], list(names), 1, "Nodes"
    for tier, size in enumerate([*nodes_per_group, 0]):
        each = size // covered if size else len(below)
        made = []
        for first in range(0, len(below), each):
            made.append(f"t{tier}-{first // each}" if size else "core")
            lines.append(f"SwitchName={made[-1]} {key}={','.join(below[first : first + each])}")
        below, covered, key = made, size, "Switches"
    return "\n".join(lines)


def leaf_of_each(nodes: Sequence[int], nodes_per_leaf: int) -> dict[int, int]:
    """The leaf of each node, by number, of `switch_tree` over nodes in this order."""
    return {node: place // nodes_per_leaf for place, node in enumerate(nodes)}


def groups_under_one_leaf(layout: Layout, leaf_of_rank: np.ndarray) -> dict[str, tuple[int, int]]:
    """By what ranks are joined for: groups under one leaf, of how many."""
    found = {}
    for name, groups in GROUPS.items():
        leaves = leaf_of_rank[groups(layout)]
        if leaves.shape[1] > 1:
            found[name] = int((leaves == leaves[:, :1]).all(axis=1).sum()), len(leaves)
    return found
