"""What uniform traffic on shortest paths leaves each endpoint, where a topology has no tiers to cut."""

from __future__ import annotations

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.spec.fabric import Torus


def uniform_share(whole: Network, live: Network) -> float:
    """Rate at which every endpoint can send to all others alike, over the rate of its links; may be above 1.

    Traffic between two switches is spread evenly over all shortest paths of live links; the link with the most sets
    the rate. Loads are Brandes' dependencies (Journal of Mathematical Sociology, 2001), for all sources at once.
    Raises InfeasibleError where live links do not join all switches that have endpoints.
    """
    first = whole.link_class == 0
    switches, offset = whole.num_switches, whole.num_endpoints
    own = summed(whole.upper[first] - offset, whole.bytes_per_s[first], switches)
    used = ~first & (live.bytes_per_s > 0)
    ends = live.lower[used] - offset, live.upper[used] - offset
    joined = np.zeros((switches, switches))
    np.add.at(joined, ends, 1.0)
    joined += joined.T
    load = _loads(joined, own)
    if load is None:
        raise InfeasibleError("damage: cuts switches off from all others")
    capacity = np.zeros((switches, switches))
    np.add.at(capacity, ends, live.bytes_per_s[used])
    capacity += capacity.T
    busy = load > 0
    return float((capacity[busy] / load[busy]).min()) if busy.any() else 1.0


def summed(places: IntArray, values: Array, number: int) -> Array:
    """The sum of the values at each of so many places."""
    found: Array = np.bincount(places, values, number).astype(float)
    return found


def _loads(joined: Array, own: Array) -> Array | None:
    """Traffic from switch to neighbour where every switch sends its own rate to all, by their rates."""
    number = len(own)
    share = own / own.sum()
    distance = np.where(np.eye(number) > 0, 0, -1)
    paths = np.eye(number)
    levels = 0
    while True:
        found = np.where(distance == levels, paths, 0.0) @ joined
        fresh = (found > 0) & (distance < 0)
        if not fresh.any():
            break
        levels += 1
        distance[fresh], paths[fresh] = levels, found[fresh]
    with_endpoints = own > 0
    if (distance[np.ix_(with_endpoints, with_endpoints)] < 0).any():
        return None
    passed, loads = np.zeros((number, number)), np.zeros((number, number))
    for level in range(levels, 0, -1):
        here = distance == level
        per_path = np.where(here, (share + passed) / np.where(here, paths, 1.0), 0.0)
        before = np.where(distance == level - 1, paths, 0.0)
        loads += (before * own[:, None]).T @ per_path * joined
        passed += before * (per_path @ joined)
    return loads


def torus_bytes_per_s(topology: Torus, live: Network) -> float:
    """Rate at which every endpoint of a torus can send to all others alike, in bytes/s: 2 * link / mean hops.

    Dimension-ordered or spread alike, each dimension of length k carries (k^2 - k mod 2)/(4 k) hops of every message
    over two links; the longest sets the rate. Of damaged links the slowest counts. Raises InfeasibleError for dead
    ones: what traffic around them costs is not known.
    """
    hops = max((k * k - k % 2) / (4.0 * k) for k in topology.dimensions)
    slowest = float(live.bytes_per_s.min())
    if not slowest:
        raise InfeasibleError("damage: traffic around dead links of a torus is not known")
    return 2.0 * slowest / hops
