"""Which ranks of a layout form which groups."""

from __future__ import annotations

import numpy as np

from myriad.spec.layout import IntArray, Layout


def rank_grid(layout: Layout) -> IntArray:
    """The ranks by pipeline stage, data, context and tensor parallel place, (pp, dp, cp, tp), by the layout's order.

    >>> rank_grid(Layout(tp=2, pp=2, dp=2))[:, :, 0, 0].tolist()
    [[0, 2], [4, 6]]
    """
    ranks = np.arange(layout.world_size)
    if layout.order == "tp-cp-ep-pp-dp":
        return ranks.reshape(layout.dp, layout.pp, layout.cp, layout.tp).transpose(1, 0, 2, 3)
    return ranks.reshape(layout.pp, layout.dp, layout.cp, layout.tp)


def expert_grid(layout: Layout) -> IntArray:
    """The ranks by stage, copy of the experts, expert and expert-tensor parallel place, (pp, copies, ep, etp)."""
    return rank_grid(layout).reshape(layout.pp, -1, layout.ep, layout.etp)


def tensor_groups(layout: Layout) -> IntArray:
    """All tensor parallel groups, (G, tp)."""
    return rank_grid(layout).reshape(-1, layout.tp)


def context_groups(layout: Layout) -> IntArray:
    """All context parallel groups, (G, cp)."""
    return np.ascontiguousarray(rank_grid(layout).swapaxes(2, 3)).reshape(-1, layout.cp)


def expert_groups(layout: Layout) -> IntArray:
    """All groups that exchange tokens among experts, (G, ep)."""
    return np.ascontiguousarray(expert_grid(layout).swapaxes(2, 3)).reshape(-1, layout.ep)


def replica_groups(layout: Layout) -> IntArray:
    """All groups that hold the same dense parameters, (G, dp cp)."""
    grid = rank_grid(layout).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(grid).reshape(-1, layout.dp * layout.cp)


def expert_replica_groups(layout: Layout) -> IntArray:
    """All groups that hold the same experts, (G, copies)."""
    grid = expert_grid(layout).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(grid).reshape(-1, grid.shape[-1])


def stage_pairs(layout: Layout) -> IntArray:
    """Each rank and its like on the next stage, (G, 2); the last stage's next is the first where chunks go round."""
    grid = rank_grid(layout).reshape(layout.pp, -1)
    following = np.roll(grid, -1, axis=0)
    stages = layout.pp if layout.vpp > 1 else layout.pp - 1
    return np.stack([grid[:stages].ravel(), following[:stages].ravel()], axis=1)


def parted(groups: IntArray, shard: int) -> tuple[IntArray, IntArray]:
    """Groups of neighbours that share one sharded copy, (G, shard), and of those with the same shard, (G, copies)."""
    size = groups.shape[1]
    by_copy = groups.reshape(len(groups), size // shard, shard)
    return by_copy.reshape(-1, shard), np.ascontiguousarray(by_copy.swapaxes(1, 2)).reshape(-1, size // shard)
