"""Which nodes make up which data-parallel replica, in mode `replica`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Replicas:
    """Replicas that train, and those that copy the state of a peer to train again."""

    def __init__(self, unit: int) -> None:
        self.unit = unit
        self.training: set[int] = set()
        self.healing: set[int] = set()
        self._of: dict[int, int] = {}
        self._nodes: dict[int, list[int]] = {}
        self._next = 0

    def clear(self) -> None:
        """The whole job stands still: there are no replicas."""
        self.training.clear()
        self.healing.clear()
        self._of.clear()
        self._nodes.clear()

    def start(self, nodes: Sequence[int]) -> None:
        """All of the job starts together."""
        self.clear()
        for first in range(0, len(nodes), self.unit):
            self.training.add(self._form(nodes[first : first + self.unit]))

    def heal(self, nodes: Sequence[int]) -> int:
        """Number of a replica that begins to copy the state."""
        number = self._form(nodes)
        self.healing.add(number)
        return number

    def healed(self, number: int) -> bool:
        """It trains again, unless it broke meanwhile."""
        if number not in self.healing:
            return False
        self.healing.remove(number)
        self.training.add(number)
        return True

    def on(self, nodes: Iterable[int]) -> set[int]:
        """Replicas that have any of the nodes."""
        return {self._of[node] for node in nodes if node in self._of}

    def drop(self, numbers: Iterable[int]) -> list[int]:
        """Replicas are broken; nodes that they had."""
        had: list[int] = []
        for number in numbers:
            self.training.discard(number)
            self.healing.discard(number)
            had.extend(self._nodes.pop(number))
        for node in had:
            del self._of[node]
        return had

    def _form(self, nodes: Sequence[int]) -> int:
        number = self._next
        self._next += 1
        self._nodes[number] = list(nodes)
        self._of.update(dict.fromkeys(nodes, number))
        return number
