"""Reductions, gathers and broadcasts of many groups at once, as phases of flows.

Each function takes ranks, groups (G, n) of them that run side by side, and bytes as nccl-tests count them: of the
buffer that is reduced or broadcast, of the whole gathered result. Groups with K members in each of M domains move
their far part on K rails at once, one from each member, and each member 1/K of the bytes (NCCL's channels); what
members of a domain send each other is in `ranks.phase`. Rings and trees are pipelined: a ring repeats one step, all
edges of a tree carry all its bytes at once. Filling the pipeline of a tree is left out but for latency.
"""

from __future__ import annotations

import numpy as np

from myriad.sim.network.flows import IntArray, Phase
from myriad.sim.network.ranks import NO_FLOWS, Ranks, lanes, phase, summed_inside_bytes, with_near
from myriad.sim.network.trees import binary_tree, depth, double_binary_tree


def ring_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """A reduce-scatter and an all-gather around a ring of all members: 2 (n-1) steps of 1/n of the bytes."""
    return _ring(ranks, groups, bytes_, 2)


def ring_all_gather(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """n-1 steps of 1/n of the result around a ring of all members."""
    return _ring(ranks, groups, bytes_, 1)


def ring_reduce_scatter(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """An all-gather around a ring, backwards."""
    return _ring(ranks, groups[:, ::-1], bytes_, 1)


def _ring(ranks: Ranks, groups: IntArray, bytes_: float, passes: int) -> tuple[Phase, ...]:
    size = groups.shape[1]
    if size == 1:
        return ()
    by_domain = lanes(ranks, groups)
    members = by_domain.shape[2]
    share, repeats = bytes_ / size, passes * (size - 1)
    # Each of the K rings goes through all members of a domain, so that a member passes on one part in each.
    near_bytes = share if members > 1 else 0.0
    if by_domain.shape[1] == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes, repeats),)
    return (phase(ranks, by_domain, np.roll(by_domain, -1, axis=1), share / members, repeats, near_bytes),)


def hierarchical_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """A reduce-scatter inside each domain, a ring all-reduce of 1/K on each rail, an all-gather inside.

    Or sums in the domain's switches before and after, see `summed_inside_bytes`; of trees too.
    """
    return _hierarchical(ranks, groups, bytes_, 2)


def hierarchical_all_gather(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """A ring all-gather of 1/K on each rail, an all-gather inside each domain."""
    return _hierarchical(ranks, groups, bytes_, 1)


def hierarchical_reduce_scatter(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """An all-gather in two levels, backwards."""
    return _hierarchical(ranks, groups[:, ::-1], bytes_, 1)


def _hierarchical(ranks: Ranks, groups: IntArray, bytes_: float, passes: int) -> tuple[Phase, ...]:
    by_domain = lanes(ranks, groups)
    _, domains, members = by_domain.shape
    if domains == 1 or members == 1:
        return _ring(ranks, groups, bytes_, passes)
    repeats = passes * (domains - 1)
    inside = summed_inside_bytes(ranks, bytes_, members) if passes == 2 else bytes_ * (members - 1) / members
    near_bytes = inside / repeats
    part = bytes_ / members / domains
    return (phase(ranks, by_domain, np.roll(by_domain, -1, axis=1), part, repeats, near_bytes),)


def tree_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Up and down one binary tree of domains on each rail, reduced and gathered inside domains on the way."""
    return _trees(ranks, groups, bytes_, double=False, reduces=True)


def double_tree_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Up and down two binary trees of domains on each rail, half of the bytes on each."""
    return _trees(ranks, groups, bytes_, double=True, reduces=True)


def tree_broadcast(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Down one binary tree of domains on each rail from the first member of each group."""
    return _trees(ranks, groups, bytes_, double=False, reduces=False)


def double_tree_broadcast(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Down two binary trees of domains on each rail, half of the bytes on each."""
    return _trees(ranks, groups, bytes_, double=True, reduces=False)


def _trees(ranks: Ranks, groups: IntArray, bytes_: float, *, double: bool, reduces: bool) -> tuple[Phase, ...]:
    if groups.shape[1] == 1:
        return ()
    by_domain = lanes(ranks, groups)
    domains, members = by_domain.shape[1:]
    near_bytes = summed_inside_bytes(ranks, bytes_, members) if reduces else bytes_ * (members - 1) / members
    if domains == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes),)
    trees = double_binary_tree(domains) if double else (binary_tree(domains),)
    sources, targets = [], []
    for parent in trees:
        child = np.flatnonzero(parent >= 0)
        lower, upper = by_domain[:, child], by_domain[:, parent[child]]
        sources += [upper, lower] if reduces else [upper]
        targets += [lower, upper] if reduces else [lower]
    if not reduces and double:
        # The second tree has another root, which the first member hands its half.
        second = int(np.flatnonzero(trees[-1] < 0)[0])
        sources.append(by_domain[:, :1])
        targets.append(by_domain[:, second : second + 1])
    source = np.concatenate([one.ravel() for one in sources])
    target = np.concatenate([one.ravel() for one in targets])
    part = bytes_ / members / len(trees)
    steps = (2 if reduces else 1) * max(depth(parent) for parent in trees)
    return (phase(ranks, source, target, part, near_bytes=near_bytes, steps=steps),)


def chain_broadcast(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """From domain to domain on each rail, as NCCL's ring broadcasts; all hops carry all bytes at once."""
    if groups.shape[1] == 1:
        return ()
    by_domain = lanes(ranks, groups)
    _, domains, members = by_domain.shape
    near_bytes = bytes_ * (members - 1) / members
    if domains == 1:
        return (with_near(ranks, NO_FLOWS, near_bytes),)
    part = bytes_ / members
    return (phase(ranks, by_domain[:, :-1], by_domain[:, 1:], part, near_bytes=near_bytes, steps=domains - 1.0),)


def halving_doubling_all_reduce(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Recursive vector halving with distance doubling, and back: half of the bytes go to neighbours.

    Where the size is no power of two, 2 r of the members pair up before and after, r of them sit out (Thakur,
    Rabenseifner and Gropp, IJHPCA 19, 2005).
    """
    size = groups.shape[1]
    power = 1 << (size.bit_length() - 1)
    rest = size - power
    inner = np.concatenate([groups[:, 1 : 2 * rest : 2], groups[:, 2 * rest :]], axis=1)
    there = _exchanges(ranks, inner, bytes_, [1 << step for step in range(power.bit_length() - 1)])
    around = there + there[::-1]
    if not rest:
        return around
    sits, stands = groups[:, 0 : 2 * rest : 2], groups[:, 1 : 2 * rest : 2]
    return (phase(ranks, sits, stands, bytes_), *around, phase(ranks, stands, sits, bytes_))


def doubling_all_gather(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Recursive doubling: step i exchanges 2^i of n parts with the member 2^i further. Powers of two; else Bruck's.

    Bruck's form has as many steps, rounded up, and each member sends to one and receives from another (Bruck et al.,
    IEEE TPDS 8, 1997).
    """
    size = groups.shape[1]
    if size & (size - 1) == 0:
        distances = [size >> step for step in range(1, size.bit_length())]
        return _exchanges(ranks, groups, bytes_, distances)[::-1]
    phases, have = [], 1
    while have < size:
        sent = min(have, size - have)
        phases.append(phase(ranks, groups, np.roll(groups, have, axis=1), bytes_ * sent / size))
        have += sent
    return tuple(phases)


def halving_reduce_scatter(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """An all-gather by recursive doubling, backwards."""
    return doubling_all_gather(ranks, groups[:, ::-1], bytes_)[::-1]


def _exchanges(ranks: Ranks, groups: IntArray, bytes_: float, distances: list[int]) -> tuple[Phase, ...]:
    """Each member swaps halves, quarters, ... of the bytes with the member at each distance (powers of two)."""
    member = np.arange(groups.shape[1])
    return tuple(
        phase(ranks, groups, groups[:, member ^ distance], bytes_ / 2 ** (step + 1))
        for step, distance in enumerate(distances)
    )


def send_recv(ranks: Ranks, groups: IntArray, bytes_: float) -> tuple[Phase, ...]:
    """Every member sends to the next and receives from the one before, as nccl-tests do."""
    if groups.shape[1] == 1:
        return ()
    return (phase(ranks, groups, np.roll(groups, -1, axis=1), bytes_),)
