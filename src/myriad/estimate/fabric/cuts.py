"""Cuts of a network: what passes between two halves of its hosts.

The least cut between two sets of endpoints is the most that can flow between them (Ford and Fulkerson). Bisection
bandwidth takes the halves as hosts are numbered, which is along racks, pods and groups; in a torus it takes them across
the longest dimension. Links that are slow or down count with what they carry.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.estimate.fabric.network import Array, Network
from myriad.spec.fabric import Topology, Torus

Side = npt.NDArray[np.bool_]

_SWEEPS: Final = 8


def bisection_bytes_per_s(topology: Topology, network: Network) -> float:
    """What one half of the hosts can send to the other at once, in bytes/s, one way.

    A fat tree of full bandwidth has half of its endpoints' rate, a torus 2 E / n of its links with n its longest
    dimension, a Dragonfly about g^2 / 4 times the links between two of g groups.
    """
    return least_cut_bytes_per_s(network, halves(topology, network))


def halves(topology: Topology, network: Network) -> Side:
    """(E,) whether an endpoint lies in the second half."""
    if isinstance(topology, Torus):
        longest = int(np.argmax(topology.dimensions))
        place = np.unravel_index(np.arange(network.num_endpoints), topology.dimensions)[longest]
        second: Side = place >= topology.dimensions[longest] // 2
        return second
    host = np.arange(network.num_endpoints) // network.nics_per_host
    return host >= network.num_hosts // 2


def cut_bytes_per_s(network: Network, side: Side) -> float:
    """What the links between two sides of all vertices carry, in bytes/s, one way."""
    return float(np.sum(network.bytes_per_s[side[network.lower] != side[network.upper]]))


def least_cut_bytes_per_s(network: Network, half: Side) -> float:
    """The least cut between the endpoints of one side and those of the other, in bytes/s, one way.

    Tried are cuts below every tier of switches: lower tiers go with most of their links, all above to one side; then
    switches change sides tier by tier while that lessens the cut. Equal to the most that can flow on the networks of
    the tests; an upper bound in general.
    """
    if not network.num_switches:
        return cut_bytes_per_s(network, half)
    tiers = len(network.tiers)
    starts = [_below(network, half, tier, above) for tier in range(tiers + 1) for above in (False, True)]
    starts += [_by_group(network, half, above) for above in (False, True)]
    return min(_settled(network, side) for side in starts)


def _below(network: Network, half: Side, tiers: int, above: bool) -> Side:
    """Sides of all vertices: switches of the first tiers by what lies below them, the rest all alike."""
    side = np.concatenate([half, np.full(network.num_switches, above)])
    placed = np.concatenate([np.ones(len(half), bool), np.zeros(network.num_switches, bool)])
    for tier in range(tiers):
        weight = _pull(network, side, placed)
        here = network.num_endpoints + np.flatnonzero(network.switch_tier == tier)
        side[here] = np.where(weight[here] == 0, above, weight[here] > 0)
        placed[here] = True
    return side


def _by_group(network: Network, half: Side, above: bool) -> Side:
    """Sides of all vertices: switches of a group all go where most of its endpoints are, the rest all alike."""
    group = network.switch_group
    joins = network.upper[network.link_class == 0] - network.num_endpoints
    sign = np.where(half[network.lower[network.link_class == 0]], 1.0, -1.0)
    known = group[joins] >= 0
    most = np.bincount(group[joins[known]], sign[known], minlength=int(group.max()) + 1)
    switches = np.where((group < 0) | (most[group] == 0), above, most[group] > 0)
    return np.concatenate([half, switches])


def _pull(network: Network, side: Side, placed: Side) -> Array:
    """(V,) bytes/s of links to placed vertices of the second half, less those to placed ones of the first."""
    total = network.num_vertices
    sign = np.where(side, 1.0, -1.0) * placed
    up = np.bincount(network.upper, network.bytes_per_s * sign[network.lower], total)
    down = np.bincount(network.lower, network.bytes_per_s * sign[network.upper], total)
    return np.asarray(up + down, dtype=np.float64)


def _settled(network: Network, side: Side) -> float:
    """The cut after switches have changed sides, tier by tier, as long as it lessens."""
    everywhere = np.ones(network.num_vertices, dtype=bool)
    best = cut_bytes_per_s(network, side)
    for _ in range(_SWEEPS):
        before = best
        for tier in (*range(len(network.tiers)), *reversed(range(len(network.tiers)))):
            weight = _pull(network, side, everywhere)
            here = network.num_endpoints + np.flatnonzero(network.switch_tier == tier)
            moved = side.copy()
            moved[here] = np.where(weight[here] == 0, side[here], weight[here] > 0)
            if (cut := cut_bytes_per_s(network, moved)) <= best:
                best, side = cut, moved
        if best >= before:
            break
    return best
