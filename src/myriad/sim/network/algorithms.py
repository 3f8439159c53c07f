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


def phases_of(
    collective: str,
    algorithm: str,
    ranks: Ranks,
    groups: IntArray,
    bytes_: float,
    network: Network,
    hashed: bool = False,
) -> tuple[Phase, ...]:
    """The phases of a collective of `spec.traffic.ALGORITHMS`, run by all groups side by side.

    `hashed` says that flows find their ways by ECMP, see `direct_all_to_all`.
    """
    match collective, algorithm:
        case "all-reduce", "in-switch":
            return in_switch_all_reduce(ranks, groups, bytes_, network)
        case "all-to-all", "direct":
            return direct_all_to_all(ranks, groups, bytes_, network, hashed)
        case "all-to-all", "hierarchical":
            return hierarchical_all_to_all(ranks, groups, bytes_, network, hashed)
        case _:
            return _ON_RANKS[collective, algorithm](ranks, groups, bytes_)
