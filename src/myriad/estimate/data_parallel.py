"""Data parallelism: what is sharded, what travels, and how long it is exposed.

Dense parameters are replicated over `dp * cp` ranks, experts over `dp * cp * tp / (ep * etp)`. ZeRO
stages follow Rajbhandari et al., arXiv 1910.02054; hybrid sharding (HSDP) shards within `shard` ranks
and reduces across the copies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from myriad.estimate.collectives import all_gather_s, all_reduce_s, reduce_scatter_s
from myriad.estimate.kernels import eager_s
from myriad.estimate.operations import Array
from myriad.estimate.tiers import Placement, place
from myriad.spec.calibration import EagerPasses, Stack
from myriad.spec.cluster import Link
from myriad.spec.job import Optimizer
from myriad.spec.layout import IntArray, LayoutTable

CHIP_SPREAD = 0.01
"""Standard deviation of the speed of equal chips under load: they differ by 8 % between slowest and fastest within
clusters of some hundred (Sinha et al., SC 2022, arXiv 2208.11035), which are about six to eight deviations."""


def straggling_share(layouts: LayoutTable) -> Array:
    """What a step waits for the slowest of its ranks, as a share of its compute: spread * sqrt(2 ln ranks).

    The leading term of the expected largest of so many normal values. All ranks meet at every step.
    """
    return slowest_of(layouts.tp * layouts.cp * layouts.pp * layouts.dp)


def slowest_of(ranks: IntArray) -> Array:
    """By what share the slowest of so many equal chips is behind their mean: see `straggling_share`."""
    share: Array = CHIP_SPREAD * np.sqrt(2.0 * np.log(ranks.astype(float)))
    return share


@dataclass(frozen=True)
class Replicas:
    """Group sizes and rank strides of data parallelism, arrays (C,)."""

    dense_shard: Array
    dense_copies: Array
    expert_shard: Array
    expert_copies: Array
    dense_stride: Array
    expert_stride: Array


def replicas(layouts: LayoutTable) -> Replicas:
    """Over how many ranks each parameter is sharded and copied.

    With pipeline stages placed inside data parallelism (`tp-cp-ep-pp-dp`), neighbours in a data-parallel
    group are `pp` times as far apart.
    """
    dense = (layouts.dp * layouts.cp).astype(float)
    spread = (layouts.ep * layouts.etp).astype(float)
    expert = dense * layouts.tp / spread
    limit = np.where(layouts.shard > 0, layouts.shard, np.inf)
    dense_shard = np.minimum(limit, dense)
    expert_shard = np.minimum(limit, expert)
    apart = np.where(layouts.order == 1, layouts.pp, 1)
    return Replicas(
        dense_shard=dense_shard,
        dense_copies=dense / dense_shard,
        expert_shard=expert_shard,
        expert_copies=expert / expert_shard,
        dense_stride=layouts.tp * apart.astype(float),
        expert_stride=spread * apart,
    )


@dataclass(frozen=True)
class Traffic:
    """Data-parallel communication of one pass each, in seconds, arrays (C,)."""

    reduce_s: Array
    """Gradients, after a backward pass."""
    gather_s: Array
    """Parameters, before or during a pass; none without sharding."""

    def take(self, index: IntArray) -> Traffic:
        return Traffic(self.reduce_s[index], self.gather_s[index])


def traffic(
    layouts: LayoutTable,
    dense_parameters: Array,
    expert_parameters: Array,
    optimizer: Optimizer,
    stack: Stack,
    links: tuple[Link, ...],
    copies_s: Callable[[Array], Array],
) -> Traffic:
    """What data parallelism sends for the parameters (C,) of one rank's stage.

    ZeRO-0 sums gradients everywhere; from ZeRO-1 on they are scattered within a copy and summed over the copies, and
    parameters are gathered. `copies_s` gives the time to copy so many bytes between parameters and what is sent: once
    with every gather and every scatter, there and back where gradients are summed whole.
    """
    r = replicas(layouts)
    reduce_s = np.zeros_like(r.dense_shard)
    gather_s = np.zeros_like(r.dense_shard)
    for parameters, shard, copies, stride in (
        (dense_parameters, r.dense_shard, r.dense_copies, r.dense_stride),
        (expert_parameters, r.expert_shard, r.expert_copies, r.expert_stride),
    ):
        inner, outer = place(shard, stride, links), place(copies, stride * shard, links)
        gradient_bytes = optimizer.gradient_reduce_bytes * parameters
        scattered = reduce_scatter_s(gradient_bytes, inner) + all_reduce_s(gradient_bytes / shard, outer)
        everything = place(shard * copies, stride, links)
        reduce_s = reduce_s + np.where(layouts.zero == 0, all_reduce_s(gradient_bytes, everything), scattered)
        gather_s = gather_s + all_gather_s(optimizer.weight_bytes * parameters, inner)
        if stack.gathers_by_broadcast:
            gather_s = gather_s + np.where(parameters > 0, shard * _ring_latency_s(inner), 0.0)
    whole = dense_parameters + expert_parameters
    copied_s = np.where(layouts.zero == 0, 2.0, 1.0) * copies_s(optimizer.gradient_reduce_bytes * whole)
    alone = r.dense_shard * r.dense_copies == 1.0
    reduce_s = reduce_s + np.where(alone, 0.0, copied_s)
    gather_s = gather_s + np.where(alone, 0.0, copies_s(optimizer.weight_bytes * whole))
    return Traffic(reduce_s, np.where(layouts.zero == 0, 0.0, gather_s))


def exposed_s(
    layouts: LayoutTable,
    num_micro_batches: IntArray,
    sent: Traffic,
    forward_s: Array,
    backward_s: Array,
    stack: Stack,
) -> tuple[Array, Array]:
    """Exposed and hidden data-parallel communication per step, in seconds, arrays (C,).

    `forward_s` and `backward_s` are of one micro-batch on the stage that sends.
    ZeRO-0 and 1 reduce once per step behind the backward pass of the last micro-batch, ZeRO-2 and 3 in that
    of every micro-batch. ZeRO-1 and 2 gather parameters behind the forward pass of the first micro-batch,
    ZeRO-3 in both passes of each. Traffic hides behind its window, but never more than the stack's
    overlap fraction of it; while hidden, it slows compute by the stack's contention.
    """
    sharded = layouts.zero == 3
    overlap = np.where(sharded, stack.fsdp_overlap, stack.dp_overlap)
    forward_hidden = np.minimum(overlap * sent.gather_s, forward_s)
    backward_total = sent.reduce_s + np.where(sharded, sent.gather_s, 0.0)
    backward_hidden = np.minimum(overlap * backward_total, backward_s)
    gathers = np.where(sharded, num_micro_batches, 1.0)
    reduces = np.where(layouts.zero >= 2, num_micro_batches, 1.0)
    total = gathers * sent.gather_s + reduces * backward_total
    hidden = gathers * forward_hidden + reduces * backward_hidden
    return stack.stretch_of("dp") * (total - (1.0 - stack.contention) * hidden), hidden


def _ring_latency_s(group: Placement) -> Array:
    """Seconds that the first byte takes from member to member through the whole group."""
    hops, latency_s = group.size - 1.0, np.zeros_like(group.size)
    for tier in reversed(group.tiers):
        far = np.maximum(np.minimum(tier.members - 1.0, hops), 0.0)
        latency_s, hops = latency_s + far * tier.latency_s, hops - far
    return np.asarray(latency_s + hops * group.tiers[0].latency_s)


def optimizer_s(
    layouts: LayoutTable,
    dense_parameters: Array,
    expert_parameters: Array,
    optimizer: Optimizer,
    memory_bytes_per_s: float,
    host_bytes_per_s: float | None,
    eager: EagerPasses | None = None,
) -> Array:
    """Time of the optimizer step on one rank, in seconds: states read and written once, or as `eager` says.

    Offloaded states stay in host memory: gradients go down and weights come up over the host link; the
    update there is taken to keep up with the link.
    """
    sharded = sharded_parameters(layouts, dense_parameters, expert_parameters)
    own = np.where(layouts.zero == 0, dense_parameters + expert_parameters, sharded)
    states = 2 * (optimizer.master_bytes + optimizer.moment_bytes)
    moved = own * (optimizer.gradient_bytes + states + optimizer.weight_bytes)
    on_device = moved / memory_bytes_per_s if eager is None else eager_s(moved, eager.forward, memory_bytes_per_s)
    if host_bytes_per_s is None:
        return on_device
    over_link = own * (optimizer.gradient_bytes + optimizer.weight_bytes) / host_bytes_per_s
    return np.where(layouts.offload_optimizer > 0, over_link, on_device)


def sharded_parameters(layouts: LayoutTable, dense: Array, expert: Array) -> Array:
    """Parameters of one rank where those of its stage are sharded; parameters (..., C), as result."""
    r = replicas(layouts)
    return np.asarray(dense / r.dense_shard + expert / r.expert_shard)


def state_bytes(
    layouts: LayoutTable, dense_parameters: Array, expert_parameters: Array, optimizer: Optimizer, stack: Stack
) -> dict[str, Array]:
    """Weights, gradients and optimizer states of one rank, in bytes; parameters (..., C), as results.

    FSDP keeps no 16-bit copy of sharded weights beside the master copy. Flat copies of the gradient that the step
    makes count as optimizer states: the allocator keeps their memory.
    """
    whole = dense_parameters + expert_parameters
    sharded = sharded_parameters(layouts, dense_parameters, expert_parameters)

    def spread(from_stage: int) -> Array:
        return np.where(layouts.zero >= from_stage, sharded, whole)

    on_device = 1.0 - layouts.offload_optimizer
    cast = stack.gathers_from_master and optimizer.master_bytes > 0
    weights = optimizer.weight_bytes * np.where(cast & (layouts.zero == 3), on_device == 0, 1.0)
    per_parameter = optimizer.master_bytes + optimizer.moment_bytes
    per_parameter += optimizer.step_bytes if optimizer.flat_step_copies else 0.0
    return {
        "weights": weights * spread(3),
        "gradients": optimizer.gradient_bytes * spread(2),
        "optimizer": per_parameter * spread(1) * on_device,
    }
