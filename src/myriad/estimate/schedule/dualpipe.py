"""DualPipe: micro-batches enter from both ends; every device holds a stage of either direction."""

from __future__ import annotations

from collections import deque

from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT, DeviceOrder


def dualpipe_devices(p: int, m: int) -> tuple[DeviceOrder, ...]:
    """What each of p devices does for m micro-batches, of which the first half goes up and the second half down.

    The eight steps of DeepSeek's published code (`DualPipe.step`); p and m are even, m at least 2 p. Source:
    DeepSeek-V3, arXiv 2412.19437, section 3.2.1, and github.com/deepseek-ai/DualPipe.
    """
    return tuple(_Device(rank, p, m).order() for rank in range(p))


class _Device:
    """One device while its list is written. Direction 0 enters from the nearer end, direction 1 from the farther."""

    def __init__(self, rank: int, p: int, m: int) -> None:
        self.p, self.m = p, m
        self.half, self.near = p // 2, min(rank, p - 1 - rank)
        upper = rank >= self.half
        self.chunk = (p - 1 - rank, rank) if upper else (rank, p - 1 - rank)
        self.first = (m // 2, 0) if upper else (0, m // 2)
        self.done = {(kind, way): 0 for kind in (FORWARD, BACKWARD) for way in (0, 1)}
        self.waiting: deque[tuple[int, int, int]] = deque()
        self.rows: list[tuple[int, int, int]] = []
        self.joined: list[int] = []

    def order(self) -> DeviceOrder:
        behind = self.half - self.near - 1
        middle = self.near == self.half - 1
        for _ in range(2 * behind):
            self._forward(0)
        for _ in range(self.near + 1):
            self._forward(0)
            self._forward(1)
        for _ in range(behind):
            self._backward(1, split=True)
            self._weight()
            self._forward(1)
        for number in range(self.m // 2 - self.p + self.near + 1):
            if number == 0 and middle:
                self._forward(0)
                self._backward(1)
            else:
                self._both(0, 1)
            self._both(1, 0)
        for _ in range(behind):
            self._backward(1)
            self._both(1, 0)
        # The second half of the last backwards leaves the gradients of weights for the gaps that follow.
        last = self.near + 1
        split = False
        for number in range(last):
            split = split or (number == last // 2 and self.near % 2 == 1)
            self._backward(1, split)
            split = split or (number == last // 2 and self.near % 2 == 0)
            self._backward(0, split)
        for _ in range(behind):
            self._weight()
            self._backward(0, split=True)
        for _ in range(last):
            self._weight()
        return DeviceOrder.of(self.rows, self.joined)

    def _add(self, kind: int, way: int) -> tuple[int, int, int]:
        row = kind, self.chunk[way], self.first[way] + self.done[kind, way]
        self.done[kind, way] += 1
        self.rows.append(row)
        return row

    def _forward(self, way: int) -> None:
        self._add(FORWARD, way)

    def _backward(self, way: int, split: bool = False) -> None:
        _, chunk, micro_batch = self._add(BACKWARD, way)
        row = WEIGHT, chunk, micro_batch
        if split:
            self.waiting.append(row)
        else:
            self.joined.append(len(self.rows) - 1)
            self.rows.append(row)

    def _weight(self) -> None:
        self.rows.append(self.waiting.popleft())

    def _both(self, forward: int, backward: int) -> None:
        """A forward of one direction and a whole backward of the other at once.

        The traffic of each is meant to hide behind the compute of the other.
        """
        self.joined.append(len(self.rows))
        self._forward(forward)
        self._backward(backward)
