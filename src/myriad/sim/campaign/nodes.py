"""Where each node of a pool is: in the job, spare, broken, away for maintenance, or not there yet."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import Final

SPARE: Final = 0
JOB: Final = 1
BROKEN: Final = 2
"""From the failure until it is repaired: not yet found, waiting for a crew, or under repair."""
AWAY: Final = 3
"""For maintenance."""
ABSENT: Final = 4
"""Joins later."""


class Nodes:
    """The nodes of one pool. The first spare in the order of the racks is taken first."""

    def __init__(self, num_nodes: int, crews: int | None) -> None:
        self.state = [ABSENT] * num_nodes
        self.leaves = [0] * num_nodes
        """How often each was taken out: what was said of it before holds no longer."""
        self.counts = [0, 0, 0, 0, num_nodes]
        self.out = 0
        """The first so many are away, or will be when they are back."""
        self._free: list[int] = []
        self._crews = crews
        self._busy = 0
        self._queue: deque[tuple[list[int], float]] = deque()

    def put(self, node: int, state: int) -> None:
        """Moves one node."""
        counts, states = self.counts, self.state
        counts[states[node]] -= 1
        counts[state] += 1
        states[node] = state
        if state == SPARE:
            heapq.heappush(self._free, node)

    def enter(self, nodes: Iterable[int]) -> None:
        """Nodes come into service, or away where maintenance is."""
        for node in nodes:
            self.put(node, AWAY if node < self.out else SPARE)

    def take_out(self, nodes: Iterable[int]) -> None:
        """Nodes are broken."""
        for node in nodes:
            self.put(node, BROKEN)
            self.leaves[node] += 1

    def give(self, number: int) -> list[int]:
        """Spares to the job."""
        given: list[int] = []
        while len(given) < number:
            node = heapq.heappop(self._free)
            if self.state[node] == SPARE:
                self.put(node, JOB)
                given.append(node)
        return given

    def fill(self, number: int) -> None:
        """Gives the job so many nodes: from the spares, or the last ones back to them."""
        more = number - self.counts[JOB]
        if more > 0:
            self.give(more)
        node = len(self.state) - 1
        while self.counts[JOB] > number:
            if self.state[node] == JOB:
                self.put(node, SPARE)
            node -= 1

    def in_service(self, node: int, number: int) -> list[int]:
        """Those of so many nodes in a row that are spare or in the job."""
        return [one for one in range(node, min(node + number, len(self.state))) if self.state[one] <= JOB]

    def maintain(self, number: int) -> list[int]:
        """From now on the first so many are in maintenance, and no others; those that the job had."""
        number = min(number, len(self.state))
        before, self.out = self.out, number
        self.enter(node for node in range(number, before) if self.state[node] == AWAY)
        had = [node for node in range(before, number) if self.state[node] == JOB]
        for node in range(before, number):
            if self.state[node] <= JOB:
                self.put(node, AWAY)
        return had

    def order(self, nodes: list[int], repair_s: float) -> tuple[list[int], float] | None:
        """One repair of all these nodes: started where a crew is free, else queued."""
        if self._crews is not None and self._busy >= self._crews:
            self._queue.append((nodes, repair_s))
            return None
        self._busy += 1
        return nodes, repair_s

    def repaired(self, nodes: list[int]) -> tuple[list[int], float] | None:
        """They are back; the next repair, if one waited."""
        self.enter(nodes)
        if self._queue:
            return self._queue.popleft()
        self._busy -= 1
        return None
