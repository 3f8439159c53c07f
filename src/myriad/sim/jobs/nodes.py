"""Which accelerators of which nodes are free, kept so that a place is found in about a microsecond.

Sets of nodes are bits of one integer: bit n stands for node n.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from myriad.sim.jobs.described import Machines

WHOLE = 1000
"""Parts that an accelerator is shared in."""


class Nodes:
    """The nodes of a cluster with what is free on them."""

    def __init__(self, machines: Machines) -> None:
        size, count = machines.accelerators_per_node, machines.num_nodes
        self.per_node = size
        self.num_nodes = count
        self.leaf_of = [node // machines.nodes_per_leaf for node in range(count)]
        self.bit = [1 << node for node in range(count)]
        num_leaves = self.leaf_of[-1] + 1
        self.of_leaf = [0] * num_leaves
        for node, leaf in enumerate(self.leaf_of):
            self.of_leaf[leaf] |= self.bit[node]
        self.everywhere = (1 << count) - 1
        self.free = [size] * count
        """Unheld accelerators by node, whether it is up or not."""
        self.with_free = [0] * size + [self.everywhere]
        """By number of free accelerators: the nodes that are up and have so many."""
        self.empty_in_leaf = [mask.bit_count() for mask in self.of_leaf]
        """Nodes that are up and hold nothing, by leaf."""
        self.num_empty = count
        self.num_free = size * count
        """Unheld accelerators of nodes that are up."""
        self.num_up = count
        self.outages = [0] * count
        """Reasons for which a node is out of service."""
        self.jobs_on: list[set[int]] = [set() for _ in range(count)]
        self._shared: dict[int, list[tuple[int, int]]] = {}
        """Shared accelerators by what is left of them: (serial number, node), sorted."""
        self._left: dict[int, int] = {}
        self._serial = 0
        self.share_on: dict[int, int] = {}
        """Serial number of the accelerator that a job shares, by job."""

    def up(self, node: int) -> bool:
        """Whether it is in service."""
        return not self.outages[node]

    def has(self, need: int, allowed: int) -> bool:
        """Whether so many accelerators are free: on one node, or as whole nodes where one is too small."""
        if need > self.num_free:
            return False
        if need > self.per_node:
            nodes = -(-need // self.per_node)
            return nodes <= self.num_empty and nodes <= (self.with_free[-1] & allowed).bit_count()
        with_free = self.with_free
        return any(with_free[free] & allowed for free in range(self.per_node, need - 1, -1))

    def take(self, node: int, count: int) -> None:
        """Holds accelerators of a node that is up."""
        before = self.free[node]
        after = before - count
        bit = self.bit[node]
        self.with_free[before] ^= bit
        self.with_free[after] ^= bit
        self.free[node] = after
        self.num_free -= count
        if before == self.per_node:
            self.empty_in_leaf[self.leaf_of[node]] -= 1
            self.num_empty -= 1

    def give(self, node: int, count: int) -> None:
        """Frees accelerators of a node."""
        before = self.free[node]
        after = before + count
        self.free[node] = after
        if self.outages[node]:
            return
        bit = self.bit[node]
        self.with_free[before] ^= bit
        self.with_free[after] ^= bit
        self.num_free += count
        if after == self.per_node:
            self.empty_in_leaf[self.leaf_of[node]] += 1
            self.num_empty += 1

    def out(self, node: int) -> None:
        """Takes a node out of service for one more reason. Jobs on it keep what they hold."""
        self.outages[node] += 1
        if self.outages[node] == 1:
            self._serve(node, -1)

    def back(self, node: int) -> None:
        """One reason less; with the last one gone the node is in service again."""
        self.outages[node] -= 1
        if self.outages[node] == 0:
            self._serve(node, 1)

    def _serve(self, node: int, sign: int) -> None:
        free = self.free[node]
        self.with_free[free] ^= self.bit[node]
        self.num_free += sign * free
        self.num_up += sign
        if free == self.per_node:
            self.empty_in_leaf[self.leaf_of[node]] += sign
            self.num_empty += sign

    def shared_with_room(self, parts: int, allowed: int) -> int | None:
        """Node of the shared accelerator with the least room for so many parts; `None` where there is none."""
        found = self._room(parts, allowed)
        return None if found is None else found[1]

    def _room(self, parts: int, allowed: int) -> tuple[int, int] | None:
        for left in sorted(one for one in self._shared if one >= parts):
            for serial, node in self._shared[left]:
                if self.bit[node] & allowed and not self.outages[node]:
                    return serial, node
        return None

    def take_share(self, job: int, node: int, parts: int) -> None:
        """Holds parts of an accelerator of that node: of a shared one, or of a free one that is shared from now on."""
        found = self._room(parts, self.bit[node])
        if found is None:
            self.take(node, 1)
            self._serial += 1
            found = (self._serial, node)
            left = WHOLE
        else:
            left = self._left[found[0]]
            self._drop(left, found)
        self._keep(left - parts, found)
        self.share_on[job] = found[0]

    def left_of(self, serial: int) -> int:
        """Parts of a shared accelerator that nobody holds."""
        return self._left[serial]

    def give_share(self, job: int, node: int, parts: int) -> None:
        """Frees them; an accelerator that nobody shares any more is a whole one again."""
        entry = (self.share_on.pop(job), node)
        left = self._left[entry[0]]
        self._drop(left, entry)
        if left + parts == WHOLE:
            del self._left[entry[0]]
            self.give(node, 1)
        else:
            self._keep(left + parts, entry)

    def _keep(self, left: int, entry: tuple[int, int]) -> None:
        self._left[entry[0]] = left
        insort(self._shared.setdefault(left, []), entry)

    def _drop(self, left: int, entry: tuple[int, int]) -> None:
        entries = self._shared[left]
        del entries[bisect_left(entries, entry)]
        if not entries:
            del self._shared[left]
