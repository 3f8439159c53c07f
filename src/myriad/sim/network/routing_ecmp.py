"""ECMP: each flow takes one shortest path, hop by hop, as its hash says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.sim.compiled import COMPILES
from myriad.sim.network.choosing import chosen
from myriad.sim.network.flows import Flows
from myriad.sim.network.graph import FAR, Graph
from myriad.sim.network.maxmin import entries_of
from myriad.sim.network.paths import Paths, compressed, demand_ends, no_path, outside

Hash = npt.NDArray[np.uint64]

MOST_ROWS = 1 << 23
"""Flows with a hash of their own in one set; these take some 2 GB."""


class EcmpRouter:
    """Puts each flow on one of the shortest live paths; resources are directed links.

    A flow has a hash of its source, target, number among the `flows_per_pair` (and members) of its row, and the seed.
    At each hop it takes the one of the live links that begin a shortest live path which the hash selects, parallel
    links one by one; a port of the card, and with it the plane, is chosen first. So switches hash independently of each
    other (no polarisation), and rows of the same source and target go the same way.
    """

    def __init__(self, network: Network, flows_per_pair: int = 1, seed: int = 0) -> None:
        self.network = network
        self.graph = Graph(network)
        self.flows_per_pair = flows_per_pair
        self.seed = seed

    def paths(self, flows: Flows) -> Paths:
        """One row per flow; of each message, an equal part on each of its flows."""
        demand_ends(self.network, flows)
        each = flows.members * self.flows_per_pair
        total = int(each.sum())
        if total > MOST_ROWS:
            raise InfeasibleError(
                f"{total:,} flows with a hash of their own; at most {MOST_ROWS:,} at once: use fewer flows per pair, "
                "sample the rounds, or spray"
            )
        flow = np.repeat(np.arange(len(flows)), each)
        number = entries_of(np.zeros(len(flows), np.int64), each)
        source, target = flows.source[flow], flows.target[flow]
        key = mixed(source)
        for part in (target, number, np.full(1, self.seed)):
            key = mixed(key + part.astype(np.uint64))
        hops = self.hops(source, target, key)
        taken = hops >= 0
        resource, codes = compressed(hops[taken], 2 * self.network.num_links)
        return Paths(
            members=np.ones(total),
            bytes_=flows.bytes_[flow] / self.flows_per_pair,
            indptr=np.concatenate([[0], np.cumsum(taken.sum(axis=1))]),
            resource=resource,
            weight=None,
            codes=codes,
            capacity=self.network.bytes_per_s[codes >> 1],
        )

    def link_bytes(self, codes: IntArray, bytes_: Array) -> Array:
        """(2 L,) bytes on each directed link."""
        return np.bincount(codes, bytes_, 2 * self.network.num_links).astype(np.float64)

    def hops(self, source: IntArray, target: IntArray, key: Hash) -> IntArray:
        """(rows, hops) directed links, -1 where there is none."""
        graph = self.graph
        inside = ~outside(self.network, source, target)
        columns: list[IntArray] = []
        if self.network.tiers:
            from_link, node = self._port(source, target, key, inside)
            to_link, goal = self._port(target, source, key, inside)
            columns.append(np.where(from_link >= 0, 2 * from_link, -1))
            last = np.where(to_link >= 0, 2 * to_link + 1, -1)
        else:
            node, goal, last = source.copy(), target, np.full(len(source), -1)
        node = np.where(inside, node, goal)
        index = graph.targets[goal]
        hop = 1
        while (going := np.flatnonzero(node != goal)).size:
            lost = graph.lengths[node[going], index[going]] == FAR
            if lost.any():
                row = going[np.argmax(lost)]
                no_path(self.network, int(source[row]), int(target[row]))
            link, node[going] = self._next(node[going], index[going], mixed(key[going] + np.uint64(hop)))
            column = np.full(len(source), -1)
            column[going] = link
            columns.append(column)
            hop += 1
        return np.stack([*columns, last], axis=1)

    def _port(
        self, vertex: IntArray, other: IntArray, key: Hash, inside: npt.NDArray[np.bool_]
    ) -> tuple[IntArray, IntArray]:
        """The link from an endpoint to its switch, -1 where the vertex is a switch, and the switch as a node.

        Of all ports, that is planes, those count over which the path is shortest; the hash takes one. Called from
        either end it takes the same.
        """
        nodes, links = self._candidates(vertex)
        if self.graph.planes == 1:
            chosen = np.zeros(len(vertex), np.int64)
            cut = inside & (nodes[:, 0] < 0)
            if cut.any():
                row = int(np.argmax(cut))
                no_path(self.network, int(vertex[row]), int(other[row]))
        else:
            others, _ = self._candidates(other)
            goal = self.graph.targets[others]
            length = np.where((nodes >= 0) & (others >= 0), self.graph.lengths[nodes, goal], FAR)
            shortest = length.min(axis=1)
            if (cut := inside & (shortest == FAR)).any():
                row = int(np.argmax(cut))
                no_path(self.network, int(vertex[row]), int(other[row]))
            open_ = length == shortest[:, None]
            rank = (mixed(key) % open_.sum(axis=1).astype(np.uint64)).astype(np.int64)
            chosen = np.argmax(np.cumsum(open_, axis=1) > rank[:, None], axis=1)
        every = np.arange(len(vertex))
        return np.where(inside, links[every, chosen], -1), nodes[every, chosen]

    def _candidates(self, vertex: IntArray) -> tuple[IntArray, IntArray]:
        """(rows, P) for each plane the switch of a vertex (a switch stands for its twins) and the link to it.

        Switches are -1 where the link to it is down, links also where the vertex is a switch itself.
        """
        graph = self.graph
        links, nodes = graph.ports
        endpoint = vertex < self.network.num_endpoints
        own = np.where(endpoint, vertex, 0)
        twins = graph.twins[graph.fold[np.where(endpoint, 0, vertex - graph.first)]]
        up = links[own]
        node = np.where(up >= 0, nodes[own], -1)
        return np.where(endpoint[:, None], node, twins), np.where(endpoint[:, None], up, -1)

    def _next(self, node: IntArray, index: IntArray, key: Hash) -> tuple[IntArray, IntArray]:
        """The directed link that each flow takes next, and the node behind it."""
        graph = self.graph
        starts, links, heads, length = graph.out
        if COMPILES:
            entry = chosen(node, index, key, starts, heads, length, graph.lengths, graph.falls_to)
        else:
            num_targets = graph.lengths.shape[1]
            pair, codes = compressed(node * num_targets + index, graph.num_nodes * num_targets)
            first, open_ = graph.onward(*np.divmod(codes, num_targets))
            count = np.diff(first)[pair].astype(np.uint64)
            entry = open_[first[pair] + (key % count).astype(np.int64)]
        return links[entry], heads[entry]


def mixed(number: npt.NDArray[np.integer]) -> Hash:
    """A hash of 64 bits (splitmix64 of Steele, Lea and Flood, OOPSLA 2014)."""
    bits = np.asarray(number).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
