"""Packet spraying over fat trees: a flow uses all links of a tier at once, as much of each as is free."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.sim.network.flows import Flows
from myriad.sim.network.graph import Graph, shares_of
from myriad.sim.network.maxmin import Mask
from myriad.sim.network.paths import Paths, compressed, demand_ends, no_path, outside

_SAME = 1e-9
_CHUNK = 1 << 16


class SprayRouter:
    """Lays flows over bundles: all live links from a leaf to its spines, from a pod to the cores, and likewise down.

    What the bundles of all planes carry counts together. That is exact where every leaf reaches all spines of its pod
    with the same bandwidth and every spine all cores of its group: an even split over the paths then reaches whatever
    the bundles allow. Where damage or uneven wiring makes links unequal, it is an upper bound, as if adaptive routing
    moved all traffic to wherever it fits. One more bundle then stands for each pair of leaves (and of pods), with the
    sum over their common spines (cores) of the lesser of the bandwidths up and down, so that no pair gets more than
    it could alone; what several pairs take from one link together may still be too much. How far that lies from the
    best split that exists is measured in tests/validation/test_spray_oracle.py.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.graph = Graph(network)

    @cached_property
    def _pod(self) -> IntArray:
        """(folds,) pod of a leaf or spine, by rails and group; the same for all in one and two tiers."""
        graph, network = self.graph, self.network
        group = network.switch_group[graph.twins[:, 0]]
        rails = network.switch_plane[graph.twins[:, 0]] // graph.planes
        return np.asarray(rails * (int(group.max()) + 1) + np.maximum(group, 0))

    @cached_property
    def _bundle(self) -> tuple[IntArray, int]:
        """(L,) the bundle of a link towards cores, and how many there are; the one down has a number so much higher.

        Endpoints first, then leaves, then pods.
        """
        graph, network = self.graph, self.network
        folds = len(graph.twins)
        below = np.where(network.link_class == 0, 0, network.lower - graph.first)
        fold = graph.fold[below]
        by_class = np.stack(
            [network.lower, network.num_endpoints + fold, network.num_endpoints + folds + self._pod[fold]]
        )
        count = network.num_endpoints + folds + int(self._pod.max()) + 1
        return by_class[network.link_class, np.arange(network.num_links)], count

    @cached_property
    def _bandwidth(self) -> Array:
        """(bundles,) of each, one way."""
        bundle, count = self._bundle
        return np.bincount(bundle, self.network.bytes_per_s, count).astype(np.float64)

    @cached_property
    def _leaf_links(self) -> Array:
        """(folds, planes x spines of a pod) bandwidth from each leaf to each spine."""
        return self._table(1, self.graph.fold)

    @cached_property
    def _core_links(self) -> Array:
        """(pods, planes x spines of a pod, cores of a group) bandwidth."""
        network, graph = self.network, self.graph
        link = np.flatnonzero(network.link_class == 2)
        spine = network.lower[link] - graph.first
        core = network.upper[link] - graph.first
        column = self._spine_column
        cores = np.unique(core)
        group = np.empty(graph.num_nodes, np.int64)
        group[core] = column[spine]  # a core joins the spines of one column
        order = cores[np.lexsort((cores, group[cores]))]
        rank = np.empty(graph.num_nodes, np.int64)
        first = np.searchsorted(group[order], group[order])
        rank[order] = np.arange(len(order)) - first
        table = np.zeros((int(self._pod.max()) + 1, int(column.max()) + 1, int(rank[order].max(initial=0)) + 1))
        np.add.at(table, (self._pod[graph.fold[spine]], column[spine], rank[core]), network.bytes_per_s[link])
        return table

    @cached_property
    def _spine_column(self) -> IntArray:
        """(N,) of a spine its number within the pod, over all planes."""
        network, graph = self.network, self.graph
        column = np.full(graph.num_nodes, -1)
        spine = np.flatnonzero(network.switch_tier == 1)
        pod = self._pod[graph.fold[spine]]
        order = np.lexsort((spine, pod))
        first = np.searchsorted(pod[order], pod[order])
        column[spine[order]] = np.arange(len(spine)) - first
        return column

    def _table(self, link_class: int, row: IntArray) -> Array:
        network, graph = self.network, self.graph
        link = np.flatnonzero(network.link_class == link_class)
        lower, upper = network.lower[link] - graph.first, network.upper[link] - graph.first
        table = np.zeros((len(graph.twins), int(self._spine_column.max()) + 1))
        np.add.at(table, (row[lower], self._spine_column[upper]), network.bytes_per_s[link])
        return table

    @cached_property
    def _between_pods(self) -> Array:
        """(pods, pods, columns) what spine j of one pod and spine j of another carry between them."""
        links = self._core_links
        return np.stack([np.minimum(one, links).sum(axis=2) for one in links])

    @cached_property
    def _uneven(self) -> bool:
        """Whether some pair of leaves could get less than what each has."""
        network = self.network
        if len(network.tiers) < 2:
            return False
        leaves = self.graph.fold[network.switch_tier == 0]
        table = self._leaf_links[np.unique(leaves)]
        uneven = bool(np.ptp(table[table.sum(axis=1) > 0], axis=1).max(initial=0.0) > 0)
        if len(network.tiers) > 2:
            uneven |= bool(np.ptp(self._core_links, axis=(1, 2)).max() > 0)
        return uneven

    def paths(self, flows: Flows) -> Paths:
        """One row per message, over the bundles on its way."""
        network, graph = self.network, self.graph
        demand_ends(network, flows)
        source, target = flows.source, flows.target
        inside = ~outside(network, source, target)
        first, last = self._leaf(source), self._leaf(target)
        pods = self._pod[first], self._pod[last]
        self._demand_one_rail(source, target, inside, first, last)
        up_leaf = inside & (first != last)
        up_pod = up_leaf & (pods[0] != pods[1])
        leaf, pod = network.num_endpoints, network.num_endpoints + len(graph.twins)
        _, down = self._bundle
        bundles = np.full((len(flows), 6), -1)
        for column, (on, bundle) in enumerate(
            [
                (inside & (source < network.num_endpoints), source),
                (up_leaf, leaf + first),
                (up_pod, pod + pods[0]),
                (up_pod, down + pod + pods[1]),
                (up_leaf, down + leaf + last),
                (inside & (target < network.num_endpoints), down + target),
            ]
        ):
            np.copyto(bundles[:, column], bundle, where=on)
        used = bundles >= 0
        number, codes = compressed(bundles[used], 2 * down)
        hops = np.full((len(flows), 8 if self._uneven else 6), -1, np.int32)
        hops[:, :6][used] = number
        all_codes, capacities = [codes], [self._bandwidth[codes % down]]
        if self._uneven:
            between_leaves = self._pairs(up_leaf, first, last, len(graph.twins), self._leaf_pairs)
            between_pods = self._pairs(up_pod, *pods, int(self._pod.max()) + 1, self._pod_pairs)
            base, count = 2 * down, len(codes)
            for column, (pair, pair_codes, capacity, space) in enumerate((between_leaves, between_pods), 6):
                np.copyto(hops[:, column], count + pair, where=pair >= 0)
                all_codes.append(base + pair_codes)
                capacities.append(capacity)
                base, count = base + space, count + len(pair_codes)
        taken = hops >= 0
        resource, capacity = hops[taken], np.concatenate(capacities)
        empty = capacity[resource] <= 0
        if empty.any():
            row = int(np.repeat(np.arange(len(flows)), taken.sum(axis=1))[np.argmax(empty)])
            no_path(network, int(source[row]), int(target[row]))
        return Paths(
            members=flows.members.astype(np.float64),
            bytes_=flows.bytes_,
            indptr=np.concatenate([[0], np.cumsum(taken.sum(axis=1))]),
            resource=resource,
            weight=None,
            codes=np.concatenate(all_codes),
            capacity=capacity,
        )

    def link_bytes(self, codes: IntArray, bytes_: Array) -> Array:
        """(2 L,) bytes on each directed link: those of a bundle, by the bandwidth of its links."""
        bundle, count = self._bundle
        own = codes < 2 * count
        of = np.bincount(codes[own], bytes_[own], 2 * count)
        share = shares_of(self._bandwidth[bundle], self.network.bytes_per_s)
        return np.stack([of[bundle] * share, of[count + bundle] * share], axis=1).ravel()

    def _leaf(self, vertex: IntArray) -> IntArray:
        """The leaf of a vertex, by the number that its twins in all planes share."""
        graph = self.graph
        endpoint = vertex < self.network.num_endpoints
        node = np.where(endpoint, graph.ports[1][np.where(endpoint, vertex, 0), 0], vertex - graph.first)
        return graph.fold[node]

    def _demand_one_rail(
        self, source: IntArray, target: IntArray, inside: Mask, first: IntArray, last: IntArray
    ) -> None:
        rail = self.network.switch_plane[self.graph.twins[:, 0]] // self.graph.planes
        apart = inside & (rail[first] != rail[last])
        if apart.any():
            row = int(np.argmax(apart))
            no_path(self.network, int(source[row]), int(target[row]))

    def _pairs(
        self, on: Mask, one: IntArray, other: IntArray, number: int, bandwidth: Callable[[IntArray, IntArray], Array]
    ) -> tuple[IntArray, IntArray, Array, int]:
        """Those pairs that can carry less than their ends.

        For each row the place of its pair among these, -1 where it is none; their codes and capacities; and how many
        codes there may be.
        """
        rows = np.flatnonzero(on)
        codes, place = np.unique(one[rows] * number + other[rows], return_inverse=True)
        capacity = bandwidth(*np.divmod(codes, number))
        binding = np.isfinite(capacity)
        index = np.where(binding, np.cumsum(binding) - 1, -1)
        of_rows = np.full(len(on), -1)
        of_rows[rows] = index[place]
        return of_rows, codes[binding], capacity[binding], number * number

    @cached_property
    def _tight_pods(self) -> Mask:
        """(pods, pods) whether some spines carry less between two pods than a leaf could send to one of them."""
        return np.asarray((self._between_pods < self._leaf_links.max()).any(axis=2))

    def _pod_pairs(self, one: IntArray, other: IntArray) -> Array:
        """What pods can carry between them; `inf` where that is no less than what each can."""
        if not len(one):
            return np.zeros(0)
        pod = self._bandwidth[self.network.num_endpoints + len(self.graph.twins) :]
        capacity = self._between_pods.sum(axis=2)[one, other]
        return np.where(capacity < np.minimum(pod[one], pod[other]) * (1 - _SAME), capacity, np.inf)

    def _leaf_pairs(self, one: IntArray, other: IntArray) -> Array:
        """What leaves can carry between them, spine by spine; `inf` where that is no less than what each can.

        It is less only where links of both are unequal, or their pods are tight: a leaf with all links whole takes
        whatever the other one sends.
        """
        links, pod = self._leaf_links, self._pod
        whole = (links == links.max()).all(axis=1)
        apart = pod[one] != pod[other]
        look = ~whole[one] & ~whole[other]
        if apart.any():
            look |= apart & self._tight_pods[pod[one], pod[other]]
        result = np.full(len(one), np.inf)
        rows = np.flatnonzero(look)
        for low in range(0, len(rows), _CHUNK):
            part = rows[low : low + _CHUNK]
            a, b = one[part], other[part]
            least = np.minimum(links[a], links[b])
            if (far := apart[part]).any():
                least[far] = np.minimum(least[far], self._between_pods[pod[a[far]], pod[b[far]]])
            ends = self._bandwidth[self.network.num_endpoints :]
            carried = least.sum(axis=1)
            result[part] = np.where(carried < np.minimum(ends[a], ends[b]) * (1 - _SAME), carried, np.inf)
        return result
