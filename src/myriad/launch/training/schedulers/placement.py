"""Which nodes have to lie close together for ranks to meet over the links that were planned for them."""

from __future__ import annotations

from typing import Final

import numpy as np

from myriad.estimate.rank_groups import (
    context_groups,
    expert_groups,
    expert_replica_groups,
    rank_grid,
    replica_groups,
    tensor_groups,
)
from myriad.spec.layout import IntArray, Layout
from myriad.spec.training_launch import TrainingLaunch


def pipeline_groups(layout: Layout) -> IntArray:
    """The stages of each replica, (G, pp)."""
    return np.ascontiguousarray(rank_grid(layout).reshape(layout.pp, -1).T)


GROUPS: Final = {
    "tensor": tensor_groups,
    "context": context_groups,
    "expert": expert_groups,
    "data": replica_groups,
    "expert data": expert_replica_groups,
    "pipeline": pipeline_groups,
}
"""What ranks are joined for."""


def units(launch: TrainingLaunch) -> tuple[int, ...]:
    """Numbers of consecutive nodes that hold whole groups of ranks and fit under one switch, the most first.

    The estimate lays consecutive ranks on consecutive accelerators, and counts the members of a group as near to each
    other as they then are. So nodes are taken in such numbers from each leaf, and what is left over there comes last.
    """
    if not launch.nodes_per_group:
        return ()
    leaf = launch.nodes_per_group[0]
    found = {_block(groups(launch.layout) // launch.gpus_per_node, launch.nodes) for groups in GROUPS.values()}
    return tuple(sorted((one for one in found if 1 < one <= leaf), reverse=True))


def leaves(launch: TrainingLaunch) -> int | None:
    """The fewest leaves that hold all nodes of the job, spares too; `None` where nothing is known of the network."""
    return -(-(launch.nodes + launch.spare_nodes) // launch.nodes_per_group[0]) if launch.nodes_per_group else None


def _block(node_of: IntArray, nodes: int) -> int:
    """The fewest nodes such that, cut into blocks of so many, no group lies in two; `node_of` is (G, members)."""
    least = int((node_of.max(axis=1) - node_of.min(axis=1)).max()) + 1
    fitting = (one for one in range(least, nodes) if nodes % one == 0)
    return next((one for one in fitting if (node_of // one == node_of[:, :1] // one).all()), nodes)
