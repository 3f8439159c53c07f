"""Packet spraying over networks that are no trees: a flow is split evenly, hop by hop, over its few shortest paths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.sim.network.flows import Flows
from myriad.sim.network.graph import FAR, Graph
from myriad.sim.network.maxmin import entries_of
from myriad.sim.network.paths import Paths, compressed, demand_ends, no_path, outside


class MinimalRouter:
    """Splits each flow in fixed shares over all its shortest live paths; resources are directed links.

    At each node equal shares go to all live links that begin a shortest path. That is what oblivious spraying does.
    Adaptive routing would move traffic from full links to others, by longer ways too, and can be better.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.graph = Graph(network)

    def paths(self, flows: Flows) -> Paths:
        """One row per message, over the links of all its paths."""
        network, graph = self.network, self.graph
        demand_ends(network, flows)
        source, target = flows.source, flows.target
        inside = ~outside(network, source, target)
        up, first = self._port(source, target, inside)
        down, last = self._port(target, source, inside)
        index = graph.targets[last]
        lost = inside & (graph.lengths[first, index] == FAR)
        if lost.any():
            row = int(np.argmax(lost))
            no_path(network, int(source[row]), int(target[row]))
        ways = np.where(inside & (first != last), first * graph.lengths.shape[1] + index, -1)
        codes, pair = np.unique(ways, return_inverse=True)
        starts, links, share = self._split(codes)
        count = np.diff(starts)[pair]
        ports = (up >= 0).astype(np.int64), (down >= 0).astype(np.int64)
        indptr = np.concatenate([[0], np.cumsum(ports[0] + count + ports[1])])
        resource = np.empty(indptr[-1], np.int64)
        weight = np.ones(indptr[-1])
        resource[indptr[:-1][up >= 0]] = 2 * up[up >= 0]
        resource[indptr[1:][down >= 0] - 1] = 2 * down[down >= 0] + 1
        place, entry = entries_of(indptr[:-1] + ports[0], count), entries_of(starts[pair], count)
        resource[place] = links[entry]
        weight[place] = share[entry]
        number, used = compressed(resource, 2 * network.num_links)
        return Paths(
            members=flows.members.astype(np.float64),
            bytes_=flows.bytes_,
            indptr=indptr,
            resource=number,
            weight=weight,
            codes=used,
            capacity=network.bytes_per_s[used >> 1],
        )

    def link_bytes(self, codes: IntArray, bytes_: Array) -> Array:
        """(2 L,) bytes on each directed link."""
        return np.bincount(codes, bytes_, 2 * self.network.num_links).astype(np.float64)

    def _port(self, vertex: IntArray, other: IntArray, inside: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
        """The link from an endpoint to its switch, -1 where there is none, and the node where it ends."""
        network, graph = self.network, self.graph
        if not network.tiers:
            return np.full(len(vertex), -1), vertex
        links, nodes = graph.ports
        endpoint = vertex < network.num_endpoints
        own = np.where(endpoint, vertex, 0)
        link = np.where(endpoint & inside, links[own, 0], -1)
        cut = endpoint & inside & (link < 0)
        if cut.any():
            row = int(np.argmax(cut))
            no_path(network, int(vertex[row]), int(other[row]))
        return link, np.where(endpoint, nodes[own, 0], vertex - graph.first)

    def _split(self, codes: IntArray) -> tuple[IntArray, IntArray, Array]:
        """For pairs of nodes where each begins in the arrays that follow: directed links, and the share on each."""
        graph = self.graph
        _, links, heads, _ = graph.out
        num_targets = graph.lengths.shape[1]
        pair = np.flatnonzero(codes >= 0)
        node, index = np.divmod(codes[pair], num_targets)
        share = np.ones(len(pair))
        pairs: list[IntArray] = []
        taken: list[IntArray] = []
        shares: list[Array] = []
        while len(pair):
            first, entries = graph.onward(node, index)
            count = np.diff(first)
            entry = entries[entries_of(first[:-1], count)]
            pair, index = np.repeat(pair, count), np.repeat(index, count)
            share = np.repeat(share / count, count)
            pairs.append(pair)
            taken.append(links[entry])
            shares.append(share)
            node = heads[entry]
            going = graph.targets[node] != index
            state, number = np.unique(pair[going] * graph.num_nodes + node[going], return_inverse=True)
            share = np.bincount(number, share[going], len(state)).astype(np.float64)
            where = np.empty(len(state), np.int64)
            where[number] = index[going]
            pair, node = np.divmod(state, graph.num_nodes)
            index = where
        of = np.concatenate([*pairs, np.zeros(0, np.int64)])
        order = np.argsort(of, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=len(codes)))])
        return (
            starts,
            np.concatenate([*taken, np.zeros(0, np.int64)])[order],
            np.concatenate([*shares, np.zeros(0)])[order],
        )
