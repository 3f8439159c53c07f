"""Where a group of ranks lies on tiers of links: how many of it meet on each, and what passes on to farther ones.

A group is `size` ranks, `stride` apart in rank order; consecutive ranks fill the domains of the nearest tier first.
Scale-up links are wires of their own. Tiers of the network lie on one another: what goes to a farther one passes the
nearer ones too, the card first of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError
from myriad.spec.cluster import Link

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tier:
    """One tier as one group sees it."""

    inner: Array
    """Members that share a domain of the tier below: so many links carry the group's traffic together."""
    stays: Array
    """Members, the rank itself among them, that it reaches without this tier."""
    members: Array
    """Domains of the tier below that the group joins here; 1 where it stays below this tier."""
    crossed: Mask
    """Whether traffic of the group passes this tier, be it on its way to one that lies on it."""
    beyond: Mask | bool
    """Whether the group goes on to a tier that lies on this one."""
    scale_up: bool
    """Links of its own; those of the others also carry what goes to tiers beyond them."""
    below: float
    """Accelerators of a domain of the nearer tier of the same network; 0 where this is the nearest."""
    bytes_per_s: float | Array
    half_bytes: float
    latency_s: float
    start_s: float
    gather_share: float
    reduction_bytes_per_s: float | None
    """Bandwidth of all-reduces that the tier's switches sum; `None` where they do not."""
    reduction_start_s: float
    contention: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Placement:
    """A group on its tiers, nearest first."""

    size: Array
    tiers: tuple[Tier, ...]


def place(size: npt.ArrayLike, stride: npt.ArrayLike, links: tuple[Link, ...]) -> Placement:
    """Where a group of `size` ranks, `stride` apart, lies on the links.

    Members within a domain of D accelerators: clip(D // stride, 1, size). Raises SpecError without links.
    A group larger than the last domain is carried by the last tier.
    """
    if not links:
        raise SpecError("a cluster needs at least one tier of links")
    n, apart = np.broadcast_arrays(np.asarray(size, float), np.asarray(stride, float))
    tiers: list[Tier] = []
    inner = np.ones_like(n)
    whole = max((float(link.domain) for link in links if link.tier == "scale-out"), default=0.0)
    for index, link in enumerate(links):
        far = link is links[-1]
        reach = n if far else np.clip(np.floor(link.domain / apart), inner, n)
        own, members = link.tier == "scale-up", np.ceil(reach / inner)
        in_network = index > 0 and link.tier == links[index - 1].tier
        below = float(links[index - 1].domain) if in_network else 0.0
        entering, stays, crossed = inner, inner, members > 1.0 if own else n > inner
        if in_network:
            entering, stays, crossed = _straddling(n, apart, below, whole, cards_of(tiers, n))
        bytes_per_s: float | Array = link.bytes_per_s_one_way * link.efficiency
        if link.point_to_point:
            bytes_per_s = bytes_per_s * np.clip((members - 1.0) / max(link.domain - 1.0, 1.0), 1.0 / link.domain, 1.0)
        share = link.reduction_share
        tiers.append(
            Tier(
                inner=entering,
                stays=stays,
                members=members,
                crossed=crossed,
                beyond=False if far or own else reach < n,
                scale_up=own,
                below=below,
                bytes_per_s=bytes_per_s,
                # Messages are as long in all tiers of a network; the card has taken its time for them already.
                half_bytes=0.0 if in_network else link.half_bytes,
                latency_s=link.latency_s,
                start_s=link.start_s,
                gather_share=link.gather_share,
                reduction_bytes_per_s=None if share is None else link.bytes_per_s_one_way * share,
                reduction_start_s=link.reduction_start_s,
                contention=link.contention,
            )
        )
        inner = reach
    return Placement(n, tuple(tiers))


def _straddling(n: Array, apart: Array, below: float, whole: float, cards: Array) -> tuple[Array, Array, Mask]:
    """What enters a farther tier of a network from one of its domains of `below` accelerators, where that is most.

    Groups lie behind each other and interleaved, so many as their members are apart. With w places of a group in a
    domain, a ring leaves it once, and an all-to-all stays in it with w members. But where domains and groups do not
    divide each other, a domain holds the end of some and the beginning of others: rings leave it twice, and the groups
    that fill it halves at worst stay with w/2; groups of n < w cross its two borders with (n^2 - (w mod n)^2)/2 pairs.
    """
    wide = np.maximum(below / apart, 1.0)
    alone = 2.0 * n * apart > whole  # the first accelerators, and no other group behind them
    even = alone | (n % wide == 0) | (wide % n == 0)
    inside = np.minimum(wide, n)
    pairs = (n**2 - (wide % n) ** 2) / 2.0
    entering = np.where(even, inside, np.maximum(wide / 2.0, np.minimum(cards, inside)))
    stays = np.where(even, inside, np.where(n > wide, wide / 2.0, n - pairs / wide))
    return entering, stays, ~even | (n > wide)


def domains(placement: Placement) -> Array:
    """Near domains that the group lies in."""
    near = placement.tiers[0]
    found: Array = np.maximum(placement.size / np.maximum(near.inner * near.members, 1.0), 1.0)
    return found


def cards_of(tiers: Sequence[Tier], size: Array) -> Array:
    """Members of a group that share a scale-up domain, so many network cards that it has in each."""
    return next((tier.inner for tier in tiers if not tier.scale_up), size)
