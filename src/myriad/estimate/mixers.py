"""The operations of token mixers on one rank: softmax attention of every kind, state-space and delta-net scans."""

from __future__ import annotations

import numpy as np

from myriad.estimate.shop import Array, Cells, Operation, Shop
from myriad.spec.model import (
    CompressedAttention,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    MultiLatentAttention,
)

SCAN_CHUNK_TOKENS = 128.0
"""Chunk of the chunked scans of Mamba-2 and gated delta nets (both reference kernels use 64 to 256)."""


def visible_pairs(seq_len: float, window: float | None = None, chunk: float | None = None) -> float:
    """Query-key pairs of one causal sequence: all, or those within a sliding window or a chunk.

    >>> visible_pairs(4.0), visible_pairs(4.0, window=1), visible_pairs(4.0, chunk=2)
    (8.0, 3.5, 4.0)

    Full attention counts S^2/2 as the "causal-halved" FLOPs definition does, not S(S+1)/2, and so do the first queries
    of a window, which see less than it: a window that grows to the whole sequence becomes full attention.
    """
    if chunk is not None and chunk < seq_len:
        return seq_len * chunk / 2
    if window is not None and window < seq_len:
        return seq_len * window - window * window / 2
    return seq_len * seq_len / 2


def mixer_operations(mixer: Mixer, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    """All operations of one mixer on one rank, without the norm before it."""
    match mixer:
        case GroupedQueryAttention():
            return _gqa(mixer, hidden, cells, shop)
        case MultiLatentAttention():
            return _mla(mixer, hidden, cells, shop)
        case CompressedAttention():
            return _compressed(mixer, hidden, cells, shop)
        case Mamba2():
            return _mamba2(mixer, hidden, cells, shop)
        case GatedDeltaNet():
            return _gated_delta_net(mixer, hidden, cells, shop)


def _attention_sizes(cells: Cells, shop: Shop) -> tuple[float, Array]:
    seq_len = float(shop.work.seq_len)
    return seq_len, seq_len / cells.cp


def _rope(elements: Array, shop: Shop) -> Operation:
    moved = 2 * shop.activation_bytes * elements
    return shop.stream("rotary", "", moved, moved, kernels=2.0, eager="rotary")


def _gqa(a: GroupedQueryAttention, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    seq_len, query_tokens = _attention_sizes(cells, shop)
    v_dim = float(a.v_head_dim or a.head_dim)
    heads = a.heads / cells.tp
    kv_heads = np.maximum(a.kv_heads / cells.tp, 1.0)
    q = heads * a.head_dim
    kv = kv_heads * (a.head_dim + (0.0 if a.shared_kv else v_dim))
    gate = q if a.output_gate else 0.0 * q
    pairs = visible_pairs(seq_len, a.window_tokens, a.chunk_tokens) * cells.micro_batch / cells.cp
    windowed = a.window_tokens is not None and a.window_tokens < seq_len
    repeated: list[Operation] = []
    if shop.stack.eager and a.kv_heads < a.heads:
        moved = 2 * cells.activation_bytes * cells.tokens * heads * (a.head_dim + v_dim)
        repeated.append(shop.stream("repeated keys and values", "", moved, moved, kernels=2.0, eager="repeat"))
    return [
        *repeated,
        shop.gemm("qkv", "", cells.tokens, q + gate + kv, hidden),
        _rope(cells.tokens * (q + kv_heads * a.head_dim) * (2.0 if a.qk_norm else 1.0), shop),
        shop.softmax_attention(
            "sliding attention" if a.window_tokens or a.chunk_tokens else "attention", "core_attn",
            flops=2 * pairs * heads * (a.head_dim + v_dim),
            score_elements=2 * pairs * heads,
            query_tokens=query_tokens,
            io_elements=cells.tokens * (q + kv + heads * v_dim),
            head_dim=(a.head_dim + v_dim) / 2,
            longest_keys=float(a.window_tokens or a.chunk_tokens or seq_len),
            windowed=windowed,
        ),
        shop.gemm("attention output", "", cells.tokens, hidden, heads * v_dim),
    ]  # fmt: skip


def _mla(a: MultiLatentAttention, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    """Down-projections are replicated over the tensor-parallel group, as Megatron-Core does."""
    seq_len, query_tokens = _attention_sizes(cells, shop)
    heads = a.heads / cells.tp
    qk_dim = float(a.qk_nope_head_dim + a.qk_rope_head_dim)
    tokens, shard_tokens = cells.tokens, cells.tokens / cells.sequence_shard
    found = []
    if a.q_lora_rank:
        found += [
            shop.gemm(
                "q and kv down", "", shard_tokens, float(a.q_lora_rank + a.kv_lora_rank + a.qk_rope_head_dim), hidden
            ),
            shop.gemm("q up", "mla_up_proj", tokens, heads * qk_dim, float(a.q_lora_rank)),
        ]
    else:
        found += [
            shop.gemm("q", "", tokens, heads * qk_dim, hidden),
            shop.gemm("kv down", "", shard_tokens, float(a.kv_lora_rank + a.qk_rope_head_dim), hidden),
        ]
    pairs_per_sequence = visible_pairs(seq_len)
    if a.index_top_k:
        index_pairs = pairs_per_sequence * cells.micro_batch / cells.cp
        flops = 2 * index_pairs * a.index_heads * a.index_head_dim
        index_width = float(a.index_heads * a.index_head_dim)
        found += [
            shop.gemm("index queries", "", shard_tokens, index_width, float(a.q_lora_rank or hidden)),
            shop.gemm("index keys and weights", "", shard_tokens, float(a.index_head_dim + a.index_heads), hidden),
            shop.scan("sparse index", flops, query_tokens, tokens * index_width),
        ]
        pairs_per_sequence = visible_pairs(seq_len, window=float(a.index_top_k))
    pairs = pairs_per_sequence * cells.micro_batch / cells.cp
    return [
        *found,
        shop.gemm("kv up", "mla_up_proj", tokens, heads * (a.qk_nope_head_dim + a.v_head_dim), float(a.kv_lora_rank)),
        _rope(tokens * heads * 2 * qk_dim, shop),
        shop.softmax_attention(
            "latent attention", "core_attn",
            flops=2 * pairs * heads * (qk_dim + a.v_head_dim),
            score_elements=2 * pairs * heads,
            query_tokens=query_tokens,
            io_elements=tokens * heads * 2 * (qk_dim + a.v_head_dim),
            head_dim=(qk_dim + a.v_head_dim) / 2,
            longest_keys=seq_len,
        ),
        shop.gemm("attention output", "", tokens, hidden, heads * a.v_head_dim),
    ]  # fmt: skip


def _compressed(a: CompressedAttention, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    seq_len, query_tokens = _attention_sizes(cells, shop)
    heads = a.heads / cells.tp
    shard_tokens = cells.tokens / cells.sequence_shard
    keys = visible_pairs(seq_len, window=float(a.window_tokens))
    found = []
    # Layers with an indexer let neighbouring folds overlap: keys and fold weights at twice the width.
    overlap = 2.0 if a.index_heads else 1.0
    if a.compress_ratio:
        found.append(shop.gemm("compressor", "", shard_tokens, 2 * overlap * a.head_dim, hidden))
    if a.index_heads:
        index_width = float(a.index_heads * a.index_head_dim)
        found += [
            shop.gemm("index queries", "", shard_tokens, index_width, float(a.q_lora_rank)),
            shop.gemm("index keys and weights", "", shard_tokens, 4.0 * a.index_head_dim + a.index_heads, hidden),
        ]
    if a.compress_ratio:
        folded = visible_pairs(seq_len) / a.compress_ratio
        if a.index_top_k and a.compress_ratio * a.index_top_k < seq_len:
            flops = 2 * folded * cells.micro_batch / cells.cp * float(a.index_heads * a.index_head_dim)
            io_elements = cells.tokens * float(a.index_heads * a.index_head_dim)
            found.append(shop.scan("sparse index", flops, query_tokens, io_elements))
            folded = min(folded, seq_len * a.index_top_k)
        keys += folded
    pairs = keys * cells.micro_batch / cells.cp
    return [
        shop.gemm("q and kv down", "", shard_tokens, float(a.q_lora_rank + a.head_dim), hidden),
        shop.gemm("q up", "mla_up_proj", cells.tokens, heads * a.head_dim, float(a.q_lora_rank)),
        *found,
        _rope(cells.tokens * heads * a.head_dim, shop),
        shop.softmax_attention(
            "compressed attention", "core_attn",
            flops=4 * pairs * heads * a.head_dim,
            score_elements=2 * pairs * heads,
            query_tokens=query_tokens,
            io_elements=cells.tokens * (2 * heads + 2) * a.head_dim,
            head_dim=float(a.head_dim),
            longest_keys=seq_len,
        ),
        shop.gemm("output down", "", cells.tokens, float(a.output_lora_rank), heads * a.head_dim),
        shop.gemm("output up", "", cells.tokens, hidden, a.output_groups * float(a.output_lora_rank) / cells.tp),
    ]  # fmt: skip


def _mamba2(a: Mamba2, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    """Chunked SSD: within chunks like attention, between chunks through the state."""
    inner = a.heads * a.head_dim / cells.tp
    state = a.groups * a.state_dim / np.minimum(cells.tp, a.groups)
    _, query_tokens = _attention_sizes(cells, shop)
    per_token = SCAN_CHUNK_TOKENS * (state + inner) + 6 * inner * a.state_dim
    conv = (inner + 2 * state) * cells.tokens
    # The state of every chunk is written, summed up and read in fp32: four passes of twice the bytes.
    states = 8 * inner * a.state_dim / SCAN_CHUNK_TOKENS
    return [
        shop.gemm("state-space input", "", cells.tokens, 2 * inner + 2 * state + a.heads / cells.tp, hidden),
        _convolution(conv, cells, shop),
        shop.scan(
            "state-space scan", per_token * cells.tokens, query_tokens, cells.tokens * (3 * inner + 2 * state + states)
        ),
        shop.gemm("state-space output", "", cells.tokens, hidden, inner),
    ]


def _convolution(values: Array, cells: Cells, shop: Shop) -> Operation:
    """The short convolution before a scan and the gate behind it, over so many values."""
    bytes_ = cells.activation_bytes * values
    return shop.stream("convolution and gate", "", 6 * bytes_, 9 * bytes_, kernels=3.0)


def _gated_delta_net(a: GatedDeltaNet, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    keys = a.key_heads * a.key_head_dim / cells.tp
    values = a.value_heads * a.value_head_dim / cells.tp
    _, query_tokens = _attention_sizes(cells, shop)
    wide_keys = a.value_heads * a.key_head_dim / cells.tp
    per_token = 2 * SCAN_CHUNK_TOKENS * (2 * wide_keys + values) + 6 * values * a.key_head_dim
    conv = (2 * keys + values) * cells.tokens
    return [
        shop.gemm("delta-net input", "", cells.tokens, 2 * keys + 2 * values + 2 * a.value_heads / cells.tp, hidden),
        _convolution(conv, cells, shop),
        shop.scan(
            "delta-net scan", per_token * cells.tokens, query_tokens, cells.tokens * (2 * wide_keys + 2 * values)
        ),
        shop.gemm("delta-net output", "", cells.tokens, hidden, values),
    ]
