"""Engines' own kernels that reach into the memory of other ranks: small all-reduce, expert dispatch and combine.

NCCL's times are in `estimate.collectives`; for the few kilobytes of a decoding step these take a third of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.estimate.collectives import all_reduce_s, stretch
from myriad.estimate.tiers import Array, place
from myriad.spec.cluster import Link
from myriad.spec.serving_kernels import ExpertExchange, PeerAllReduce, Transfer


def peer_all_reduce_s(bytes_: npt.ArrayLike, ranks: npt.ArrayLike, bytes_per_s: float, fit: PeerAllReduce) -> Array:
    """Time to give every rank the sum of all ranks' `bytes_` through peers' memory, in seconds.

        one = (n-1) * bytes / (bytes_per_s * one_shot_share)
        two = 2 (n-1)/n * bytes / (bytes_per_s * two_shot_share) + second
        T   = start + step * log2 n + min(one, two)

    `bytes_per_s` is the link's, one way. A group of one takes no time.
    """
    n, size = np.asarray(ranks, float), np.asarray(bytes_, float)
    one = (n - 1.0) * size / (bytes_per_s * fit.one_shot_share)
    two = 2.0 * (n - 1.0) / n * size / (bytes_per_s * fit.two_shot_share) + fit.second_s
    time: Array = np.where(n > 1.0, fit.start_s + fit.step_s * np.log2(n) + np.minimum(one, two), 0.0)
    return time


def engine_all_reduce_s(
    bytes_: npt.ArrayLike,
    size: npt.ArrayLike,
    stride: npt.ArrayLike,
    links: tuple[Link, ...],
    fit: PeerAllReduce,
) -> Array:
    """Time of an engine's all-reduce over `size` ranks, `stride` apart, in seconds.

    The faster of `peer_all_reduce_s` and NCCL within the nearest tier of links, NCCL beyond.
    """
    nccl = all_reduce_s(bytes_, place(size, stride, links))
    near = links[0]
    reach = np.asarray(size, float) * np.asarray(stride, float)
    peers = peer_all_reduce_s(bytes_, size, near.bytes_per_s_one_way, fit)
    time: Array = np.where(reach <= near.domain, np.minimum(peers, nccl), nccl)
    return time


def expert_transfer_s(
    tokens: npt.ArrayLike,
    token_bytes: npt.ArrayLike,
    topk: npt.ArrayLike,
    experts: npt.ArrayLike,
    ranks: npt.ArrayLike,
    links: tuple[Link, ...],
    fit: Transfer,
    copy_per_expert: bool,
    most_domains: npt.ArrayLike = np.inf,
) -> Array:
    """Time to send `tokens` of each rank to their experts on `ranks` ranks, or back, in seconds.

        near = tokens * token_bytes * near_copies / (bandwidth * share)
        far  = tokens * token_bytes * far_copies / (bandwidth * efficiency)
        T    = start + expert_s * experts + max(near, far) + latency, if any token goes far

    With a copy per expert (DeepEP's low-latency kernels) a token is sent `topk` times, those within the domain near,
    the others far. Else (its normal kernels, and TensorRT-LLM's) once to each rank of the domain that has one of its
    experts, and once to each other domain, whose ranks pass it on. Choices are taken as even and independent; a rank's
    own copy counts as sent. Routing limited to groups keeps a token's experts in `most_domains`. `links` are the tiers
    seen from one rank, consecutive ranks fill the nearest first; far links have the efficiency of long collectives, and
    of several tiers the slowest counts with what crosses it.
    """
    n, k = np.asarray(ranks, float), np.asarray(topk, float)
    near = links[0]
    inside = np.minimum(float(near.domain), n)
    domains = np.ceil(n / inside)
    if copy_per_expert:
        near_copies, far_copies = k * inside / n, k * (1.0 - inside / n)
    else:
        # Tokens that come from other domains are passed on here: as many as leave.
        near_copies, reached = copies(k, n, near, most_domains)
        far_copies = reached * (1.0 - 1.0 / domains)
    sent = np.asarray(tokens, float) * np.asarray(token_bytes, float)
    near_s = sent * near_copies / (near.bytes_per_s_one_way * fit.share)
    far_s, latency = _far(sent * far_copies, inside, n, links[1:] or (near,))
    time: Array = np.where(
        n > 1.0, fit.start_s + fit.expert_s * np.asarray(experts, float) + np.maximum(near_s, far_s) + latency, 0.0
    )
    return time


def expert_exchange_s(
    tokens: npt.ArrayLike,
    dispatched_bytes: npt.ArrayLike,
    combined_bytes: npt.ArrayLike,
    topk: npt.ArrayLike,
    experts: npt.ArrayLike,
    ranks: npt.ArrayLike,
    links: tuple[Link, ...],
    fit: ExpertExchange,
    copy_per_expert: bool,
) -> Array:
    """Time of dispatch and combine of one layer, in seconds; bytes are those of one token each way."""
    dispatch = expert_transfer_s(tokens, dispatched_bytes, topk, experts, ranks, links, fit.dispatch, copy_per_expert)
    combine = expert_transfer_s(tokens, combined_bytes, topk, experts, ranks, links, fit.combine, copy_per_expert)
    time: Array = dispatch + combine
    return time


def _far(far_bytes: Array, inside: Array, ranks: Array, links: tuple[Link, ...]) -> tuple[Array, Array]:
    """Time of what one rank sends beyond its domain, on the slowest of the tiers that it crosses, and their latency.

    Each tier carries what goes to ranks beyond the nearer ones, from each rank one flow to each far domain.
    """
    far_s, latency, reach = np.zeros(()), np.zeros(()), inside
    for link in links:
        share = np.where(ranks > reach, (ranks - reach) / np.maximum(ranks - inside, 1.0), 0.0)
        moving = far_bytes * share / (link.bytes_per_s_one_way * link.efficiency)
        if link.contention:
            moving = moving * stretch((ranks - reach) / inside, link.contention)
        far_s = np.maximum(far_s, moving)
        latency = np.where(ranks > reach, link.latency_s, latency)
        reach = np.maximum(reach, float(link.domain))
    return far_s, latency


def copies(
    topk: npt.ArrayLike, ranks: npt.ArrayLike, near: Link, most_domains: npt.ArrayLike = np.inf
) -> tuple[Array, Array]:
    """Different ranks, and different domains of the link `near`, that one token's experts lie on, its own included.

    Choices are even and independent, in the whole group or, if fewer, in `most_domains` of its domains.
    """
    n, k = np.asarray(ranks, float), np.asarray(topk, float)
    inside = np.minimum(float(near.domain), n)
    domains = np.ceil(n / inside)
    within = np.minimum(np.asarray(most_domains, float), domains)
    return _different(k, np.minimum(within * inside, n)), _different(k, within)


def _different(choices: Array, places: Array) -> Array:
    """Expected number of different places that so many even, independent choices fall on."""
    found: Array = places * (1.0 - (1.0 - 1.0 / places) ** choices)
    return found
