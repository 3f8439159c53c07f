"""The operations of feed-forward parts on one rank: dense ones, and routed experts beside shared ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from myriad.estimate.kernels import memory_bound_s
from myriad.estimate.shop import Array, Cells, Operation, Shop
from myriad.spec.job import TrainingWork
from myriad.spec.model import DenseFeedForward, FeedForward, MixtureOfExperts


def feed_forward_operations(part: FeedForward, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    """All operations of one feed-forward part on one rank, without the norm before it."""
    match part:
        case DenseFeedForward():
            operations = _dense(part.width, part.gated, "mlp", "ffn", hidden, cells, shop)
            return [replace(op, launched="dense") for op in operations]
        case MixtureOfExperts():
            routing = [replace(op, launched="router") for op in _routing(part, hidden, cells, shop)]
            return routing + [replace(op, launched="experts") for op in _experts(part, hidden, cells, shop)]


def _dense(
    width: float, gated: bool, module: str, name: str, hidden: float, cells: Cells, shop: Shop
) -> list[Operation]:
    inner = width / cells.tp
    wide = 2.0 if gated else 1.0
    elements = cells.tokens * inner
    return [
        shop.gemm(f"{name} up", module, cells.tokens, wide * inner, hidden),
        shop.stream(
            f"{name} activation", module, (wide + 1) * cells.activation_bytes * elements,
            (2 * wide + 1) * cells.activation_bytes * elements, kernels=1.0 + wide,
            eager="activation",
        ),
        shop.gemm(f"{name} down", module, cells.tokens, hidden, inner),
    ]  # fmt: skip


def expert_tokens(moe: MixtureOfExperts, cells: Cells, work: TrainingWork) -> Array:
    """Token copies that the busiest expert rank computes per micro-batch."""
    balanced = cells.tokens / cells.sequence_shard * moe.top_k * cells.etp
    capacity = 1.0 if work.expert_capacity is None else max(work.expert_capacity, 1.0)
    return balanced * (work.expert_imbalance if work.expert_capacity is None else capacity)


def _routing(moe: MixtureOfExperts, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    """Scores, and the small kernels that turn them into a choice: softmax, top-k, masks, counts, balancing loss.

    Each passes once over the scores of all experts in fp32. There are about ten, twice as many without fusion.
    """
    shard_tokens = cells.tokens / cells.sequence_shard
    scores = 10 * 2 * 4.0 * shard_tokens * moe.experts
    # The router keeps 16 bits or more: nothing is quantised for it.
    router = shop.gemm("router", "moe", shard_tokens, float(moe.experts), hidden)
    return [
        replace(router, kernels=1.0, wrappers=0.0),
        shop.stream("routing", "moe", scores, scores, kernels=10.0, eager="routing"),
    ]


def _fuses_experts(moe: MixtureOfExperts, model_width: float, shop: Shop) -> bool:
    """Whether all experts of a rank run as one kernel per product, activation and quantisation within it.

    TransformerEngine's fused grouped MLP takes MXFP8, gated units without bias, and widths that are multiples
    of 256.
    """
    divides = moe.expert_width % 256 == 0 and model_width % 256 == 0
    return shop.stack.fused_experts and shop.work.precision == "mxfp8" and moe.gated and not moe.bias and divides


def _experts(moe: MixtureOfExperts, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    tokens = expert_tokens(moe, cells, shop.work)
    shard_tokens = cells.tokens / cells.sequence_shard
    groups = moe.experts / cells.ep
    inner = moe.expert_width / cells.etp
    model_width = float(moe.latent_dim or hidden)
    wide = 2.0 if moe.gated else 1.0
    copies = shard_tokens * moe.top_k * model_width
    fused = _fuses_experts(moe, model_width, shop)
    found = [
        shop.stream(
            "permute and combine",
            "moe",
            6 * cells.activation_bytes * copies,
            6 * cells.activation_bytes * copies,
            kernels=8.0,
            eager="permute",
        ),
        shop.grouped("expert up", groups, tokens, wide * inner, model_width, ready_gradient=fused),
        shop.grouped("expert down", groups, tokens, model_width, inner, ready=fused),
    ]
    if not fused:
        found.append(
            shop.stream(
                "expert activation", "moe_act", (wide + 1) * cells.activation_bytes * tokens * inner,
                (2 * wide + 1) * cells.activation_bytes * tokens * inner, kernels=1.0 + wide,
                eager="activation",
            )
        )  # fmt: skip
    if moe.bias:
        found.append(_expert_bias(groups, tokens, wide * inner, model_width, shop))
    if moe.latent_dim:
        found.append(shop.gemm("latent down", "moe", shard_tokens, model_width, hidden))
        found.append(shop.gemm("latent up", "moe", shard_tokens, hidden, model_width))
    if moe.shared_width:
        found += _dense(moe.shared_width, moe.gated, "shared_experts", "shared expert", hidden, cells, shop)
    if moe.shared_gate:
        found.append(shop.gemm("shared expert gate", "shared_experts", shard_tokens, 1.0, hidden))
    if moe.dense_width:
        found += _dense(moe.dense_width, moe.gated, "mlp", "parallel ffn", hidden, cells, shop)
    return found


def _expert_bias(groups: Array, tokens: Array, up: Array, down: float, shop: Shop) -> Operation:
    """Biases of experts: in the product of the up projection, outside it of the down projection.

    Megatron-Core weights the latter by the routing probabilities in fp32, expert by expert, joins the pieces
    and casts them: 28 bytes per element forward, 36 backward. The gradient of the former reads its input once.
    """
    forward_bytes, backward_bytes = 28.0 * tokens * down, 36.0 * tokens * down + shop.activation_bytes * tokens * up
    return Operation(
        "expert bias", "memory_bound", "moe",
        forward_s=memory_bound_s(forward_bytes, shop.device, kernels=2.0 + 2.0 * groups),
        backward_s=memory_bound_s(backward_bytes, shop.device, kernels=3.0 + 4.0 * groups),
        weight_grad_s=np.zeros_like(tokens),
        forward_flops=np.zeros_like(tokens), forward_bytes=forward_bytes, kernels=2.0 + 2.0 * groups,
    )  # fmt: skip
