"""The phases of any collective by name, and what its bus bandwidth is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from myriad.estimate.fabric.network import Network
from myriad.sim.network import collectives
from myriad.sim.network.all_to_all import direct_all_to_all, hierarchical_all_to_all, pairwise_all_to_all
from myriad.sim.network.flows import IntArray, Phase
from myriad.sim.network.in_switch import in_switch_all_reduce
from myriad.sim.network.ranks import Ranks

_ON_RANKS: Final[dict[tuple[str, str], Callable[[Ranks, IntArray, float], tuple[Phase, ...]]]] = {
    ("all-reduce", "hierarchical"): collectives.hierarchical_all_reduce,
    ("all-reduce", "ring"): collectives.ring_all_reduce,
    ("all-reduce", "tree"): collectives.tree_all_reduce,
    ("all-reduce", "double-binary-tree"): collectives.double_tree_all_reduce,
    ("all-reduce", "halving-doubling"): collectives.halving_doubling_all_reduce,
    ("all-gather", "hierarchical"): collectives.hierarchical_all_gather,
    ("all-gather", "ring"): collectives.ring_all_gather,
    ("all-gather", "doubling"): collectives.doubling_all_gather,
    ("reduce-scatter", "hierarchical"): collectives.hierarchical_reduce_scatter,
    ("reduce-scatter", "ring"): collectives.ring_reduce_scatter,
    ("reduce-scatter", "halving"): collectives.halving_reduce_scatter,
    ("all-to-all", "pairwise"): pairwise_all_to_all,
    ("broadcast", "chain"): collectives.chain_broadcast,
    ("broadcast", "tree"): collectives.tree_broadcast,
    ("broadcast", "double-binary-tree"): collectives.double_tree_broadcast,
    ("send-recv", "direct"): collectives.send_recv,
}
_ON_NETWORK: Final[dict[tuple[str, str], Callable[[Ranks, IntArray, float, Network], tuple[Phase, ...]]]] = {
    ("all-reduce", "in-switch"): in_switch_all_reduce,
    ("all-to-all", "direct"): direct_all_to_all,
    ("all-to-all", "hierarchical"): hierarchical_all_to_all,
}


def phases_of(
    collective: str, algorithm: str, ranks: Ranks, groups: IntArray, bytes_: float, network: Network
) -> tuple[Phase, ...]:
    """The phases of a collective of `spec.traffic.ALGORITHMS`, run by all groups side by side."""
    if (collective, algorithm) in _ON_RANKS:
        return _ON_RANKS[collective, algorithm](ranks, groups, bytes_)
    return _ON_NETWORK[collective, algorithm](ranks, groups, bytes_, network)


def bus_factor(collective: str, size: int) -> float:
    """Bus bandwidth over algorithm bandwidth for a group of `size`, as nccl-tests define them.

    Source: PERFORMANCE.md of nccl-tests.
    """
    if collective in ("broadcast", "send-recv"):
        return 1.0
    share = (size - 1) / size
    return 2.0 * share if collective == "all-reduce" else share
