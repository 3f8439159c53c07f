"""The operations of one block on one rank: shapes, FLOPs and kernel times, forward and backward.

All arrays have the axis U: one entry per distinct way of cutting a block (see `Cells`). Times are per
micro-batch. Communication is in `estimate.exchange`, memory in `estimate.memory`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myriad.estimate.device import Device
from myriad.estimate.kernels import attention_s, grouped_gemm_s, memory_bound_s
from myriad.spec.calibration import GemmEfficiency, Launched, Stack
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

Array = npt.NDArray[np.float64]

ACTIVATION_BYTES = 2.0
"""Activations travel and rest in bf16 or fp16."""

SCAN_CHUNK_TOKENS = 128.0
"""Chunk of the chunked scans of Mamba-2 and gated delta nets (both reference kernels use 64 to 256)."""


@dataclass(frozen=True)
class Cells:
    """Distinct ways of cutting a block over ranks, as float columns of equal length U."""

    tp: Array
    sp: Array
    cp: Array
    ep: Array
    etp: Array
    micro_batch: Array
    tokens: Array
    """Tokens of one micro-batch on one context-parallel rank: micro_batch * seq_len / cp."""
    sequence_shard: Array
    """Ranks that norms and residuals are split over: tp with sequence parallelism, else 1."""


@dataclass(frozen=True)
class Operation:
    """One kind of kernel of a block. Times per micro-batch, arrays (U,)."""

    name: str
    part: str
    """Key of `spec.result.TIME_PARTS`."""
    module: str
    """Recompute module that it belongs to, or empty."""
    forward_s: Array
    backward_s: Array
    weight_grad_s: Array
    """The share of `backward_s` that zero-bubble schedules may move."""
    forward_flops: Array
    forward_bytes: Array
    kernels: Array | float
    """Kernel launches of the forward pass; the backward pass has twice as many."""
    launched: Launched = "mixer"
    """The part of the block that launches it."""
    sizes: tuple[tuple[str, Array], ...] = ()
    """Named sizes for display."""


@dataclass(frozen=True)
class Shop:
    """What turns sizes into operations: the device, the software and the work, bound together."""

    device: Device
    stack: Stack
    work: TrainingWork

    def gemm(
        self, name: str, module: str, m: Array, n: Array | float, k: Array | float, part: str = "gemm"
    ) -> Operation:
        """A dense product with its two backward products (by inputs and by weights)."""
        n, k = np.broadcast_to(n, m.shape).astype(float), np.broadcast_to(k, m.shape).astype(float)
        forward, backward = self._directions(self.device.gemm, self.stack.gemm_share)
        weight_grad = grouped_gemm_s(1.0, n, k, m, self.device, backward)
        return Operation(
            name, part, module,
            forward_s=grouped_gemm_s(1.0, m, n, k, self.device, forward) + self._cast_s(m * k),
            backward_s=grouped_gemm_s(1.0, m, k, n, self.device, backward) + weight_grad + self._cast_s(m * n),
            weight_grad_s=weight_grad,
            forward_flops=2 * m * n * k,
            forward_bytes=self.device.operand_bytes * (m * k + n * k) + ACTIVATION_BYTES * m * n,
            kernels=self._kernels_per_product(),
            sizes=(("m", m), ("n", n), ("k", k)),
        )  # fmt: skip

    def grouped(self, name: str, groups: Array, tokens: Array, n: Array | float, k: Array | float) -> Operation:
        """Expert products: `groups` experts on this rank share `tokens` rows.

        Without grouped kernels every expert has a product and a quantisation of its own, one after the other;
        their rate is taken to be that of grouped kernels even so, the only one that was measured on experts.
        """
        n, k = np.broadcast_to(n, tokens.shape).astype(float), np.broadcast_to(k, tokens.shape).astype(float)
        at_once = self.stack.grouped_kernels
        times = np.ones_like(groups) if at_once else groups
        share, own = groups / times, tokens / times
        forward, backward = self._directions(self.device.grouped_gemm, self.stack.gemm_share * self.stack.expert_share)
        weight_grad = times * grouped_gemm_s(share, own, n, k, self.device, backward)
        input_grad = times * grouped_gemm_s(share, own, k, n, self.device, backward)
        launches = times * self._kernels_per_product()
        # A product's own launch is in its time.
        gaps = self.device.launch_s * (launches - times)
        return Operation(
            name, "expert_gemm", "moe",
            forward_s=times * grouped_gemm_s(share, own, n, k, self.device, forward) + self._cast_s(tokens * k) + gaps,
            backward_s=input_grad + weight_grad + self._cast_s(tokens * n) + gaps,
            weight_grad_s=weight_grad,
            forward_flops=2 * tokens * n * k,
            forward_bytes=self.device.operand_bytes * (tokens * k + groups * n * k) + ACTIVATION_BYTES * tokens * n,
            kernels=launches,
            sizes=(("experts", groups), ("m", tokens), ("n", n), ("k", k)),
        )  # fmt: skip

    def _directions(self, fit: GemmEfficiency, share: float) -> tuple[GemmEfficiency, GemmEfficiency]:
        """The efficiency of forward and of backward products in this software; never above the datasheet rate."""
        forward = min(fit.peak_fraction * share, 1.0)
        return (
            fit.model_copy(update={"peak_fraction": forward}),
            fit.model_copy(update={"peak_fraction": forward * fit.backward_share}),
        )

    def softmax_attention(
        self,
        name: str,
        module: str,
        flops: Array,
        score_elements: Array,
        query_tokens: Array,
        io_elements: Array,
        head_dim: float,
        longest_keys: float,
    ) -> Operation:
        """Scores, softmax and values. The fused backward pass recomputes the scores: 2.5 times the forward.

        An unfused one multiplies the masked half of the scores too, has 2 times the forward, and moves the score
        matrix through memory: about five passes forward (mask, softmax, dropout) and as many backward.
        """
        share = self.stack.attention_share * (
            1.0 if self.stack.native_attention else self.device.attention.portable_share
        )
        keys = np.minimum(longest_keys, query_tokens)
        forward = attention_s(flops / share, query_tokens, self.device, False, head_dim, keys)
        if self.stack.fused_attention:
            backward = attention_s(2.5 * flops / share, query_tokens, self.device, True, head_dim, keys)
            traffic = io_elements * ACTIVATION_BYTES
        else:
            moved = memory_bound_s(5 * ACTIVATION_BYTES * score_elements, self.device)
            backward = attention_s(4 * flops, query_tokens, self.device, backward=True) + moved
            forward = attention_s(2 * flops / share, query_tokens, self.device) + moved
            traffic = (io_elements + 5 * score_elements) * ACTIVATION_BYTES
        return Operation(
            name, "attention", module,
            forward_s=forward, backward_s=backward, weight_grad_s=np.zeros_like(forward),
            forward_flops=flops, forward_bytes=traffic, kernels=1.0 if self.stack.fused_attention else 5.0,
            sizes=(("query tokens", query_tokens),),
        )  # fmt: skip

    def scan(self, name: str, flops: Array, query_tokens: Array, io_elements: Array) -> Operation:
        """A chunked linear-attention or state-space scan; its backward pass does about twice the work."""
        io_s = memory_bound_s(io_elements * ACTIVATION_BYTES, self.device)
        work = flops / (self.device.scan_share * self.device.attention.portable_share)
        return Operation(
            name, "recurrent", "core_attn",
            forward_s=np.maximum(attention_s(work, query_tokens, self.device), io_s),
            backward_s=np.maximum(attention_s(2 * work, query_tokens, self.device, backward=True), 2 * io_s),
            weight_grad_s=np.zeros_like(flops),
            forward_flops=flops, forward_bytes=io_elements * ACTIVATION_BYTES, kernels=4.0,
            sizes=(("query tokens", query_tokens),),
        )  # fmt: skip

    def stream(
        self, name: str, module: str, forward_bytes: Array, backward_bytes: Array, kernels: float,
        part: str = "memory_bound",
    ) -> Operation:  # fmt: skip
        """Element-wise and normalisation work; bytes and kernels are given as the usual fused kernels have them."""
        kept = self.stack.stream_passes / (self.stack.expert_share if module in ("moe", "moe_act") else 1.0)
        fused_kernels = np.maximum(kernels * kept, 1.0)
        return Operation(
            name, part, module,
            forward_s=memory_bound_s(forward_bytes * kept, self.device, kernels=fused_kernels),
            backward_s=memory_bound_s(backward_bytes * kept, self.device, kernels=fused_kernels),
            weight_grad_s=np.zeros_like(forward_bytes),
            forward_flops=np.zeros_like(forward_bytes),
            forward_bytes=forward_bytes * kept,
            kernels=float(fused_kernels),
        )  # fmt: skip

    def _kernels_per_product(self) -> float:
        """A product alone; or with the quantisation of its operand, its scales, and the wrapper that carries both.

        Scales cost one more (amax, or moving block scales into the order of the product), block scales two: they
        are stored by rows and by columns.
        """
        if self.device.operand_bytes >= ACTIVATION_BYTES:
            return 1.0
        return 5.0 if self.device.operand_bytes > 1.02 or self.device.operand_bytes < 1.0 else 4.0

    def _cast_s(self, elements: Array) -> Array:
        """Quantising one operand, see `device.cast_bytes`."""
        if not self.device.cast_bytes:
            return np.zeros_like(elements)
        return memory_bound_s(elements * self.device.cast_bytes, self.device)


def visible_pairs(seq_len: float, window: float | None = None, chunk: float | None = None) -> float:
    """Query-key pairs of one causal sequence: all, or those within a sliding window or a chunk.

    >>> visible_pairs(4.0), visible_pairs(4.0, window=1), visible_pairs(4.0, chunk=2)
    (8.0, 4.0, 4.0)

    Full attention counts S^2/2 as the "causal-halved" FLOPs definition does, not S(S+1)/2.
    """
    if chunk is not None and chunk < seq_len:
        return seq_len * chunk / 2
    if window is not None and window < seq_len:
        return seq_len * window - (window * window - window) / 2 if window > 1 else seq_len
    return seq_len * seq_len / 2


def block_operations(block: Block, model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """All operations of one block on one rank."""
    hidden = float(model.hidden)
    norm = _norm_and_residual(hidden, block.post_norms, cells, shop)
    found: list[Operation] = [] if block.mixer is None else [norm]
    match block.mixer:
        case GroupedQueryAttention():
            found += _gqa(block.mixer, hidden, cells, shop)
        case MultiLatentAttention():
            found += _mla(block.mixer, hidden, cells, shop)
        case CompressedAttention():
            found += _compressed(block.mixer, hidden, cells, shop)
        case Mamba2():
            found += _mamba2(block.mixer, hidden, cells, shop)
        case GatedDeltaNet():
            found += _gated_delta_net(block.mixer, hidden, cells, shop)
    match block.feed_forward:
        case DenseFeedForward() as dense:
            operations = [norm, *_dense(dense.width, dense.gated, "mlp", "ffn", hidden, cells, shop)]
            found += [replace(op, launched="dense") for op in operations]
        case MixtureOfExperts() as moe:
            routing = [norm, *_routing(moe, hidden, cells, shop)]
            found += [replace(op, launched="router") for op in routing]
            found += [replace(op, launched="experts") for op in _experts(moe, hidden, cells, shop)]
    return found


def _norm_and_residual(hidden: float, post_norm: bool, cells: Cells, shop: Shop) -> Operation:
    """A norm (read, write) and a residual sum (two reads, a write); backward as much and half again."""
    elements = cells.tokens * hidden / cells.sequence_shard
    passes = 5.0 + (2.0 if post_norm else 0.0)
    moved = passes * ACTIVATION_BYTES * elements
    return shop.stream("norm and residual", "layernorm", moved, 1.5 * moved, kernels=3.0)


def _attention_sizes(cells: Cells, shop: Shop) -> tuple[float, Array]:
    seq_len = float(shop.work.seq_len)
    return seq_len, seq_len / cells.cp


def _rope(elements: Array, shop: Shop) -> Operation:
    moved = 2 * ACTIVATION_BYTES * elements
    return shop.stream("rotary", "", moved, moved, kernels=2.0)


def _gqa(a: GroupedQueryAttention, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    seq_len, query_tokens = _attention_sizes(cells, shop)
    v_dim = float(a.v_head_dim or a.head_dim)
    heads = a.heads / cells.tp
    kv_heads = np.maximum(a.kv_heads / cells.tp, 1.0)
    q = heads * a.head_dim
    kv = kv_heads * (a.head_dim + (0.0 if a.shared_kv else v_dim))
    gate = q if a.output_gate else 0.0 * q
    pairs = visible_pairs(seq_len, a.window_tokens, a.chunk_tokens) * cells.micro_batch / cells.cp
    return [
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
        shop.stream("convolution and gate", "", 6 * ACTIVATION_BYTES * conv, 9 * ACTIVATION_BYTES * conv, kernels=3.0),
        shop.scan(
            "state-space scan", per_token * cells.tokens, query_tokens, cells.tokens * (3 * inner + 2 * state + states)
        ),
        shop.gemm("state-space output", "", cells.tokens, hidden, inner),
    ]


def _gated_delta_net(a: GatedDeltaNet, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    keys = a.key_heads * a.key_head_dim / cells.tp
    values = a.value_heads * a.value_head_dim / cells.tp
    _, query_tokens = _attention_sizes(cells, shop)
    wide_keys = a.value_heads * a.key_head_dim / cells.tp
    per_token = 2 * SCAN_CHUNK_TOKENS * (2 * wide_keys + values) + 6 * values * a.key_head_dim
    conv = (2 * keys + values) * cells.tokens
    return [
        shop.gemm("delta-net input", "", cells.tokens, 2 * keys + 2 * values + 2 * a.value_heads / cells.tp, hidden),
        shop.stream("convolution and gate", "", 6 * ACTIVATION_BYTES * conv, 9 * ACTIVATION_BYTES * conv, kernels=3.0),
        shop.scan(
            "delta-net scan", per_token * cells.tokens, query_tokens, cells.tokens * (2 * wide_keys + 2 * values)
        ),
        shop.gemm("delta-net output", "", cells.tokens, hidden, values),
    ]


def _dense(
    width: float, gated: bool, module: str, name: str, hidden: float, cells: Cells, shop: Shop
) -> list[Operation]:
    inner = width / cells.tp
    wide = 2.0 if gated else 1.0
    elements = cells.tokens * inner
    return [
        shop.gemm(f"{name} up", module, cells.tokens, wide * inner, hidden),
        shop.stream(
            f"{name} activation", module, (wide + 1) * ACTIVATION_BYTES * elements,
            (2 * wide + 1) * ACTIVATION_BYTES * elements, kernels=1.0 + wide,
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
    return [
        shop.gemm("router", "moe", shard_tokens, float(moe.experts), hidden),
        shop.stream("routing", "moe", scores, scores, kernels=10.0),
    ]


def _experts(moe: MixtureOfExperts, hidden: float, cells: Cells, shop: Shop) -> list[Operation]:
    tokens = expert_tokens(moe, cells, shop.work)
    shard_tokens = cells.tokens / cells.sequence_shard
    groups = moe.experts / cells.ep
    inner = moe.expert_width / cells.etp
    model_width = float(moe.latent_dim or hidden)
    wide = 2.0 if moe.gated else 1.0
    copies = shard_tokens * moe.top_k * model_width
    found = [
        shop.stream(
            "permute and combine", "moe", 6 * ACTIVATION_BYTES * copies, 6 * ACTIVATION_BYTES * copies, kernels=8.0
        ),
        shop.grouped("expert up", groups, tokens, wide * inner, model_width),
        shop.stream(
            "expert activation", "moe_act", (wide + 1) * ACTIVATION_BYTES * tokens * inner,
            (2 * wide + 1) * ACTIVATION_BYTES * tokens * inner, kernels=1.0 + wide,
        ),
        shop.grouped("expert down", groups, tokens, model_width, inner),
    ]  # fmt: skip
    if moe.latent_dim:
        found.append(shop.gemm("latent down", "moe", shard_tokens, model_width, hidden))
        found.append(shop.gemm("latent up", "moe", shard_tokens, hidden, model_width))
    if moe.shared_width:
        found += _dense(moe.shared_width, moe.gated, "shared_experts", "shared expert", hidden, cells, shop)
    if moe.dense_width:
        found += _dense(moe.dense_width, moe.gated, "mlp", "parallel ffn", hidden, cells, shop)
    return found


def embedding_operations(model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """Looking tokens up on the first stage: bound by memory."""
    moved = 2 * ACTIVATION_BYTES * cells.tokens * model.hidden / cells.sequence_shard
    return [shop.stream("embedding", "", moved, 2 * moved, kernels=2.0, part="embedding_loss")]


def prediction_operations(model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """Joining a hidden state and the next token's embedding, once per multi-token-prediction depth."""
    if not model.mtp_depths:
        return []
    shard_tokens = cells.tokens / cells.sequence_shard
    return [shop.gemm("mtp projection", "", shard_tokens, float(model.hidden), 2.0 * model.hidden)]


def head_operations(model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """Output projection and cross-entropy on the last stage, over the vocabulary cut by tp."""
    vocab = model.vocab / cells.tp
    logits = cells.tokens * vocab
    return [
        shop.gemm("logits", "", cells.tokens, vocab, float(model.hidden), part="embedding_loss"),
        shop.stream("cross-entropy", "", 10 * logits, 8 * logits, kernels=6.0, part="embedding_loss"),
    ]
