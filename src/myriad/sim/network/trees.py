"""Binary trees over the members of a group: the parent of each, -1 at the root."""

from __future__ import annotations

import numpy as np

from myriad.sim.network.flows import IntArray


def binary_tree(size: int) -> IntArray:
    """Parents in the binary tree by lowest set bits, (size,): odd members are leaves, 0 is the root.

    As NCCL's `ncclGetBtree`: depth at most log2(size) + 1.

    >>> binary_tree(7).tolist()
    [-1, 2, 4, 2, 0, 6, 4]
    """
    member = np.arange(size)
    bit = member & -member
    parent = (member ^ bit) | (bit << 1)
    parent = np.where(parent >= size, member ^ bit, parent)
    parent[0] = -1
    return parent


def double_binary_tree(size: int) -> tuple[IntArray, IntArray]:
    """Two trees of which each carries half: a member with children in one has none in the other.

    The second is the first mirrored, or shifted by one where the size is odd (Sanders, Speck and Traeff, Parallel
    Computing 35, 2009; NCCL's `ncclGetDtree`).
    """
    one = binary_tree(size)
    if size % 2:
        shifted = np.roll(one, 1)
        return one, np.where(shifted >= 0, (shifted + 1) % size, -1)
    mirrored = one[::-1]
    return one, np.where(mirrored >= 0, size - 1 - mirrored, -1)


def depth(parent: IntArray) -> int:
    """Edges from the root to the farthest member."""
    found, at = 0, parent
    while (at >= 0).any():
        found += 1
        at = np.where(at >= 0, parent[at], -1)
    return found
