"""What uniform traffic on shortest paths leaves each endpoint, where a topology has no tiers to cut."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.spec.fabric import Torus

_LENGTHS = {"global": 3}
"""Of links between groups, where others count 1: a minimal path of a Dragonfly crosses one of them between any two
local ones (Kim, Dally, Scott and Abts, ISCA 2008), though two of them in a row may be fewer hops."""
_LARGE = 1500
"""Switches beyond which a sample of sources stands for all."""
_SOURCES = 256


def uniform_share(whole: Network, live: Network) -> float:
    """Rate at which every endpoint can send to all others alike, over the rate of its links; may be above 1.

    Traffic between two switches is spread evenly over all shortest paths of live links; the link with the most sets
    the rate. Loads are Brandes' dependencies (Journal of Mathematical Sociology, 2001), for all sources at once. In
    large networks they are of a sample of sources, and the mean over all links of a class counts, which damage raises
    less. Raises InfeasibleError where live links do not join all switches that have endpoints.
    """
    first = whole.link_class == 0
    switches, offset = whole.num_switches, whole.num_endpoints
    own = summed(whole.upper[first] - offset, whole.bytes_per_s[first], switches)
    every = -(-switches // _SOURCES) if switches > _LARGE else 1
    source = np.flatnonzero(own)[::every]
    joined: dict[int, Array] = {}
    ends: dict[int, Array] = {}
    for index, name in enumerate(whole.link_classes[1:], start=1):
        used = (whole.link_class == index) & (live.bytes_per_s > 0)
        pair = live.lower[used] - offset, live.upper[used] - offset
        links, rate = np.zeros((switches, switches)), np.zeros((switches, switches))
        np.add.at(links, pair, 1.0)
        np.add.at(rate, pair, live.bytes_per_s[used])
        length = _LENGTHS.get(name, 1)
        joined[length] = joined.get(length, np.zeros_like(links)) + links + links.T
        ends[length] = ends.get(length, np.zeros_like(rate)) + rate + rate.T
    sent = own[source] * own.sum() / own[source].sum()
    shares = []
    for length, load in _loads(joined, source, sent, own / own.sum()).items():
        busy = load > 0
        if every > 1:
            shares.append(float(ends[length].sum() / load.sum()))
        elif busy.any():
            shares.append(float((ends[length][busy] / load[busy]).min()))
    return min(shares, default=1.0)


def summed(places: IntArray, values: Array, number: int) -> Array:
    """The sum of the values at each of so many places."""
    found: Array = np.bincount(places, values, number).astype(float)
    return found


def _loads(joined: Mapping[int, Array], source: IntArray, sent: Array, share: Array) -> dict[int, Array]:
    """Traffic from switch to neighbour, by length of the link, where sources send to every switch its share."""
    number = len(share)
    distance = np.full((len(source), number), -1)
    paths = np.zeros((len(source), number))
    distance[np.arange(len(source)), source], paths[np.arange(len(source)), source] = 0, 1.0
    level = last = 0
    while level - last < max(joined):
        level += 1
        found = np.zeros_like(paths)
        for length, links in joined.items():
            found += np.where(distance == level - length, paths, 0.0) @ links
        fresh = (found > 0) & (distance < 0)
        if fresh.any():
            last = level
            distance[fresh], paths[fresh] = level, found[fresh]
    if (distance[:, share > 0] < 0).any():
        raise InfeasibleError("damage: cuts switches off from all others")
    passed = np.zeros_like(paths)
    loads = {length: np.zeros((number, number)) for length in joined}
    for level in range(last, 0, -1):
        here = distance == level
        per_path = np.where(here, (share + passed) / np.where(here, paths, 1.0), 0.0)
        for length, links in joined.items():
            before = np.where(distance == level - length, paths, 0.0)
            loads[length] += (before * sent[:, None]).T @ per_path * links
            passed += before * (per_path @ links)
    return loads


def torus_bytes_per_s(topology: Torus, live: Network) -> float:
    """Rate at which every endpoint of a torus can send to all others alike, in bytes/s: 2 * link / mean hops.

    Dimension-ordered or spread alike, each dimension of length k carries (k^2 - k mod 2)/(4 k) hops of every message
    over two links; the slowest link of each counts, and the dimension that takes longest. Raises InfeasibleError for
    dead links: what traffic around them costs is not known.
    """
    if not live.bytes_per_s.all():
        raise InfeasibleError("damage: traffic around dead links of a torus is not known")
    lower, upper = (np.array(np.unravel_index(end, topology.dimensions)) for end in (live.lower, live.upper))
    rates = [
        2.0 * float(live.bytes_per_s[lower[axis] != upper[axis]].min()) / ((length**2 - length % 2) / (4.0 * length))
        for axis, length in enumerate(topology.dimensions)
        if length > 1
    ]
    return min(rates, default=float("inf"))
