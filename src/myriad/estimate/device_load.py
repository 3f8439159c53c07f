"""What a model asks of one device: the bytes that it stores and reads, and the FLOPs of a token and of a prompt."""

from __future__ import annotations

import math
from dataclasses import dataclass

from myriad.estimate.mixers import visible_pairs
from myriad.estimate.parameters import model_parameters
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
from myriad.spec.on_device import Quantisation


def cached_bytes_per_token(mixer: Mixer | None, bits: float) -> float:
    """Bytes that one layer caches of one token; 0 for recurrent mixers, whose state does not grow."""
    match mixer:
        case GroupedQueryAttention():
            width = float(mixer.kv_heads * (mixer.head_dim + (mixer.v_head_dim or mixer.head_dim)))
        case MultiLatentAttention():
            width = float(mixer.kv_lora_rank + mixer.qk_rope_head_dim)
        case CompressedAttention():
            width = mixer.head_dim / mixer.compress_ratio if mixer.compress_ratio else 0.0
        case _:
            width = 0.0
    return width * bits / 8.0


def _window(mixer: Mixer | None) -> int | None:
    return mixer.window_tokens if isinstance(mixer, (GroupedQueryAttention, CompressedAttention)) else None


def _attention_flops_per_pair(mixer: Mixer | None) -> float:
    if isinstance(mixer, GroupedQueryAttention):
        return 2.0 * mixer.heads * (mixer.head_dim + (mixer.v_head_dim or mixer.head_dim))
    if isinstance(mixer, MultiLatentAttention):
        return 2.0 * mixer.heads * (mixer.qk_nope_head_dim + mixer.qk_rope_head_dim + mixer.v_head_dim)
    return 2.0 * mixer.heads * 2.0 * mixer.head_dim if isinstance(mixer, CompressedAttention) else 0.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one model asks of a device."""

    stored_bytes: float
    """All weights, embedding tables included."""
    read_bytes: float
    """Weights that one decoded token reads: head and active layers, no embedding table."""
    all_read_bytes: float
    """Weights that many tokens read together: all experts."""
    flops_per_token: float
    """Of the layers' matrices; attention cores, and the head, which runs once per prompt, are apart."""
    layers: int
    recurrent_layers: int
    caches: tuple[tuple[float, int | None], ...]
    """(bytes per token, window) of every layer that caches."""
    attention: tuple[tuple[float, int | None], ...]
    """(FLOP per pair of tokens, window) of the same layers."""
    touched: tuple[int, int] | None
    """(experts, experts per token); `None` without."""
    expert_bytes: float
    """Of all routed experts."""

    def cache_bytes(self, context_tokens: float) -> float:
        """Bytes cached for one sequence with so many tokens."""
        return sum(size * min(context_tokens, window or context_tokens) for size, window in self.caches)

    def attention_flops(self, prompt_tokens: float) -> float:
        """Of the attention cores over one prompt."""
        return sum(flops * visible_pairs(prompt_tokens, window) for flops, window in self.attention)

    def pass_bytes(self, tokens: float) -> float:
        """Weights read by a pass of so many tokens: `1 - (1 - k/E)^tokens` of the experts, if they pick evenly."""
        if self.touched is None:
            return self.read_bytes
        experts, top_k = self.touched
        share = 1.0 - math.pow(1.0 - top_k / experts, tokens)
        return self.all_read_bytes - self.expert_bytes * (1.0 - share)


def load(model: Model, quantisation: Quantisation) -> Load:
    """What `model` asks of a device that stores it so; multi-token prediction is left out."""
    counts, kinds = model_parameters(model), model.layer_kinds()
    blocks = [model.blocks[kind] for kind in kinds]
    body = quantisation.body_bits / 8.0
    expert = (quantisation.expert_bits or quantisation.body_bits) / 8.0
    dense = sum(counts.blocks[kind].every_token for kind in kinds) + counts.per_layer_projections
    experts = sum(counts.blocks[kind].experts_total for kind in kinds)
    active = sum(counts.blocks[kind].experts_active for kind in kinds)
    vocabulary = float(model.vocab * model.hidden)
    head = vocabulary * quantisation.head_bits / 8.0
    # Files with a tied table store it once, at the precision of the head.
    table = 0.0 if model.tied_embeddings else counts.embedding * quantisation.embedding_bits / 8.0
    table += counts.per_layer_embedding * quantisation.embedding_bits / 8.0
    mixers = [block.mixer for block in blocks]
    caches = [(cached_bytes_per_token(m, quantisation.cache_bits), _window(m)) for m in mixers]
    pairs = [(_attention_flops_per_pair(m), _window(m)) for m in mixers]
    routed = next((b.feed_forward for b in blocks if isinstance(b.feed_forward, MixtureOfExperts)), None)
    return Load(
        stored_bytes=dense * body + experts * expert + head + table,
        read_bytes=dense * body + active * expert + head,
        all_read_bytes=dense * body + experts * expert + head,
        flops_per_token=2.0 * (dense + active),
        layers=len(blocks),
        recurrent_layers=sum(isinstance(m, (GatedDeltaNet, Mamba2)) for m in mixers),
        caches=tuple((size, window) for size, window in caches if size),
        attention=tuple((flops, window) for flops, window in pairs if flops),
        touched=(routed.experts, routed.top_k) if routed else None,
        expert_bytes=experts * expert,
    )
