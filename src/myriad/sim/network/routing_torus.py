"""Dimension-order routing: along the first dimension of a torus until it is done, then along the next."""

from __future__ import annotations

import numpy as np

from myriad.estimate.fabric.network import IntArray, Network
from myriad.sim.network.routing_ecmp import EcmpRouter, Hash, mixed


class TorusRouter(EcmpRouter):
    """Takes the shorter way round in each dimension in turn; where both are as long, the hash of the flow says which.

    Along a dimension of two that parts flows over both links of a pair. A flow that would meet a link that is down
    takes a shortest live path instead, hop by hop as elsewhere.
    """

    def __init__(self, network: Network, flows_per_pair: int = 1, seed: int = 0) -> None:
        super().__init__(network, flows_per_pair, seed)
        first = np.arange(network.num_links // network.num_endpoints) * network.num_endpoints
        self._strides = (network.upper[first] - network.lower[first]).tolist()
        """Links of a dimension lie behind each other, by the vertex from which they lead on; first that of vertex 0."""

    def hops(self, source: IntArray, target: IntArray, key: Hash) -> IntArray:
        """(rows, hops) directed links, -1 where there is none."""
        at, size = source.copy(), self.network.num_endpoints
        columns: list[IntArray] = [np.full(len(source), -1)]
        for axis, stride in enumerate(self._strides):
            length = size // stride
            size = stride
            ahead = (target // stride - at // stride) % length
            tied = 2 * ahead == length
            onward = np.where(tied, mixed(key + np.uint64(axis)) % np.uint64(2) == 0, 2 * ahead < length)
            steps = np.minimum(ahead, length - ahead)
            for step in range(int(steps.max(initial=0))):
                place = at // stride % length
                behind = at + ((place - 1) % length - place) * stride
                other = np.where(onward, at + ((place + 1) % length - place) * stride, behind)
                link = axis * self.network.num_endpoints + np.where(onward, at, behind)
                going = steps > step
                columns.append(np.where(going, 2 * link + (at > other), -1))
                at = np.where(going, other, at)
        hops = np.stack(columns, axis=1)
        cut = np.flatnonzero(((hops >= 0) & (self.network.bytes_per_s[hops >> 1] <= 0)).any(axis=1))
        if not len(cut):
            return hops
        around = super().hops(source[cut], target[cut], key[cut])
        wide = np.full((len(hops), max(hops.shape[1], around.shape[1])), -1)
        wide[:, : hops.shape[1]] = hops
        wide[cut] = -1
        wide[cut, : around.shape[1]] = around
        return wide
