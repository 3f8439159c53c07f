"""Memory of a replica: weights, keys and values of cached tokens, recurrent states, and how many tokens fit."""

from __future__ import annotations

import numpy as np

from myriad.estimate.parameters import block_parameters, model_parameters
from myriad.estimate.serving.machine import ACTIVATION_BYTES, Array, Cut, Machine
from myriad.spec.model import (
    Block,
    CompressedAttention,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    Model,
    MultiLatentAttention,
)

STATE_ELEMENT_BYTES = 4.0
"""Recurrent states rest in fp32."""


def index_key_bytes(mixer: MultiLatentAttention | CompressedAttention) -> float:
    """Bytes of the key that a sparse-attention indexer keeps of one token: 8 bits an element and a scale."""
    return mixer.index_head_dim + 4.0 if mixer.index_heads else 0.0


def state_bytes(mixer: Mixer) -> float:
    """Bytes of the recurrent state of one sequence, whatever its length; 0 for attention."""
    match mixer:
        case Mamba2() as a:
            convolved = a.heads * a.head_dim + 2 * a.groups * a.state_dim
            state = STATE_ELEMENT_BYTES * a.heads * a.head_dim * a.state_dim
            return state + ACTIVATION_BYTES * convolved * (a.conv_kernel - 1)
        case GatedDeltaNet() as a:
            convolved = 2 * a.key_heads * a.key_head_dim + a.value_heads * a.value_head_dim
            state = STATE_ELEMENT_BYTES * a.value_heads * a.value_head_dim * a.key_head_dim
            return state + ACTIVATION_BYTES * convolved * (a.conv_kernel - 1)
    return 0.0


def _sequence_cache_bytes(mixer: Mixer, tokens: Array, tp: Array, element_bytes: float) -> Array:
    """Cache and state of one sequence of `tokens` in one layer, on one rank of `tp`, in bytes.

    Latent caches have one head and are copied to every rank, as are key-value heads when ranks outnumber them.
    """
    match mixer:
        case GroupedQueryAttention() as a:
            width = a.head_dim + float(0 if a.shared_kv else (a.v_head_dim or a.head_dim))
            kept = tokens if a.window_tokens is None else np.minimum(tokens, float(a.window_tokens))
            return kept * np.maximum(a.kv_heads / tp, 1.0) * width * element_bytes
        case MultiLatentAttention() as a:
            per_token = (a.kv_lora_rank + a.qk_rope_head_dim) * element_bytes + index_key_bytes(a)
            return tokens * per_token + 0.0 * tp
        case CompressedAttention() as a:
            kept = np.minimum(tokens, float(a.window_tokens))
            folded = tokens / a.compress_ratio if a.compress_ratio else 0.0 * tokens
            return (kept + folded) * a.head_dim * element_bytes + folded * index_key_bytes(a) + 0.0 * tp
        case Mamba2() | GatedDeltaNet():
            return state_bytes(mixer) / tp + 0.0 * tokens


def sequence_bytes(model: Model, cut: Cut, tokens: Array, machine: Machine) -> Array:
    """Cache and states of one sequence of `tokens` on one rank, in bytes: all layers of its stage."""
    total: Array = np.zeros(np.broadcast_shapes(tokens.shape, cut.tp.shape))
    kinds = model.layer_kinds()
    for kind in dict.fromkeys(kinds):
        mixer = model.blocks[kind].mixer
        if mixer is not None:
            total = total + kinds.count(kind) * _sequence_cache_bytes(mixer, tokens, cut.tp, machine.cache_bytes)
    return total / cut.pp


def weight_bytes(model: Model, cut: Cut, machine: Machine) -> Array:
    """Weights on one rank, in bytes; embedding, head and norms in 16 bits, the rest as the machine has it."""
    total: Array = np.zeros_like(cut.tp)
    kinds = model.layer_kinds()
    for kind in dict.fromkeys(kinds):
        total = total + kinds.count(kind) * _block_weight_bytes(model.blocks[kind], model, cut, machine)
    counts = model_parameters(model)
    ends = ACTIVATION_BYTES * (counts.embedding + counts.head) / cut.tp
    return total / cut.pp + ends + ACTIVATION_BYTES * counts.position


def _block_weight_bytes(block: Block, model: Model, cut: Cut, machine: Machine) -> Array:
    counts = block_parameters(block, model)
    experts = counts.experts_total * machine.weight_bytes.expert / (cut.ep * cut.moe_tp)
    dense = (counts.dense_ff + counts.shared) * machine.weight_bytes.dense / cut.tp
    mixed = counts.mixer * machine.weight_bytes.projection / cut.tp
    replicated = ACTIVATION_BYTES * (counts.router + counts.norms + counts.latent)
    return experts + dense + mixed + replicated


def work_bytes(model: Model, batched_tokens: Array, machine: Machine) -> Array:
    """Work space of an iteration of so many tokens on one rank, in bytes.

    Hidden states in and out, the widest inner activation, expert copies, and logits of the running sequences are
    small beside it: about eight hidden widths per token, and the copies of routed tokens.
    """
    widest = 8.0 * model.hidden * ACTIVATION_BYTES * batched_tokens
    return widest + machine.engine.reserved_bytes


def cache_room_bytes(model: Model, cut: Cut, batched_tokens: Array, memory_fraction: float, machine: Machine) -> Array:
    """Memory that is left for the cache on one rank, in bytes; negative where the weights alone do not fit."""
    capacity = machine.plain.memory_bytes * memory_fraction
    return capacity - weight_bytes(model, cut, machine) - work_bytes(model, batched_tokens, machine)
