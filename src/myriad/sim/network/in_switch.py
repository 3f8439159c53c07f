"""Reductions in the switches: every card sends its bytes once up a tree of switches and receives the sum once."""

from __future__ import annotations

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import IntArray, Phase
from myriad.sim.network.ranks import NO_FLOWS, Ranks, flows_of, lanes, with_near


def in_switch_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float, network: Network) -> tuple[Phase, ...]:
    """As SHARP does it: 1/K of the bytes on each rail once up a tree of switches, summed where branches meet, and down.

    One tree for each rail of each group, from a switch of the top tier in turn; all its edges carry its bytes at once.
    Inside domains a reduce-scatter before and an all-gather after. Raises InfeasibleError if no switch reaches all.
    """
    if groups.shape[1] == 1:
        return ()
    by_domain = lanes(ranks, groups)
    _, domains, members = by_domain.shape
    near_bytes = 2 * bytes_ * (members - 1) / members
    if domains == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes),)
    rails = by_domain.transpose(0, 2, 1).reshape(-1, domains)
    each = ranks.cards.shape[1]
    trees = np.concatenate([ranks.cards[rails, j] for j in range(each)])
    switches = _Switches(network)
    edges = [switches.tree(cards, turn) for turn, cards in enumerate(trees)]
    lower, upper = (np.concatenate([edge[end] for edge in edges]) for end in (0, 1))
    part = bytes_ / members / each
    flows = flows_of(np.concatenate([lower, upper]), np.concatenate([upper, lower]), part)
    return (with_near(ranks, flows, near_bytes, steps=2.0 * len(network.tiers)),)


class _Switches:
    """Trees of switches by the root that they hang from; a tree is looked for once."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.parents: dict[int, IntArray] = {}
        self.top = network.switches(network.tiers[-1])
        self.lower = np.concatenate([network.lower, network.upper])
        self.upper = np.concatenate([network.upper, network.lower])

    def tree(self, cards: IntArray, turn: int) -> tuple[IntArray, IntArray]:
        """Edges, lower and upper ends, that join these cards to a root: the first from `turn` on that reaches all."""
        for offset in range(len(self.top)):
            parent = self.towards(int(self.top[(turn + offset) % len(self.top)]))
            if (parent[cards] < 0).any():
                continue
            at, found = np.unique(cards), []
            while len(at):
                above = parent[at]
                found.append((at[above != at], above[above != at]))
                at = np.unique(above[above != at])
            return np.concatenate([low for low, _ in found]), np.concatenate([high for _, high in found])
        raise InfeasibleError("no switch of the top tier reaches all cards of a group; reduce on each rail or plane")

    def towards(self, root: int) -> IntArray:
        """The next vertex towards the root, -1 where there is no way, the root for itself."""
        if root not in self.parents:
            parent = np.full(self.network.num_vertices, -1)
            parent[root], reached = root, np.array([root])
            while len(reached):
                new = np.zeros(self.network.num_vertices, bool)
                new[reached] = True
                step = new[self.upper] & (parent[self.lower] < 0)
                # Cards pass nothing on.
                step &= self.upper >= self.network.num_endpoints
                parent[self.lower[step]] = self.upper[step]
                reached = np.unique(self.lower[step])
            self.parents[root] = parent
        return self.parents[root]
