"""What the new tokens of a pass cost whatever they attend to: products, experts, element-wise work, exchange, head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from myriad.estimate.collectives import all_gather_s, reduce_scatter_s
from myriad.estimate.experts import experts_hit, routed_experts_s
from myriad.estimate.kernels import gemm_s, memory_bound_s
from myriad.estimate.peers import engine_all_reduce_s, expert_exchange_s
from myriad.estimate.serving.machine import ACTIVATION_BYTES, Array, Cut, Machine
from myriad.estimate.serving.parts import Parts, add
from myriad.estimate.tiers import place
from myriad.spec.model import (
    Block,
    CompressedAttention,
    DenseFeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

Part = Literal["dense", "projection"]
"""Feed-forward parts that every token meets, or products around attention."""


@dataclass(frozen=True)
class Tokens:
    """New tokens of a pass on one copy of attention, arrays (U,)."""

    tokens: Array
    met: Array
    """Tokens of all copies together, which meet at the experts."""
    head_rows: Array
    """Tokens that the head predicts the next of: one per sequence, and drafted ones."""


def token_parts(model: Model, cut: Cut, new: Tokens, machine: Machine) -> Parts:
    """Seconds of one pass by kind, without attention to keys, recurrence and host; over all stages.

    The passes of a pipeline's stages follow each other, so a pass takes the sum of its stages.
    """
    found: Parts = {}
    for kind, count in model.layers_by_kind().items():
        add(found, block_token_parts(model.blocks[kind], model, cut, new, machine), float(count))
    add(found, _ends(model, cut, new, machine))
    add(found, {"pp_comm": (cut.pp - 1.0) * _hop_s(model, cut, new.tokens, machine)})
    return found


def block_token_parts(block: Block, model: Model, cut: Cut, new: Tokens, machine: Machine) -> Parts:
    """Seconds of one block by kind on one rank, without attention to keys and recurrence."""
    found: Parts = {}
    hidden, tokens = float(model.hidden), new.tokens
    reduced = _reduced_s(ACTIVATION_BYTES * tokens * hidden, cut.tp, machine)
    norm = _norm(model, block, tokens, machine)
    if block.mixer is not None:
        add(found, norm)
        add(found, _projections(block.mixer, hidden, cut, tokens, machine))
        add(found, {"tp_comm": reduced})
    match block.feed_forward:
        case DenseFeedForward(width=width, gated=gated):
            add(found, norm)
            add(found, _feed_forward(width / cut.tp, gated, hidden, tokens, machine))
            add(found, {"tp_comm": reduced})
        case MixtureOfExperts() as moe:
            add(found, norm)
            add(found, _experts(moe, hidden, cut, new, machine))
    return found


def _product(m: Array, n: npt.ArrayLike, k: npt.ArrayLike, part: Part, machine: Machine) -> Parts:
    """A dense product, and the quantisation of its input where activations narrow too."""
    device = machine.dense if part == "dense" else machine.projection
    rate = machine.rates.dense if part == "dense" else machine.rates.projection
    found = {"gemm": gemm_s(m, n, k, device) / rate}
    if device.operand_bytes < ACTIVATION_BYTES:
        moved = m * np.asarray(k, float) * (ACTIVATION_BYTES + device.operand_bytes)
        add(found, _stream(moved, 0.0, machine))
        fixed_s = machine.quantise_s.dense if part == "dense" else machine.quantise_s.projection
        add(found, {"memory_bound": fixed_s + 0.0 * m})
    return found


def _stream(moved_bytes: Array, kernels: float, machine: Machine) -> Parts:
    return {"memory_bound": machine.engine.stream_passes * memory_bound_s(moved_bytes, machine.plain, kernels)}


def _norm(model: Model, block: Block, tokens: Array, machine: Machine) -> Parts:
    """Residual sum and norm in one kernel: two reads, two writes; with n residual streams, as in training."""
    streams = float(model.residual_streams)
    passes = (4.0 if streams == 1.0 else 4.0 * streams + 4.0) + (2.0 if block.post_norms else 0.0)
    return _stream(passes * ACTIVATION_BYTES * tokens * model.hidden, 2.0 if block.post_norms else 1.0, machine)


def _projections(mixer: Mixer, hidden: float, cut: Cut, tokens: Array, machine: Machine) -> Parts:
    """Products around the mixing of tokens, position encoding, writing of the cache."""
    found: Parts = {}

    def product(n: npt.ArrayLike, k: npt.ArrayLike) -> None:
        add(found, _product(tokens, n, k, "projection", machine))

    def stream(elements: Array, kernels: float = 1.0) -> None:
        add(found, _stream(2 * ACTIVATION_BYTES * tokens * elements, kernels, machine))

    match mixer:
        case GroupedQueryAttention() as a:
            v_dim = float(a.v_head_dim or a.head_dim)
            kv_heads = np.maximum(a.kv_heads / cut.tp, 1.0)
            q, kv = a.heads / cut.tp * a.head_dim, kv_heads * (a.head_dim + (0.0 if a.shared_kv else v_dim))
            product(q * (2.0 if a.output_gate else 1.0) + kv, hidden)
            stream(q + kv, 2.0)
            product(hidden, a.heads / cut.tp * v_dim)
        case MultiLatentAttention() as a:
            heads, qk_dim = a.heads / cut.tp, float(a.qk_nope_head_dim + a.qk_rope_head_dim)
            latent = float(a.kv_lora_rank + a.qk_rope_head_dim)
            if a.q_lora_rank:
                product(a.q_lora_rank + latent, hidden)
                stream(np.full_like(tokens, a.q_lora_rank + latent))
                product(heads * qk_dim, float(a.q_lora_rank))
            else:
                product(heads * qk_dim + latent, hidden)
            stream(heads * a.qk_rope_head_dim + latent, 2.0)
            if a.index_heads:
                product(float(a.index_heads * a.index_head_dim), float(a.q_lora_rank or hidden))
                product(float(a.index_head_dim + a.index_heads), hidden)
                stream(np.full_like(tokens, a.index_heads * a.index_head_dim), 2.0)
            product(hidden, heads * a.v_head_dim)
        case CompressedAttention() as a:
            heads = a.heads / cut.tp
            product(float(a.q_lora_rank + a.head_dim), hidden)
            product(heads * a.head_dim, float(a.q_lora_rank))
            stream(heads * a.head_dim, 2.0)
            if a.compress_ratio:
                product(2.0 * a.head_dim * (2.0 if a.index_heads else 1.0), hidden)
            if a.index_heads:
                product(float(a.index_heads * a.index_head_dim), float(a.q_lora_rank))
                product(4.0 * a.index_head_dim + a.index_heads, hidden)
            product(float(a.output_lora_rank), heads * a.head_dim)
            product(hidden, a.output_groups * float(a.output_lora_rank) / cut.tp)
        case Mamba2() as a:
            inner, state = a.heads * a.head_dim / cut.tp, a.groups * a.state_dim / np.minimum(cut.tp, a.groups)
            product(2 * inner + 2 * state + a.heads / cut.tp, hidden)
            stream(2 * inner + 2 * state, 3.0)
            product(hidden, inner)
        case GatedDeltaNet() as a:
            keys, values = a.key_heads * a.key_head_dim / cut.tp, a.value_heads * a.value_head_dim / cut.tp
            product(2 * keys + 2 * values + 2 * a.value_heads / cut.tp, hidden)
            stream(2 * keys + 2 * values, 3.0)
            product(hidden, values)
    return found


def _feed_forward(width: Array, gated: bool, hidden: float, tokens: Array, machine: Machine) -> Parts:
    wide = 2.0 if gated else 1.0
    found = _product(tokens, wide * width, hidden, "dense", machine)
    add(found, _stream((wide + 1.0) * ACTIVATION_BYTES * tokens * width, 1.0, machine))
    add(found, _product(tokens, hidden, width, "dense", machine))
    return found


def _experts(moe: MixtureOfExperts, hidden: float, cut: Cut, new: Tokens, machine: Machine) -> Parts:
    """Routing, routed experts with their exchange, shared experts.

    With data-parallel attention, tokens of all copies meet. The rank of the most loaded experts sets the time.
    """
    width = float(moe.latent_dim or hidden)
    held = moe.experts / cut.ep
    tokens, met = new.tokens, new.met
    imbalance = np.where(cut.ep > 1.0, machine.imbalance, 1.0)
    chosen = np.minimum(met * moe.top_k / cut.ep * imbalance, met * np.minimum(moe.top_k, held))
    groups = np.maximum(experts_hit(met, moe.top_k, moe.experts) / cut.ep, 1.0)
    # Where each rank dispatches its own tokens, it routes no others.
    routed = np.where((cut.dp > 1.0) & (machine.dispatch == "all-to-all"), tokens, met)
    layer_s = routed_experts_s(
        groups, chosen, routed, width, moe.expert_width / cut.moe_tp, machine.expert, machine.expert_layer, moe.gated
    )
    found: Parts = {"expert_gemm": layer_s / machine.rates.expert}
    # The router keeps 16 bits.
    add(found, {"gemm": gemm_s(tokens, float(moe.experts), hidden, machine.plain) / machine.rates.plain})
    add(found, _expert_exchange(moe, width, cut, new, machine))
    if moe.latent_dim:
        add(found, _product(tokens, width, hidden, "dense", machine))
        add(found, _product(tokens, hidden, width, "dense", machine))
    for dense_width in (moe.shared_width, moe.dense_width):
        if dense_width:
            add(found, _feed_forward(dense_width / cut.tp, moe.gated, hidden, tokens, machine))
    return found


def _expert_exchange(moe: MixtureOfExperts, width: float, cut: Cut, new: Tokens, machine: Machine) -> Parts:
    """Sums over the ranks that share a token; with data-parallel attention, tokens travel to experts and back.

    One copy of attention has its tokens on every rank already: each computes its own experts' part, and the sum is an
    all-reduce. Several copies either gather all tokens everywhere and scatter the sums, or send each token to the
    ranks and domains of its experts alone.
    """
    engine = machine.engine
    links = machine.cluster.links
    bytes_, met_bytes = ACTIVATION_BYTES * new.tokens * width, ACTIVATION_BYTES * new.met * width
    alone = _reduced_s(bytes_, cut.tp, machine)
    ranks = cut.tp * cut.dp
    placement = place(ranks, np.ones_like(ranks), links)
    if machine.dispatch == "gather":
        meeting = all_gather_s(met_bytes, placement) + reduce_scatter_s(met_bytes, placement)
        shared = meeting / engine.exchange_share
    else:
        narrow = min(machine.expert.operand_bytes, ACTIVATION_BYTES)
        ways = [
            expert_exchange_s(
                new.tokens / cut.tp, narrow * width, ACTIVATION_BYTES * width, moe.top_k, moe.experts, ranks, links,
                fit, kind == "low-latency",
            )
            for kind, fit in machine.exchange.items()
        ]  # fmt: skip
        # Engines have one kind of kernels for few tokens and another for many.
        shared = np.min(ways, axis=0) / engine.exchange_share
    several = cut.dp > 1.0
    return {"tp_comm": np.where(several, 0.0, alone), "ep_comm": np.where(several, shared, 0.0)}


def _reduced_s(bytes_: Array, ranks: Array, machine: Machine) -> Array:
    links = machine.cluster.links
    reduced = engine_all_reduce_s(bytes_, ranks, np.ones_like(ranks), links, machine.all_reduce)
    return np.where(ranks > 1.0, reduced / machine.engine.exchange_share, 0.0)


def _hop_s(model: Model, cut: Cut, tokens: Array, machine: Machine) -> Array:
    """One pass of activations to the next stage, every rank its share."""
    placement = place(np.full_like(cut.tp, 2.0), cut.tp * cut.dp, machine.cluster.links)
    return all_gather_s(2.0 * ACTIVATION_BYTES * tokens * model.hidden / cut.tp, placement)


def _ends(model: Model, cut: Cut, new: Tokens, machine: Machine) -> Parts:
    """Looking tokens up, the head over the vocabulary cut by tp, and choosing the next token."""
    vocab = model.vocab / cut.tp
    head = gemm_s(new.head_rows, vocab, float(model.hidden), machine.plain) / machine.rates.plain
    chosen = memory_bound_s(3 * 4.0 * new.head_rows * vocab, machine.plain, 4.0)
    looked_up = memory_bound_s(2 * ACTIVATION_BYTES * new.tokens * model.hidden, machine.plain, 1.0)
    return {"head": head + chosen + looked_up}
