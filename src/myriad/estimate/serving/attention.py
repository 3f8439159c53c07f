"""What tokens cost by what they attend to: decode reads the cache, prefill multiplies with it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from myriad.estimate.kernels import attention_s, decode_attention_s, gemm_s, grouped_gemm_s, memory_bound_s
from myriad.estimate.serving.cache import index_key_bytes, state_bytes
from myriad.estimate.serving.machine import ACTIVATION_BYTES, Array, Cut, Machine
from myriad.estimate.serving.parts import Parts, add
from myriad.spec.model import (
    CompressedAttention,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    Model,
    MultiLatentAttention,
)

SCAN_CHUNK_TOKENS = 64.0
"""Chunk of chunked scans (both reference kernels use 64 to 256)."""


def decode_parts(model: Model, cut: Cut, sequences: Array, keys: Array, machine: Machine) -> Parts:
    """Seconds by kind of mixing one new token of each of `sequences` with its `keys` cached ones, all layers."""
    return _all_layers(model, lambda mixer: _decode(mixer, cut, sequences, keys, machine), sequences)


def chunk_parts(model: Model, cut: Cut, tokens: Array, past: Array, chunks: Array, machine: Machine) -> Parts:
    """Seconds by kind of mixing `tokens` new tokens of each of `chunks` prompts after `past` cached ones."""
    return _all_layers(model, lambda mixer: _prefill(mixer, cut, tokens, past, chunks, machine), tokens)


def _all_layers(model: Model, parts_of: Callable[[Mixer], Parts], like: Array) -> Parts:
    found: Parts = {"attention": np.zeros_like(like)}
    layers: dict[Mixer, int] = {}
    for kind, count in model.layers_by_kind().items():
        mixer = model.blocks[kind].mixer
        if mixer is not None:
            layers[mixer] = layers.get(mixer, 0) + count
    for mixer, count in layers.items():
        add(found, parts_of(mixer), float(count))
    return found


def _decode(mixer: Mixer, cut: Cut, sequences: Array, keys: Array, machine: Machine) -> Parts:
    share, plain = machine.rates.decode, machine.plain
    match mixer:
        case GroupedQueryAttention() as a:
            seen = _seen(keys, a.window_tokens or a.chunk_tokens)
            entry = (a.head_dim + float(a.v_head_dim or a.head_dim)) * machine.cache_bytes
            heads, kv_heads = a.heads / cut.tp, np.maximum(a.kv_heads / cut.tp, 1.0)
            return {
                "attention": decode_attention_s(sequences, seen, heads, kv_heads, entry, machine.decode, plain) / share
            }
        case MultiLatentAttention() as a:
            heads = a.heads / cut.tp
            found: Parts = {}
            seen = keys
            if a.index_top_k:
                read = sequences * keys * index_key_bytes(a)
                found["attention"] = memory_bound_s(read, plain, 4.0) / share
                seen = np.minimum(keys, float(a.index_top_k))
            entry = (a.kv_lora_rank + a.qk_rope_head_dim) * machine.cache_bytes
            add(
                found,
                {
                    "attention": decode_attention_s(sequences, seen, heads, 1.0, entry, machine.latent_decode, plain)
                    / share
                },
            )
            rows, rank = sequences * heads, float(a.kv_lora_rank)
            absorbed = grouped_gemm_s(heads, rows, rank, float(a.qk_nope_head_dim), plain, plain.gemm)
            absorbed = absorbed + grouped_gemm_s(heads, rows, float(a.v_head_dim), rank, plain, plain.gemm)
            add(found, {"gemm": absorbed / machine.rates.plain})
            return found
        case CompressedAttention() as a:
            return _decode_compressed(a, cut, sequences, keys, machine)
        case Mamba2() | GatedDeltaNet():
            # The state is read and written once.
            moved = 2.0 * sequences * state_bytes(mixer) / cut.tp
            return {"recurrent": memory_bound_s(moved, plain, 2.0) / share}


def _decode_compressed(a: CompressedAttention, cut: Cut, sequences: Array, keys: Array, machine: Machine) -> Parts:
    found: Parts = {}
    seen = np.minimum(keys, float(a.window_tokens))
    if a.compress_ratio:
        folded = keys / a.compress_ratio
        if a.index_top_k:
            read = sequences * folded * index_key_bytes(a)
            found["attention"] = memory_bound_s(read, machine.plain, 4.0) / machine.rates.decode
            folded = np.minimum(folded, float(a.index_top_k))
        seen = seen + folded
    entry, heads = a.head_dim * machine.cache_bytes, a.heads / cut.tp
    read_s = decode_attention_s(sequences, seen, heads, 1.0, entry, machine.latent_decode, machine.plain)
    add(found, {"attention": read_s / machine.rates.decode})
    return found


def _seen(keys: Array, window: int | None) -> Array:
    return keys if window is None else np.minimum(keys, float(window))


def _pairs(tokens: Array, past: Array, window: float | None) -> Array:
    """Query-key pairs of `tokens` queries after `past` keys, causal: half of the new square, all of the past.

    A window leaves each query at most `window` keys.
    """
    whole = tokens * past + tokens * tokens / 2.0
    if window is None:
        return whole
    # Queries that see all of past and themselves come first, then those that see a window.
    growing = np.clip(window - past, 0.0, tokens)
    seen: Array = growing * past + growing * growing / 2.0 + (tokens - growing) * window
    return np.minimum(seen, whole)


def _prefill(mixer: Mixer, cut: Cut, tokens: Array, past: Array, chunks: Array, machine: Machine) -> Parts:
    share, plain = machine.engine.attention_share, machine.plain
    heads_of = cut.tp
    match mixer:
        case GroupedQueryAttention() as a:
            window = float(a.window_tokens or a.chunk_tokens or 0) or None
            heads, v_dim = a.heads / heads_of, float(a.v_head_dim or a.head_dim)
            kv_heads = np.maximum(a.kv_heads / cut.tp, 1.0)
            pairs = chunks * _pairs(tokens, past, window)
            longest = past + tokens if window is None else np.minimum(past + tokens, window)
            moved = ACTIVATION_BYTES * chunks * tokens * heads * (a.head_dim + v_dim)
            moved = moved + machine.cache_bytes * chunks * longest * kv_heads * (a.head_dim + v_dim)
            taken = attention_s(
                2 * pairs * heads * (a.head_dim + v_dim), tokens, plain,
                head_dim=(a.head_dim + v_dim) / 2, longest_keys=longest, moved_bytes=moved,
            )  # fmt: skip
            return {"attention": taken / share}
        case MultiLatentAttention() as a:
            return _prefill_latent(a, cut, tokens, past, chunks, machine)
        case CompressedAttention() as a:
            heads = a.heads / heads_of
            pairs = _pairs(tokens, past, float(a.window_tokens))
            if a.compress_ratio:
                folded = _pairs(tokens, past, None) / a.compress_ratio
                if a.index_top_k:
                    folded = np.minimum(folded, tokens * float(a.index_top_k))
                pairs = pairs + folded
            longest = np.minimum(past + tokens, float(a.window_tokens) + float(a.index_top_k or 1e9))
            taken = attention_s(
                4 * chunks * pairs * heads * a.head_dim, tokens, plain, head_dim=float(a.head_dim), longest_keys=longest
            )
            found = {"attention": taken / share}
            if a.compress_ratio and a.index_top_k:
                flops = 2 * chunks * _pairs(tokens, past, None) / a.compress_ratio * a.index_heads * a.index_head_dim
                add(found, {"attention": attention_s(flops, tokens, plain) / share})
            return found
        case Mamba2() as a:
            inner, state = a.heads * a.head_dim / cut.tp, a.groups * a.state_dim / np.minimum(cut.tp, a.groups)
            per_token = SCAN_CHUNK_TOKENS * (state + inner) + 6 * inner * a.state_dim
            return _scan(chunks * tokens * per_token, tokens, chunks * tokens * (3 * inner + 2 * state), machine)
        case GatedDeltaNet() as a:
            wide_keys = a.value_heads * a.key_head_dim / cut.tp
            values = a.value_heads * a.value_head_dim / cut.tp
            per_token = 2 * SCAN_CHUNK_TOKENS * (2 * wide_keys + values) + 6 * values * a.key_head_dim
            return _scan(chunks * tokens * per_token, tokens, chunks * tokens * (2 * wide_keys + 2 * values), machine)


def _prefill_latent(
    a: MultiLatentAttention, cut: Cut, tokens: Array, past: Array, chunks: Array, machine: Machine
) -> Parts:
    """Keys and values of all tokens that are seen, past ones too, are raised from their latents to full heads."""
    plain, share = machine.plain, machine.engine.attention_share
    heads, qk_dim = a.heads / cut.tp, float(a.qk_nope_head_dim + a.qk_rope_head_dim)
    longest = past + tokens
    raised = gemm_s(
        chunks * longest, heads * (a.qk_nope_head_dim + a.v_head_dim), float(a.kv_lora_rank), machine.projection
    )
    found: Parts = {"gemm": raised / machine.rates.projection}
    pairs = _pairs(tokens, past, float(a.index_top_k) if a.index_top_k else None)
    if a.index_top_k:
        flops = 2 * chunks * _pairs(tokens, past, None) * float(a.index_heads * a.index_head_dim)
        add(found, {"attention": attention_s(flops, tokens, plain) / share})
    taken = attention_s(
        2 * chunks * pairs * heads * (qk_dim + a.v_head_dim), tokens, plain,
        head_dim=(qk_dim + a.v_head_dim) / 2, longest_keys=longest,
        moved_bytes=ACTIVATION_BYTES * chunks * (tokens + longest) * heads * (qk_dim + a.v_head_dim),
    )  # fmt: skip
    add(found, {"attention": taken / share})
    return found


def _scan(flops: Array, tokens: Array, io_elements: Array, machine: Machine) -> Parts:
    """A chunked scan, at the share of attention's rate that scans reach, and no faster than its streams."""
    plain = machine.plain
    work = flops / (plain.scan_share * plain.attention.portable_share)
    io_s = memory_bound_s(ACTIVATION_BYTES * io_elements, plain)
    return {"recurrent": np.maximum(attention_s(work, tokens, plain), io_s) / machine.engine.attention_share}
