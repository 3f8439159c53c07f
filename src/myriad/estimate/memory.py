"""Memory of one rank: activations of a block, and what a pipeline stage holds in all.

Activation sizes follow what autograd keeps for the backward pass in Megatron-Core: inputs of matrix
products, keys, values and outputs of attention, inputs of activation functions. Checked against
published peaks in tests/validation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from myriad.estimate.operations import Array, Cells, expert_tokens, visible_pairs
from myriad.spec.calibration import Stack
from myriad.spec.job import TrainingWork
from myriad.spec.model import (
    Block,
    CompressedAttention,
    DenseFeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

UNFUSED_SCORE_BYTES = 5.0
"""Softmax output, its dropout mask and the dropped output: 2 + 1 + 2 bytes per score.
Source: Korthikanti et al., arXiv 2205.05198, equation 1."""


STUCK_SHARE = 1 / 3
"""Of what the allocator holds unused, the share that it cannot give back when memory runs out: gaps inside blocks that
are in use. Assumed; published runs at the largest micro-batch that fits (llm-foundry) leave room for no more."""


def fragmentation_bytes(come_and_go: Array, left_bytes: Array, stack: Stack) -> Array:
    """What the caching allocator holds unused, in bytes.

    A share of what comes and goes, up to what is left of the device: before it fails, the allocator gives
    back all blocks that are wholly unused (PyTorch, `release_cached_blocks`); `STUCK_SHARE` stays.
    """
    loose = stack.fragmentation_fraction * come_and_go
    return np.minimum(loose, np.maximum(left_bytes, STUCK_SHARE * loose))


def block_input_bytes(model: Model, cells: Cells) -> Array:
    """The input of one block per micro-batch: all that full recomputation keeps, in bytes."""
    return cells.activation_bytes * cells.tokens * model.hidden / cells.sequence_shard


def logits_bytes(model: Model, cells: Cells, stack: Stack) -> Array:
    """What the losses of one micro-batch hold at their peak, in bytes.

    Prediction depths have logits of their own; all losses are there before the first backward pass.
    """
    sharded = stack.logit_bytes if stack.sharded_logit_bytes is None else stack.sharded_logit_bytes
    per_logit = np.where(cells.tp > 1, sharded, stack.logit_bytes)
    return per_logit * (1 + model.mtp_depths) * cells.tokens * model.vocab / cells.tp


def block_activation_bytes(
    block: Block,
    model: Model,
    cells: Cells,
    work: TrainingWork,
    stack: Stack,
    kept: Mapping[str, Array],
    operand_bytes: float,
) -> Array:
    """Activations that one block keeps per micro-batch, in bytes; arrays (U,).

    `kept` says for each recompute module whether it is kept (1) or recomputed (0); whole-layer
    recomputation is not applied here. `operand_bytes` is the size of a saved input of a matrix product.
    Norms are modules of their own, which can be recomputed, before latent attention and experts alone: elsewhere
    they are one kernel with the product that follows and keep its input (TransformerEngine's LayerNormLinear).
    """
    saved = min(operand_bytes, cells.activation_bytes)
    shard_tokens = cells.tokens / cells.sequence_shard
    total = np.zeros_like(cells.tp)
    for part in (block.mixer, block.feed_forward):
        if part is not None:
            own = isinstance(part, (MultiLatentAttention, CompressedAttention, MixtureOfExperts))
            norm_input, norm_output = cells.activation_bytes, saved * (kept["layernorm"] if own else 1.0)
            total = total + shard_tokens * model.hidden * (norm_input + norm_output)
    total = total + _mixer_bytes(block, cells, work, stack, kept, saved)
    match block.feed_forward:
        case DenseFeedForward() as ff:
            total = total + _feed_forward_bytes(cells, ff.width / cells.tp, ff.gated, saved) * kept["mlp"]
        case MixtureOfExperts() as moe:
            tokens = expert_tokens(moe, cells, work)
            width = float(moe.latent_dim or model.hidden)
            wide = 2.0 if moe.gated else 1.0
            inner = moe.expert_width / cells.etp
            experts = tokens * (saved * width + cells.activation_bytes * wide * inner + saved * inner * kept["moe_act"])
            total = total + experts * kept["moe"]
            shared = _feed_forward_bytes(cells, moe.shared_width / cells.tp, moe.gated, saved)
            total = total + shared * kept["shared_experts"]
            beside = _feed_forward_bytes(cells, moe.dense_width / cells.tp, moe.gated, saved)
            total = total + beside * kept["mlp"]
    halved = block_input_bytes(model, cells) + _half_products_bytes(block, model, cells)
    return np.where(kept["every_other_product"] > 0, total, np.minimum(total, halved))


def _half_products_bytes(block: Block, model: Model, cells: Cells) -> Array:
    """Outputs of attention and half of those of matrix products, in bytes; grouped expert products are not kept.

    torchtitan keeps every second product in the order of execution: of q, k, v, o, gate, up and down the 1st, 3rd,
    5th and 7th. Which half it is differs by a few per cent between models; here it is the mean.
    """
    hidden = model.hidden / cells.sequence_shard
    products, attention = np.zeros_like(cells.tp), np.zeros_like(cells.tp)
    match block.mixer:
        case GroupedQueryAttention() as a:
            v_dim = a.v_head_dim or a.head_dim
            kv = np.maximum(a.kv_heads / cells.tp, 1.0) * (a.head_dim + (0 if a.shared_kv else v_dim))
            products = a.heads * a.head_dim * (2.0 if a.output_gate else 1.0) / cells.tp + kv + hidden
            attention = a.heads * v_dim / cells.tp
        case MultiLatentAttention() as a:
            latents = (a.q_lora_rank or 0.0) + a.kv_lora_rank + a.qk_rope_head_dim
            up = a.heads * (2 * a.qk_nope_head_dim + a.qk_rope_head_dim + a.v_head_dim) / cells.tp
            products, attention = latents + up + hidden, a.heads * a.v_head_dim / cells.tp
        case CompressedAttention() as a:
            low_rank = a.q_lora_rank + 2.0 * a.head_dim + a.output_groups * a.output_lora_rank / cells.tp
            products = a.heads * a.head_dim / cells.tp + low_rank + hidden
            attention = a.heads * a.head_dim / cells.tp
        case Mamba2() as a:
            state = a.groups * a.state_dim / np.minimum(cells.tp, a.groups)
            products = 2 * a.heads * a.head_dim / cells.tp + 2 * state + hidden
        case GatedDeltaNet() as a:
            keys, values = a.key_heads * a.key_head_dim / cells.tp, a.value_heads * a.value_head_dim / cells.tp
            products = 2 * keys + 2 * values + hidden
    match block.feed_forward:
        case DenseFeedForward() as ff:
            products = products + (2.0 if ff.gated else 1.0) * ff.width / cells.tp + hidden
        case MixtureOfExperts() as moe:
            wide = (2.0 if moe.gated else 1.0) * (moe.shared_width + moe.dense_width) / cells.tp
            products = products + wide + (hidden if moe.shared_width or moe.dense_width else 0.0)
    return cells.activation_bytes * cells.tokens * (attention + products / 2)


def _feed_forward_bytes(cells: Cells, inner: Array, gated: bool, saved: float) -> Array:
    return cells.tokens * inner * (cells.activation_bytes * (2.0 if gated else 1.0) + saved)


def _mixer_bytes(
    block: Block, cells: Cells, work: TrainingWork, stack: Stack, kept: Mapping[str, Array], saved: float
) -> Array:
    tokens = cells.tokens
    match block.mixer:
        case GroupedQueryAttention() as a:
            heads = a.heads / cells.tp
            v_dim = a.v_head_dim or a.head_dim
            kv = np.maximum(a.kv_heads / cells.tp, 1.0) * (a.head_dim + (0 if a.shared_kv else v_dim))
            elements = heads * a.head_dim * (2.0 if a.output_gate else 1.0) + kv + heads * v_dim
            scores = (
                2
                * visible_pairs(float(work.seq_len), a.window_tokens, a.chunk_tokens)
                * cells.micro_batch
                / cells.cp
                * heads
            )
            score_bytes = 0.0 if stack.fused_attention else UNFUSED_SCORE_BYTES
            return np.asarray(cells.activation_bytes * tokens * elements + score_bytes * scores * kept["core_attn"])
        case MultiLatentAttention() as a:
            heads = a.heads / cells.tp
            latents = (a.q_lora_rank or 0.0) + a.kv_lora_rank + a.qk_rope_head_dim
            qk = float(a.qk_nope_head_dim + a.qk_rope_head_dim)
            projected = heads * (2 * qk + a.v_head_dim) * kept["mla_up_proj"]
            return tokens * (saved * latents + cells.activation_bytes * (projected + heads * a.v_head_dim))
        case CompressedAttention() as a:
            heads = a.heads / cells.tp
            projected = heads * a.head_dim * kept["mla_up_proj"]
            low_rank = a.q_lora_rank + 2.0 * a.head_dim + a.output_groups * a.output_lora_rank / cells.tp
            return cells.activation_bytes * tokens * (projected + heads * a.head_dim + low_rank)
        case Mamba2() as a:
            inner = a.heads * a.head_dim / cells.tp
            state = a.groups * a.state_dim / np.minimum(cells.tp, a.groups)
            # Its one fused kernel saves what the in-projection wrote (gate, inner, both states) and its own output;
            # the out-projection saves its input.
            return cells.activation_bytes * tokens * (4 * inner + 2 * state)
        case GatedDeltaNet() as a:
            keys, values = a.key_heads * a.key_head_dim / cells.tp, a.value_heads * a.value_head_dim / cells.tp
            return cells.activation_bytes * tokens * (4 * keys + 5 * values)
        case None:
            return np.zeros_like(cells.tp)
