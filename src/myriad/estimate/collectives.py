"""Collective times over tiers of links (NVLink inside a node, a network between, long links between sites).

Every tier on which a group lies (`estimate.tiers`) carries its share at once (NCCL pipelines them), so the slowest sets
the time:

    T = max over tiers of  volume / (bandwidth * efficiency) * (1 + sqrt(half_bytes / volume))
        + sum over tiers of  start + latency * steps

`volume` is what one rank moves over that tier. The square root is how NCCL's bandwidth rises with size:
protocols and channels change on the way, so it takes far longer than latency alone would explain. `start` is
the launch and the first handshake, which do not grow with the group. `steps` is how many ranks a small message
passes: all others of a scale-up domain, in a ring (`CHAIN` at most, then one more for every doubling), log2 of a
network's members; twice as many for an all-reduce, there and back; a few for an all-to-all, which goes straight.
All byte counts, sizes and strides broadcast; a group of one takes no time.

Members of a group that share a scale-up domain each use their own card and rail: so many rings run beside each other,
and each enters and leaves a farther domain once. Expert copies travel on the sender's rail and change rails over
scale-up links (PXN), so an all-to-all has one flow to each far scale-up domain. Where flows are hashed onto links,
`Link.contention` stretches what they take, by how many there are.

Left out: traffic of other kinds at the same time. Pools whose fabric is not described have one tier of network without
contention beyond what `Link.efficiency` holds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from myriad.estimate.tiers import Array, Placement, Tier, cards_of, place
from myriad.spec.cluster import Link

OWN_PART = 0.3
"""Time of a byte that a rank copies from its own input to its own result, over that of a byte that it receives: the
same channels copy it, within the memory of the rank. Fits of A100, H100, B200 and GB200 lie between 0.23 and 0.36."""

CHAIN = 8.0
"""Ranks of one host, which NCCL joins in a ring or a chain whatever it does between hosts. Measured times of small
messages on 2, 4 and 8 ranks of A100, H100 and B200 lie on a straight line in the ranks."""


def all_gather_s(result_bytes: npt.ArrayLike, placement: Placement) -> Array:
    """Time to give every rank the whole result of `result_bytes`, in seconds.

    Ring: each rank receives result * (n-1)/n and copies its own part; over a farther tier, the links of the members
    that share a domain carry it together. Links of which gathers reach a share only (`Link.gather_share`) carry so much
    more.
    """
    result = np.asarray(result_bytes, float)
    volumes = _ring(result, placement)
    volumes[0] = volumes[0] + OWN_PART * result / placement.size
    volumes = [volume / tier.gather_share for volume, tier in zip(volumes, placement.tiers, strict=True)]
    return _slowest_tier(placement, volumes, _passed, _rings(placement))


def reduce_scatter_s(input_bytes: npt.ArrayLike, placement: Placement) -> Array:
    """Time to sum `input_bytes` of every rank and leave each its part, in seconds: an all-gather backwards."""
    return all_gather_s(input_bytes, placement)


def all_reduce_s(bytes_: npt.ArrayLike, placement: Placement) -> Array:
    """Time to give every rank the sum of all ranks' `bytes_`, in seconds: the faster of ring and switch."""
    ring = all_reduce_in_ring_s(bytes_, placement)
    if all(tier.reduction_bytes_per_s is None for tier in placement.tiers):
        return ring
    return np.minimum(ring, all_reduce_in_switch_s(bytes_, placement))


def all_reduce_in_ring_s(bytes_: npt.ArrayLike, placement: Placement) -> Array:
    """Time of an all-reduce that ranks sum themselves, in seconds.

    Every rank moves 2 (n-1)/n of the bytes, as in a reduce-scatter and an all-gather, but in one pipelined kernel and
    in place: less than the two apart. This form was chosen on NCCL's times inside nodes; the link's figures were
    fitted to the other collectives.
    """
    volumes = _ring(2.0 * np.asarray(bytes_, float), placement)
    return _slowest_tier(placement, volumes, lambda tier: 2.0 * _passed(tier), _rings(placement))


def all_reduce_in_switch_s(bytes_: npt.ArrayLike, placement: Placement) -> Array:
    """Time of an all-reduce that switches sum (NVLS in scale-up, SHARP beyond), in seconds; infinite where none does.

        scale-up:  volume = bytes * (1 + 1/m)     of m members: each reads its part as a sum and sends it to all,
                                                  and all read from each
        network:   volume = bytes / inner         each sends once and receives once
        a tier without such switches:  2 (k-1)/k * bytes / inner  among its k members

    The same form as `T` above, with `reduction_bytes_per_s` and `reduction_start_s`, and no steps. NCCL's times of
    8 GiB on 5 to 8 H200 are this volume over one bandwidth within 2 %, on 6 to 8 B200 within 1 %
    (stas00/ml-engineering).
    """
    size = np.asarray(bytes_, float)
    slowest: Array = np.zeros(())
    fixed: Array = np.zeros(())
    summed = np.zeros(np.shape(placement.size), bool)
    flows = _rings(placement)
    for tier in placement.tiers:
        used = tier.members > 1.0
        part = size / tier.inner
        if tier.reduction_bytes_per_s is None:
            joined = tier.members if tier.scale_up else np.maximum(np.ceil(placement.size / tier.inner), 1.0)
            volume, bytes_per_s = part * 2.0 * (1.0 - 1.0 / joined), tier.bytes_per_s
            fixed = fixed + np.where(used, tier.start_s, 0.0) + tier.latency_s * 2.0 * _passed(tier)
        else:
            volume = part * (1.0 + 1.0 / tier.members) if tier.scale_up else part
            bytes_per_s = tier.reduction_bytes_per_s
            fixed = fixed + np.where(used, tier.reduction_start_s, 0.0)
            summed = summed | used
        moving = np.where(tier.crossed, _transfer_s(volume, bytes_per_s, tier.half_bytes), 0.0)
        slowest = np.maximum(slowest, _stretched(moving, tier, flows))
    time: Array = np.where(summed, slowest + fixed, np.inf)
    return time


def all_to_all_s(sent_bytes_per_rank: npt.ArrayLike, placement: Placement, far_share: npt.ArrayLike = 1.0) -> Array:
    """Time for every rank to send `sent_bytes_per_rank` in equal parts to all n members, in seconds.

    A rank sends the parts for members in its domain over the near tier, and all others on its own far link.
    `far_share` is the share of the far volume that really travels where copies are sent on inside the
    domain (DeepEP, HybridEP).
    """
    part = np.asarray(sent_bytes_per_rank, float) / placement.size
    n = placement.size
    volumes = [
        part * ((np.minimum(tier.inner * tier.members, n) if tier.scale_up else n) - tier.stays)
        for tier in placement.tiers
    ]
    volumes[1:] = [volume * np.asarray(far_share, float) for volume in volumes[1:]]
    volumes[0] = volumes[0] + OWN_PART * part

    def steps(tier: Tier) -> Array:
        """To the farthest member of a network."""
        return np.where((tier.members > 1.0) & ~np.asarray(tier.beyond), 1.0 + tier.scale_up, 0.0)

    cards = cards_of(placement.tiers, n)
    return _slowest_tier(placement, volumes, steps, lambda tier: (n - tier.stays) / cards)


def send_recv_s(
    bytes_: npt.ArrayLike, stride: npt.ArrayLike, links: tuple[Link, ...], apart: npt.ArrayLike | None = None
) -> Array:
    """Time of one message to the rank `stride` further on, in seconds, over the tier where the two meet.

    All ranks send at once. Of those in a domain of D accelerators that network tiers lie beyond, min(d/D, 1) send into
    these, those within d of its border: d is `apart` where that is not the stride, as between stages of a pipeline that
    leaves the domain somewhere.
    """
    placement = place(2.0, stride, links)
    sent, d = np.asarray(bytes_, float), np.asarray(stride if apart is None else apart, float)

    def entering(tier: Tier) -> Array:
        if not tier.below:
            return np.ones(())
        share: Array = np.where(2.0 * np.asarray(stride) > tier.below, np.minimum(d / tier.below, 1.0), 0.0)
        return share

    volumes = [
        sent * entering(tier) if tier.below else volume
        for tier, volume in zip(placement.tiers, _ring(2.0 * sent, placement), strict=True)
    ]
    return _slowest_tier(placement, volumes, _passed, entering)


_OfTier = Callable[[Tier], Array]


def _rings(placement: Placement) -> _OfTier:
    """Flows per accelerator that rings send into a tier: one per card that the group has in a scale-up domain."""
    cards = cards_of(placement.tiers, placement.size)
    return lambda tier: cards / tier.inner


def _ring(result_bytes: Array, placement: Placement) -> list[Array]:
    """What one rank receives over each tier when all get the whole result."""
    received = result_bytes * (1.0 - 1.0 / placement.size)
    return [received / tier.inner for tier in placement.tiers]


def _passed(tier: Tier) -> Array:
    """Ranks that a small message passes on its way to all members of a tier."""
    chain = np.minimum(tier.members, CHAIN) if tier.scale_up else np.ones_like(tier.members)
    passed: Array = chain - 1.0 + np.log2(tier.members / chain)
    return passed


def _transfer_s(volume: Array, bytes_per_s: float | Array, half_bytes: float) -> Array:
    time: Array = (volume + np.sqrt(half_bytes * volume)) / bytes_per_s
    return time


def _slowest_tier(placement: Placement, volumes: list[Array], steps: _OfTier, flows: _OfTier) -> Array:
    slowest: Array = np.zeros(())
    latency: Array = np.zeros(())
    for tier, volume in zip(placement.tiers, volumes, strict=True):
        moving = _transfer_s(np.where(tier.crossed, volume, 0.0), tier.bytes_per_s, tier.half_bytes)
        slowest = np.maximum(slowest, _stretched(moving, tier, flows))
        latency = latency + np.where(tier.members > 1.0, tier.start_s, 0.0) + tier.latency_s * steps(tier)
    return slowest + latency


def _stretched(moving_s: Array, tier: Tier, flows: _OfTier) -> Array:
    return moving_s * stretch(flows(tier), tier.contention) if tier.contention else moving_s


def stretch(flows: Array, contention: tuple[tuple[float, float], ...]) -> Array:
    """By what factor so many flows per accelerator take longer than evenly spread ones."""
    of, factor = np.array(contention).T
    stretched: Array = np.exp(np.interp(np.log(np.maximum(flows, of[0])), np.log(of), np.log(factor)))
    return stretched
