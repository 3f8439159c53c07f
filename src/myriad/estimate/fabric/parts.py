"""Equal parts of a fabric, its leaves and its pods, and the links that leave them upwards."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from myriad.estimate.fabric.network import Array, IntArray, Network
from myriad.estimate.fabric.uniform import summed, uniform_share
from myriad.spec.fabric import Fabric

WITH_CUTS = ("fat-tree", "dragonfly-plus")
"""Kinds of topologies whose traffic leaves through the tops of ever larger parts."""


@dataclass(frozen=True)
class Wiring:
    """How well the links of equal parts to the switches above match; 1 where all have as many to each."""

    neighbours: float
    """By what factor traffic between two parts beside each other takes longer than their links would let it, since
    they do not lead to the same switches."""
    hashed: float
    """The same where a hash picks links one by one: the fullest over the mean."""
    hashed_all: float
    """The same of traffic from all parts to one."""


EVEN = Wiring(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Cut:
    """The links upwards of equal parts of a fabric: of its leaves, or of its pods."""

    hosts: float
    """That reach each other below, on one rail; a host may lie half in a leaf."""
    share: float
    """Live bandwidth upwards over the bandwidth of the cards below; of the part where it is least."""
    links: float
    """Live links of that part, in one plane."""
    endpoints: float
    """Cards below it."""
    all_links: int
    """Live links of all parts and planes."""
    wiring: Wiring


def cuts_of(fabric: Fabric, whole: Network, live: Network) -> list[Cut]:
    """The cuts of a fabric, nearest first; of topologies without tiers what uniform traffic leaves beyond a switch."""
    if not whole.num_switches:
        return []
    leaf_of = whole.upper[whole.link_class == 0] - whole.num_endpoints
    if fabric.topology.kind not in WITH_CUTS:
        hosts = _hosts_below(whole, leaf_of)
        return [Cut(hosts, _uniform(whole, live, hosts), 0.0, 0.0, 0, EVEN)]
    groups = int(whole.switch_group.max()) + 1
    pod = np.where(whole.switch_group >= 0, whole.switch_plane * groups + whole.switch_group, -1)
    leaf = np.where(whole.switch_tier == 0, np.arange(whole.num_switches), -1)
    near = pod
    if getattr(fabric.topology, "rails", "") == "aligned":
        # What leaves a leaf goes to leaves of the same rail.
        rail = np.zeros(whole.num_switches, dtype=np.int64)
        rail[leaf_of] = whole.lower[whole.link_class == 0] % whole.nics_per_host
        near = np.where(pod >= 0, pod * whole.nics_per_host + rail, -1)
    cuts = [_cut(whole, live, leaf, leaf_of, near)]
    if groups > 1:
        cut = _cut(whole, live, pod, pod[leaf_of], whole.switch_plane)
        if fabric.topology.kind != "fat-tree":
            # Groups have links of their own to each other, which none but their traffic may take.
            cut = replace(cut, share=min(cut.share, _uniform(whole, live, cut.hosts)))
        cuts.append(cut)
    return cuts


def _uniform(whole: Network, live: Network, hosts: float) -> float:
    """What uniform traffic gets of the cards beyond parts of so many hosts, of what it sends there."""
    return uniform_share(whole, live) * (1.0 - min(hosts / whole.num_hosts, 1.0))


def _cut(whole: Network, live: Network, part: IntArray, below: IntArray, within: IntArray) -> Cut:
    """The cut around parts: the part of each switch (-1 is none), and of each link of an endpoint.

    Parts of the same `within`, behind each other, are neighbours.
    """
    first = whole.link_class == 0
    number = int(part.max()) + 1
    cards = summed(below, whole.bytes_per_s[first], number)
    part_of = np.concatenate([np.full(whole.num_endpoints, -1), part])
    lower, upper = part_of[live.lower], part_of[live.upper]
    leaving = ~first & (lower != upper) & (live.bytes_per_s > 0)
    up, links = np.zeros(number), np.zeros(number)
    for end in (lower, upper):
        own = leaving & (end >= 0)
        up += summed(end[own], live.bytes_per_s[own], number)
        links += summed(end[own], np.ones(int(own.sum())), number)
    used = np.flatnonzero(cards)
    shares = up[used] / cards[used]
    worst = used[int(np.argmin(shares))]
    upwards = leaving & (lower >= 0) & (upper < 0)
    place = np.zeros(number, dtype=np.int64)
    place[part[part >= 0]] = within[part >= 0]
    return Cut(
        hosts=_hosts_below(whole, below),
        share=float(shares.min()),
        links=float(links[worst]),
        endpoints=float((below == worst).sum()),
        all_links=int(links.sum()),
        wiring=_wiring(lower[upwards], live.upper[upwards], place),
    )


def _hosts_below(whole: Network, below: IntArray) -> float:
    """Hosts that a part joins on one rail, the most of all parts."""
    rail = whole.lower[whole.link_class == 0] % whole.nics_per_host
    cards = np.bincount(below)
    rails = np.bincount(np.unique(below * whole.nics_per_host + rail) // whole.nics_per_host)
    return float((cards / np.maximum(rails, 1)).max())


def _wiring(part: IntArray, switch: IntArray, place: IntArray) -> Wiring:
    """How links match, each from a part to a switch above; the worst of all places."""
    order = np.argsort(place[part], kind="stable")
    part, switch = part[order], switch[order]
    bounds = np.flatnonzero(np.diff(place[part], prepend=-1, append=-1))
    found = [EVEN]
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        parts, row = np.unique(part[begin:end], return_inverse=True)
        switches, column = np.unique(switch[begin:end], return_inverse=True)
        links: Array = np.zeros((len(parts), len(switches)))
        np.add.at(links, (row, column), 1.0)
        if len(parts) > 1 and (links != links[0, 0]).any():
            found.append(_matched(links))
    return Wiring(
        max(one.neighbours for one in found), max(one.hashed for one in found), max(one.hashed_all for one in found)
    )


def _matched(links: Array) -> Wiring:
    """The wiring of parts (rows) to switches (columns), by numbers of links."""
    one, other = links[:-1], links[1:]
    each = np.minimum(one.sum(axis=1), other.sum(axis=1))
    in_common = np.minimum(one, other).sum(axis=1)
    if not in_common.all():
        return EVEN  # neighbours reach each other by a detour or not at all: not a matter of wiring
    reached = np.where(other > 0, one, 0.0)
    shares = reached / reached.sum(axis=1, keepdims=True)
    mean = (links / links.sum(axis=1, keepdims=True)).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        fullest = np.nan_to_num(shares / other, posinf=0.0).max(axis=1) * each
        fullest_of_all = np.where(links > 0, mean / links, 0.0).max(axis=1) * links.sum(axis=1)
    return Wiring(float((each / in_common).max()), float(fullest.max()), float(fullest_of_all.max()))
