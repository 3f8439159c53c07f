"""Where ranks lie: on which network cards and in which scale-up domain; messages of ranks as phases of flows.

Messages inside a scale-up domain do not enter the network. They take their bytes over the domain's rate beside what
goes through the network, as NCCL pipelines both: a phase is longer only by what they take beyond the time of the
network's part at the cards' full rate. That is exact where the network gives that rate, and too long by at most this
excess where it does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myriad.sim.network.flows import Array, Flows, IntArray, Phase


@dataclass(frozen=True)
class Ranks:
    """Ranks 0 to R-1 on the accelerators of a network's hosts."""

    cards: IntArray
    """(R, C) endpoints of each rank, its messages parted evenly over them; ranks may share a card."""
    domain: IntArray
    """(R,) scale-up domain of each rank."""
    cards_per_host: int
    card_bytes_per_s: float
    """Of one card, one way."""
    near_bytes_per_s: float
    """Of one rank into its scale-up domain, one way."""
    near_sum_bytes_per_s: float | None = None
    """The same of sums that the domain's switches form (NVLS); `None`: they form none."""
    near_latency_s: float = 0.0
    far_latency_s: float = 0.0
    """Of one message, start-up and way, inside a domain and between domains."""
    rails_apart: bool = False
    """No path joins cards of different rails: a message goes to the host's card on the receiver's rail first."""

    def __len__(self) -> int:
        return len(self.domain)

    def take(self, ranks: IntArray) -> Ranks:
        """These ranks alone, numbered anew in the order given."""
        return replace(self, cards=self.cards[ranks], domain=self.domain[ranks])


def cards_and_domains(
    order: IntArray, accelerators_per_domain: int, cards_per_domain: int
) -> tuple[IntArray, IntArray]:
    """Cards (R, C) and domains (R,) of ranks that fill domains in this order; `order[i]` is that of ranks i A and on.

    With more cards than accelerators each accelerator has an equal number of neighbouring cards; with fewer,
    neighbouring accelerators share one.
    """
    local = np.arange(accelerators_per_domain)
    each = max(cards_per_domain // accelerators_per_domain, 1)
    first = local * cards_per_domain // accelerators_per_domain
    inside = first[:, None] + np.arange(each)[None, :]
    cards = order[:, None, None] * cards_per_domain + inside[None]
    return cards.reshape(-1, each), np.repeat(order, accelerators_per_domain)


def groups_of(num_ranks: int, size: int, stride: int = 1) -> IntArray:
    """All groups of `size` ranks, `stride` apart, (G, size); ranks beyond the last whole block are in none.

    >>> groups_of(8, 2, 4).tolist()
    [[0, 4], [1, 5], [2, 6], [3, 7]]
    """
    block = size * stride
    ranks = np.arange(num_ranks // block * block).reshape(-1, size, stride)
    return np.ascontiguousarray(ranks.transpose(0, 2, 1).reshape(-1, size))


def lanes(ranks: Ranks, groups: IntArray) -> IntArray:
    """Groups by domain, (G, M, K): K members of each of M domains, neighbours in the group.

    K is 1 where members do not lie evenly so; every member then counts as a domain of its own, and what neighbours
    send each other still stays inside theirs.
    """
    count, size = groups.shape
    domain = ranks.domain[groups]
    changes = np.flatnonzero((domain[:, 1:] != domain[:, :-1]).any(axis=0)) + 1
    each = int(changes[0]) if len(changes) else size
    if size % each == 0:
        parted = domain.reshape(count, size // each, each)
        ordered = np.sort(parted[:, :, 0], axis=1)
        if (parted == parted[:, :, :1]).all() and (ordered[:, 1:] != ordered[:, :-1]).all():
            return groups.reshape(count, size // each, each)
    return groups.reshape(count, size, 1)


def phase(
    ranks: Ranks,
    source: IntArray,
    target: IntArray,
    bytes_: npt.ArrayLike,
    repeats: int = 1,
    near_bytes: float = 0.0,
    steps: float = 1.0,
    by_rail: bool = False,
) -> Phase:
    """Messages between ranks that start together, as a phase of flows between cards.

    `near_bytes` is what each rank sends inside its domain besides; `steps` the messages that follow one another, for
    latency. With `by_rail` a message leaves from the host's card on the receiver's rail, which it reaches over the
    scale-up links (NCCL's PXN).
    """
    source, target = np.ravel(source), np.ravel(target)
    size = np.broadcast_to(np.asarray(bytes_, float), source.shape)
    far = ranks.domain[source] != ranks.domain[target]
    inside = _most(len(ranks), [(source[~far], size[~far]), (target[~far], size[~far])])
    each = ranks.cards.shape[1]
    leaves, enters = ranks.cards[source[far]], ranks.cards[target[far]]
    part = np.repeat(size[far] / each, each)
    if by_rail or ranks.rails_apart:
        own, count = leaves, ranks.cards_per_host
        leaves = own // count * count + enters % count
        relayed = (own != leaves).ravel()
        inside += _most(len(ranks), [(np.repeat(source[far], each)[relayed], part[relayed])])
    flows = flows_of(leaves.ravel(), enters.ravel(), part)
    return with_near(ranks, flows, near_bytes + inside, repeats, steps)


def summed_inside_bytes(ranks: Ranks, bytes_: float, members: int) -> float:
    """What each rank sends inside its domain of so many members for an all-reduce, in bytes at the domain's rate.

    A reduce-scatter and an all-gather, 2 (k-1)/k of the bytes; or, where that takes less time, 1 + 1/k of them through
    switches that sum (`estimate.collectives.all_reduce_in_switch_s`).
    """
    if members == 1:
        return 0.0
    passed = 2.0 * (members - 1) / members * bytes_
    if ranks.near_sum_bytes_per_s is None:
        return passed
    return min(passed, (1.0 + 1.0 / members) * bytes_ * ranks.near_bytes_per_s / ranks.near_sum_bytes_per_s)


def with_near(ranks: Ranks, flows: Flows, near_bytes: float, repeats: int = 1, steps: float = 1.0) -> Phase:
    """A phase of these flows while each rank sends `near_bytes` inside its domain."""
    latency_s = steps * (ranks.far_latency_s if len(flows) else ranks.near_latency_s)
    excess_s = max(near_bytes / ranks.near_bytes_per_s - full_rate_s(ranks, flows), 0.0)
    return Phase(flows, repeats, latency_s + excess_s)


def full_rate_s(ranks: Ranks, flows: Flows) -> float:
    """Time of flows if the cards alone bound them, in seconds: the most that one sends or receives over its rate."""
    if not len(flows):
        return 0.0
    size = int(ranks.cards.max()) + 1
    total = flows.bytes_ * flows.members
    ends = [(end[end < size], total[end < size]) for end in (flows.source, flows.target)]
    return _most(size, ends) / ranks.card_bytes_per_s


def flows_of(source: IntArray, target: IntArray, bytes_: npt.ArrayLike, members: npt.ArrayLike = 1) -> Flows:
    """Flows of these ends; sizes and members broadcast."""
    return Flows(
        source,
        target,
        np.array(np.broadcast_to(np.asarray(bytes_, float), source.shape)),
        np.array(np.broadcast_to(np.asarray(members, np.int64), source.shape)),
    )


NO_FLOWS = Flows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))


def _most(size: int, ends: list[tuple[IntArray, Array]]) -> float:
    """The largest sum of sizes at one end; 0 without any."""
    return max((float(np.bincount(at, sizes, size).max()) for at, sizes in ends if len(at)), default=0.0)
