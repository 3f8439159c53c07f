"""FLOPs per token by definition: what model FLOPs, and so MFU, mean differs between publishers.

All count one fused multiply-add as two FLOPs and a training step as three forward passes. They differ
in whether the attention core is halved because half of its scores are masked, and in shortcuts. Which
definition a publisher uses was settled on rows that print both tokens/s and TFLOP/s; see
`tests/validation/test_flops_definitions.py`. Nothing here says how long a step takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from myriad.estimate.parameters import BlockCounts, model_parameters
from myriad.spec.model import (
    CompressedAttention,
    DenseFeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    Model,
    MultiLatentAttention,
)

_STEP: Final = 3.0
"""Forward passes that a training step counts as: one forward, two for both gradients."""


def _core(mixer: Mixer | None, seq_len: int, windows: bool) -> float:
    """Forward FLOPs per token of scores and weighted values, unmasked; with `windows`, twice the window at most."""
    match mixer:
        case GroupedQueryAttention():
            keys = min(seq_len, 2 * mixer.window_tokens) if windows and mixer.window_tokens else seq_len
            return 2.0 * keys * mixer.heads * (mixer.head_dim + (mixer.v_head_dim or mixer.head_dim))
        case MultiLatentAttention():
            width = mixer.qk_nope_head_dim + mixer.qk_rope_head_dim + mixer.v_head_dim
            return 2.0 * seq_len * mixer.heads * width
        case CompressedAttention():
            folds = seq_len / mixer.compress_ratio if mixer.compress_ratio else 0.0
            return 4.0 * min(2.0 * mixer.window_tokens + folds, float(seq_len)) * mixer.heads * mixer.head_dim
        case _:
            return 0.0


def _recurrence(mixer: Mixer | None, hidden: int) -> float:
    """Forward FLOPs per token of a linear mixer's state, with Mamba's inner width taken as 2 x hidden."""
    match mixer:
        case Mamba2():
            return 7.0 * 2.0 * hidden * mixer.state_dim
        case GatedDeltaNet():
            return 6.0 * mixer.value_heads * mixer.key_head_dim * mixer.value_head_dim
        case _:
            return 0.0


def _matrices(counts: BlockCounts, mixer: Mixer | None, hidden: int) -> float:
    """Weights of matrix products that one token meets in a layer."""
    weights = counts.active - counts.norms
    if isinstance(mixer, Mamba2):
        inner, groups = 2 * hidden, mixer.groups * mixer.state_dim
        return weights - counts.mixer + hidden * (2 * inner + 2 * groups + inner // mixer.head_dim) + inner * hidden
    return weights


def _per_token(model: Model, seq_len: int, *, causal: bool) -> float:
    counts = model_parameters(model)
    layers = dict(counts.layers)
    if model.mtp_block is not None:
        layers[model.mtp_block] = layers.get(model.mtp_block, 0) + model.mtp_depths
    forward = 2.0 * model.hidden * model.vocab * (1 + model.mtp_depths) + 4.0 * model.hidden**2 * model.mtp_depths
    for kind, count in layers.items():
        mixer = model.blocks[kind].mixer
        weights = _matrices(counts.blocks[kind], mixer, model.hidden)
        attention = _core(mixer, seq_len, windows=causal) / (2.0 if causal else 1.0)
        forward += count * (2.0 * weights + attention + _recurrence(mixer, model.hidden))
    return _STEP * forward


def megatron_causal(model: Model, seq_len: int) -> float:
    """Model FLOPs per token as Megatron-Bridge counts them.

    Three times the forward pass: grouped keys and values, attention core halved, router, active and
    shared experts, logits once per prediction depth, sliding windows as wide as they are. A Mamba
    layer counts with an inner width of 2 x hidden whatever it has. Also used by Megatron-MoE-ModelZoo,
    NeMo Automodel and the MoE recipes of DGX Cloud.
    """
    return _per_token(model, seq_len, causal=True)


def noncausal(model: Model, seq_len: int) -> float:
    """Model FLOPs per token with the attention core unmasked, logits included, no recomputation.

    NeMo 24.07, DGX Cloud recipes for dense models and MaxText, Megatron-LM's own tables. For tied
    embeddings it equals 6 N + 12 L d s but for the norms and positions.
    """
    return _per_token(model, seq_len, causal=False)


def noncausal_multi_head(model: Model, seq_len: int) -> float:
    """`noncausal` with grouped keys and values counted as one per query head: early Nemotron-4 recipes."""
    blocks = {
        kind: block.model_copy(update={"mixer": block.mixer.model_copy(update={"kv_heads": block.mixer.heads})})
        if isinstance(block.mixer, GroupedQueryAttention)
        else block
        for kind, block in model.blocks.items()
    }
    return noncausal(model.model_copy(update={"blocks": blocks}), seq_len)


def six_n(model: Model, seq_len: int) -> float:
    """6 N + 12 L d s, N with the position table as long as the sequence: llm-foundry."""
    table = 6.0 * model.hidden * seq_len if model.norm == "layernorm" else 0.0
    return noncausal(model, seq_len) + table


def llama4_dense(model: Model, seq_len: int) -> float:
    """`megatron_causal` with a dense feed-forward of 16,384 in every layer: DGX Cloud recipes for Llama 4."""
    dense = DenseFeedForward(width=16384)
    blocks = {kind: block.model_copy(update={"feed_forward": dense}) for kind, block in model.blocks.items()}
    return megatron_causal(model.model_copy(update={"blocks": blocks}), seq_len)


def megatron_sc21_hardware(model: Model, seq_len: int) -> float:
    """Hardware FLOPs per token with full recomputation: 96 l h^2 (1 + s/6h + V/16lh).

    Narayanan et al., SC21, arXiv 2104.04473, equation 3, for a feed-forward of 4 h (or 8/3 h gated).
    """
    hidden, layers = float(model.hidden), model.num_layers
    return 96.0 * layers * hidden**2 * (1 + seq_len / (6 * hidden) + model.vocab / (16 * layers * hidden))


def megatron_sc21_model(model: Model, seq_len: int) -> float:
    """`megatron_sc21_hardware` without the recomputed forward pass."""
    return megatron_sc21_hardware(model, seq_len) * 0.75


DEFINITIONS: Final[dict[str, Callable[[Model, int], float]]] = {
    "megatron-causal": megatron_causal,
    "noncausal": noncausal,
    "noncausal-multi-head": noncausal_multi_head,
    "six-n": six_n,
    "llama4-dense": llama4_dense,
    "sc21-hardware": megatron_sc21_hardware,
    "sc21-model": megatron_sc21_model,
}
