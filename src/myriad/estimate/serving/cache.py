"""Memory of a replica: weights, keys and values of cached tokens, recurrent states, and how many tokens fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from myriad.estimate.experts import experts_hit
from myriad.estimate.parameters import block_parameters, model_parameters
from myriad.estimate.serving.machine import ACTIVATION_BYTES, Array, Cut, Machine
from myriad.spec.model import (
    CompressedAttention,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    MixtureOfExperts,
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
    for kind, count in model.layers_by_kind().items():
        mixer = model.blocks[kind].mixer
        if mixer is not None:
            total = total + count * _sequence_cache_bytes(mixer, tokens, cut.tp, machine.cache_bytes)
    return total / cut.pp


def weight_bytes(model: Model, cut: Cut, machine: Machine) -> Array:
    """Weights on one rank, in bytes; embedding, head and norms in 16 bits, the rest as the machine has it."""
    counts = model_parameters(model)
    dense, experts = _layer_weight_bytes(model, cut, machine, lambda _: 1.0)
    ends = ACTIVATION_BYTES * (counts.embedding + counts.head) / cut.tp
    return (dense + experts) / cut.pp + ends + ACTIVATION_BYTES * counts.position


def streamed_bytes(model: Model, cut: Cut, sequences: Array, keys: Array, machine: Machine) -> Array:
    """What one rank reads of weights and cache at least to decode one token of each of `sequences`, in bytes.

    All stages of a pipeline together, since a token passes them one after the other. Of routed experts, those that
    some token needs; of the embedding, nothing.
    """
    met = sequences * cut.dp

    def read(moe: MixtureOfExperts) -> Array:
        return experts_hit(met, moe.top_k, moe.experts) / moe.experts

    counts = model_parameters(model)
    dense, experts = _layer_weight_bytes(model, cut, machine, read)
    head = ACTIVATION_BYTES * counts.embedding / cut.tp
    return dense + experts + head + sequences * sequence_bytes(model, cut, keys, machine) * cut.pp


def _layer_weight_bytes(
    model: Model, cut: Cut, machine: Machine, share_of: Callable[[MixtureOfExperts], Array | float]
) -> tuple[Array, Array]:
    """Weights of all layers on one rank of each: those that every token meets, and a share of the routed experts."""
    dense, experts = np.zeros_like(cut.tp), np.zeros_like(cut.tp)
    narrow = machine.weight_bytes
    for kind, times in model.layers_by_kind().items():
        block = model.blocks[kind]
        counts = block_parameters(block, model)
        wide = (counts.dense_ff + counts.shared) * narrow.dense + counts.mixer * narrow.projection
        replicated = ACTIVATION_BYTES * (counts.router + counts.norms + counts.latent)
        dense = dense + times * (wide / cut.tp + replicated)
        if isinstance(block.feed_forward, MixtureOfExperts):
            spread = counts.experts_total * narrow.expert / (cut.ep * cut.moe_tp)
            experts = experts + times * spread * share_of(block.feed_forward)
    return dense, experts


def work_bytes(model: Model, batched_tokens: Array, machine: Machine) -> Array:
    """Work space of an iteration of so many tokens on one rank, in bytes.

    Hidden states in and out, the widest inner activation, expert copies, and logits of the running sequences are
    small beside it: about eight hidden widths per token, and the copies of routed tokens.
    """
    widest = 8.0 * model.hidden * ACTIVATION_BYTES * batched_tokens
    return widest + machine.engine.reserved_bytes


def cache_room_bytes(model: Model, cut: Cut, batched_tokens: Array, memory_fraction: float, machine: Machine) -> Array:
    """Memory that is left for the cache on one rank, in bytes; negative where the weights alone do not fit."""
    taken = weight_bytes(model, cut, machine) + work_bytes(model, batched_tokens, machine)
    capacity = machine.plain.memory_bytes
    if machine.engine.cache_of == "rest":
        return memory_fraction * (capacity - taken)
    return capacity * memory_fraction - taken
