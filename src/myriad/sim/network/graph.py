"""A network as routing sees it: live links out of each vertex, ports of endpoints, and lengths of shortest paths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.sim.network.maxmin import entries_of
from myriad.spec.fabric import LINK_CLASSES

Bits = npt.NDArray[np.uint8]

FAR = 255
"""Length of a path that does not exist."""
_GLOBAL_LENGTH = 3
"""Of a link between groups, where others count 1: a minimal path of a Dragonfly crosses one such link between any two
local ones (Kim, Dally, Scott and Abts, ISCA 2008), though two global links in a row may be fewer hops."""
_CHUNK = 1 << 21
"""Links looked at in one pass of NumPy."""


@dataclass(frozen=True)
class Graph:
    """The part of a network that forwards: its switches, or all its endpoints where there are none (torus, direct).

    Nodes are numbered from 0: vertex `first + i` is node i. Directed links are numbered as in `Network`.
    """

    network: Network

    @cached_property
    def first(self) -> int:
        return self.network.num_endpoints if self.network.tiers else 0

    @property
    def num_nodes(self) -> int:
        return self.network.num_vertices - self.first

    @cached_property
    def _between(self) -> IntArray:
        """Links between nodes that are up."""
        network = self.network
        return np.flatnonzero((network.lower >= self.first) & (network.bytes_per_s > 0))

    @cached_property
    def out(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Live directed links between nodes by where they begin: starts (N + 1,), links, nodes at the end, lengths."""
        network, link = self.network, self._between
        tail = np.concatenate([network.lower[link], network.upper[link]]) - self.first
        head = np.concatenate([network.upper[link], network.lower[link]]) - self.first
        far = np.array([_GLOBAL_LENGTH if name == "global" else 1 for name in network.link_classes])
        length = np.tile(far[network.link_class[link]], 2)
        directed = np.concatenate([2 * link, 2 * link + 1])
        order = np.lexsort((directed, head, tail))
        starts = np.concatenate([[0], np.cumsum(np.bincount(tail, minlength=self.num_nodes))])
        return starts, directed[order], head[order], length[order]

    @cached_property
    def ports(self) -> tuple[IntArray, IntArray]:
        """Of endpoints: their links to switches, (E, P), -1 where one is down or missing, and the nodes behind these.

        Port j of an endpoint is its j-th link, that is, in plane j of those beside each other.
        """
        network = self.network
        link = np.flatnonzero(network.lower < self.first)
        link = link[np.argsort(network.lower[link], kind="stable")]
        endpoint = network.lower[link]
        starts = np.searchsorted(endpoint, np.arange(network.num_endpoints))
        port = np.arange(len(link)) - starts[endpoint]
        links = np.full((network.num_endpoints, int(port.max(initial=-1)) + 1), -1)
        links[endpoint, port] = link
        nodes = np.where(links >= 0, network.upper[links] - self.first, -1)
        return np.where((links >= 0) & (network.bytes_per_s[links] > 0), links, -1), nodes

    @property
    def planes(self) -> int:
        """Copies of the network that every endpoint is joined to."""
        return self.ports[0].shape[1] if self.network.tiers else 1

    @cached_property
    def fold(self) -> IntArray:
        """(N,) for each switch one number that its twins in other planes share: those of the same endpoints."""
        copies = int(self.network.switch_plane.max(initial=0)) + 1
        each = self.num_nodes // copies
        copy, position = np.divmod(np.arange(self.num_nodes), each)
        return np.asarray(copy // self.planes * each + position)

    @cached_property
    def twins(self) -> IntArray:
        """(folds, P) the switches of each fold, by plane."""
        return np.argsort(self.fold, kind="stable").reshape(-1, self.planes)

    @cached_property
    def targets(self) -> IntArray:
        """(N,) index into the second axis of `lengths`; -1 where no endpoint is joined to a switch."""
        index = np.full(self.num_nodes, -1)
        nodes = np.unique(self.ports[1]) if self.network.tiers else np.arange(self.num_nodes)
        nodes = nodes[nodes >= 0]
        index[nodes] = np.arange(len(nodes))
        return index

    @cached_property
    def is_tree(self) -> bool:
        """Whether it is a fat tree, where a path goes up, then down, and never up again."""
        classes = self.network.link_classes
        return bool(self.network.tiers) and classes == LINK_CLASSES["fat-tree"][: len(classes)]

    @cached_property
    def falls_to(self) -> IntArray:
        """For entries of `out` that lead down a fat tree, the tier where they end, else -1.

        From there the path falls on to a leaf, one link for each tier.
        """
        starts, _, heads, _ = self.out
        if not self.is_tree:
            return np.full(len(heads), -1)
        tier = self.network.switch_tier
        return np.where(tier[heads] < np.repeat(tier, np.diff(starts)), tier[heads], -1)

    @cached_property
    def lengths(self) -> npt.NDArray[np.uint8]:
        """(N, T) length of the shortest live path from a node to a target, `FAR` where there is none.

        Breadth first from all targets at once, a bit for each. In a fat tree what a switch reaches by going down alone
        comes first; a target at tier 0 is then as far as the switch's own tier.
        """
        starts, _, _, length = self.out
        node = np.flatnonzero(self.targets >= 0)
        num_targets = len(node)
        found = np.full((self.num_nodes, num_targets), FAR, np.uint8)
        found[node, self.targets[node]] = 0
        below = np.packbits(found == 0, axis=1)
        reached = [below.copy()]
        fixed_at = np.zeros(self.num_nodes, np.int64)
        falls = self.falls_to >= 0
        if self.is_tree:
            fixed_at = self.network.switch_tier
            for tier in range(1, len(self.network.tiers)):
                self._collect(below, falls & (np.repeat(fixed_at, np.diff(starts)) == tier), below)
        longest = int(length.max(initial=1))
        while len(reached) < FAR:
            now = reached[-1].copy()
            known = fixed_at == len(reached)
            now[known] |= below[known]
            for one in range(1, min(longest, len(reached)) + 1):
                self._collect(now, ~falls & (length == one), reached[-one])
            new = now & ~reached[-1]
            found[np.unpackbits(new, axis=1, count=num_targets).astype(bool)] = len(reached)
            reached.append(now)
            if len(reached) > max(longest, fixed_at.max()) and np.array_equal(reached[-1 - longest], now):
                break
        return found

    def _collect(
        self, into: npt.NDArray[np.uint8], entries: npt.NDArray[np.bool_], before: npt.NDArray[np.uint8]
    ) -> None:
        """Adds to each node what lies behind those of its links that count."""
        starts, _, heads, _ = self.out
        tail = np.repeat(np.arange(self.num_nodes), np.diff(starts))[entries]
        head = heads[entries]
        turn = np.arange(len(tail)) - np.searchsorted(tail, tail)
        order = np.argsort(turn, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(turn))])
        for low, high in pairwise(bounds.tolist()):
            into[tail[order[low:high]]] |= before[head[order[low:high]]]

    def onward(self, node: IntArray, index: IntArray) -> tuple[IntArray, IntArray]:
        """For pairs of node and target the entries of `out` that begin a shortest path, and where each pair's begin."""
        starts, _, heads, length = self.out
        degree = starts[node + 1] - starts[node]
        found: list[IntArray] = []
        count = np.zeros(len(node), np.int64)
        for part in _parts(degree):
            entry = entries_of(starts[node[part]], degree[part])
            row = np.repeat(np.arange(part.start, part.stop), degree[part])
            behind = self.lengths[heads[entry], index[row]]
            on = behind + length[entry] == self.lengths[node[row], index[row]]
            on &= (self.falls_to[entry] < 0) | (behind == self.falls_to[entry])
            found.append(entry[on])
            count[part] = np.bincount(row[on] - part.start, minlength=part.stop - part.start)
        return np.concatenate([[0], np.cumsum(count)]), np.concatenate(found)


def _parts(sizes: IntArray) -> list[slice]:
    """Slices of rows, each with about `_CHUNK` entries."""
    ends = np.cumsum(sizes)
    cuts = np.searchsorted(ends, np.arange(_CHUNK, int(ends[-1]), _CHUNK))
    bounds = np.unique(np.concatenate([[0], cuts, [len(sizes)]])).tolist()
    return [slice(low, high) for low, high in pairwise(bounds)]


def shares_of(total: Array, parts: Array) -> Array:
    """Parts over their total, 0 where it is 0."""
    return np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
