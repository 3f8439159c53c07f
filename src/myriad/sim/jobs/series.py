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
        self._sums = [0.0] * 5
        self._rows: list[list[float]] = []

    def until(self, now: float, cluster: Cluster) -> None:
        """The cluster was as it is now since the last call."""
        nodes = cluster.nodes
        free = nodes.num_free
        waiting = cluster.num_waiting
        values = (
            cluster.busy,
            nodes.num_up * nodes.per_node,
            waiting,
            free - nodes.num_empty * nodes.per_node,
            free if waiting else 0,
        )
        since = self._since
        while self._part < PARTS and now >= self._edge_list[self._part]:
            edge = self._edge_list[self._part]
            self._add(values, edge - since)
            self._rows.append(self._sums)
            self._sums = [0.0] * 5
            self._part += 1
            since = edge
        if now > since:
            self._add(values, now - since)
        self._since = now

    def _add(self, values: tuple[float, ...], lasted: float) -> None:
        sums = self._sums
        for number, value in enumerate(values):
            sums[number] += value * lasted

    def series(self) -> Series:
        """Means of the parts."""
        means = np.array(self._rows) / np.diff(self._edges)[:, None]
        return Series(self._edges, *means.T)
