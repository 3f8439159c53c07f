"""Keeps the cluster's state over time as means of equal parts, exactly, without keeping every change."""

from __future__ import annotations

from typing import Final

import numpy as np

from myriad.sim.jobs.cluster import Cluster
from myriad.sim.jobs.described import Series

PARTS: Final = 960


class Recorder:
    """Sums what the cluster's state lasted, part by part of the horizon."""

    def __init__(self, horizon_s: float) -> None:
        self._edges = np.linspace(0.0, horizon_s, PARTS + 1)
        self._edge_list: list[float] = self._edges[1:].tolist()
        self._part = 0
        self._since = 0.0
        self._rows: list[tuple[float, ...]] = []
        self._reset()

    def _reset(self) -> None:
        self._busy = self._up = self._waiting = self._fragmented = self._idle = 0.0

    def until(self, now: float, cluster: Cluster) -> None:
        """The cluster was as it is now since the last call."""
        while self._part < PARTS and now >= self._edge_list[self._part]:
            edge = self._edge_list[self._part]
            self._add(edge - self._since, cluster)
            self._rows.append((self._busy, self._up, self._waiting, self._fragmented, self._idle))
            self._reset()
            self._part += 1
            self._since = edge
        self._add(now - self._since, cluster)
        self._since = now

    def _add(self, lasted: float, cluster: Cluster) -> None:
        nodes, waiting = cluster.nodes, cluster.num_waiting
        self._busy += cluster.busy * lasted
        self._up += nodes.num_up * nodes.per_node * lasted
        self._fragmented += (nodes.num_free - nodes.num_empty * nodes.per_node) * lasted
        if waiting:
            self._waiting += waiting * lasted
            self._idle += nodes.num_free * lasted

    def series(self) -> Series:
        """Means of the parts."""
        means = np.array(self._rows) / np.diff(self._edges)[:, None]
        return Series(self._edges, *means.T)
