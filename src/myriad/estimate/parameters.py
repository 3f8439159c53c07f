"""Parameter counts of a model, part by part.

Two conventions meet in what publishers print, and both are kept:

- `ModelCounts.total` has the token embedding, the positions, the layers, the final norm and the head;
  a tied embedding counts once. Multi-token-prediction blocks are apart (`mtp`), as in DeepSeek's 671 B.
- `ModelCounts.active` is what one token meets: all of the above with `top_k` of the routed experts.
  Some publishers (gpt-oss, Kimi, DeepSeek V4) leave the embedding table out, since a token reads one
  row of it: `active_without_embedding`. A tied table is the head too and stays in.

Counts are floats: a trillion-parameter model squared in a formula overflows 64-bit integers.
Checked against published figures in tests/validation/test_parameter_counts.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from myriad.spec.model import (
    Block,
    CompressedAttention,
    DenseFeedForward,
    FeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    Model,
    MultiLatentAttention,
)


@dataclass(frozen=True, kw_only=True)
class FeedForwardCounts:
    """Parameters of one feed-forward part."""

    dense: float = 0.0
    """A dense feed-forward, alone or beside the experts."""
    router: float = 0.0
    latent: float = 0.0
    """Projections into and out of the width that experts work in (LatentMoE)."""
    shared: float = 0.0
    """Shared experts and their gate."""
    per_expert: float = 0.0
    experts: int = 0
    top_k: int = 0

    @property
    def experts_total(self) -> float:
        return self.per_expert * self.experts

    @property
    def experts_active(self) -> float:
        return self.per_expert * self.top_k

    @property
    def every_token(self) -> float:
        """What every token meets: all but the routed experts."""
        return self.dense + self.router + self.latent + self.shared


@dataclass(frozen=True, kw_only=True)
class BlockCounts:
    """Parameters of one layer."""

    mixer: float
    mixer_whole: float
    """What of the mixer comes before its heads, so that tensor parallelism does not cut it."""
    dense_ff: float
    router: float
    latent: float
    shared: float
    experts_total: float
    experts_active: float
    norms: float
    """Norms, and the mixing of the residual streams where there are several."""

    @property
    def every_token(self) -> float:
        """All but the routed experts: what data parallelism replicates where experts are spread."""
        return self.mixer + self.dense_ff + self.router + self.latent + self.shared + self.norms

    @property
    def total(self) -> float:
        return self.every_token + self.experts_total

    @property
    def active(self) -> float:
        return self.every_token + self.experts_active


@dataclass(frozen=True, kw_only=True)
class ModelCounts:
    """Parameters of a whole model; the module's docstring says what is counted where."""

    embedding: float
    head: float
    """0 when tied to the embedding."""
    position: float
    per_layer_embedding: float
    """Tables of which a token reads one row per layer; not among the active."""
    per_layer_projections: float
    """What brings those rows to the model's width and back."""
    blocks: dict[str, BlockCounts]
    """One layer of each kind."""
    layers: dict[str, int]
    """How many layers there are of each kind."""
    final_norm: float
    mtp: float
    """All multi-token-prediction depths; embedding and head are shared with the model."""
    mtp_active: float
    tied: bool

    @property
    def _outside_layers(self) -> float:
        return self.embedding + self.head + self.position + self.per_layer_projections + self.final_norm

    @property
    def total(self) -> float:
        layers = sum(self.blocks[k].total * n for k, n in self.layers.items())
        return self._outside_layers + self.per_layer_embedding + layers

    @property
    def active(self) -> float:
        return self._outside_layers + sum(self.blocks[k].active * n for k, n in self.layers.items())

    @property
    def active_without_embedding(self) -> float:
        return self.active - (0.0 if self.tied else self.embedding) - self.position

    @property
    def total_with_mtp(self) -> float:
        return self.total + self.mtp

    @property
    def active_with_mtp(self) -> float:
        return self.active + self.mtp_active


def _gqa_parameters(mixer: GroupedQueryAttention, hidden: int) -> dict[str, float]:
    v_head_dim = mixer.v_head_dim or mixer.head_dim
    q = mixer.heads * mixer.head_dim
    k = mixer.kv_heads * mixer.head_dim
    v = 0 if mixer.shared_kv else mixer.kv_heads * v_head_dim
    return {
        "q": hidden * q,
        "gate": hidden * q if mixer.output_gate else 0,
        "k": hidden * k,
        "v": hidden * v,
        "o": mixer.heads * v_head_dim * hidden,
        "biases": (q + k + v if mixer.qkv_bias else 0) + (hidden if mixer.output_bias else 0),
        "norms": 2 * mixer.head_dim if mixer.qk_norm else 0,
        "sinks": mixer.heads if mixer.sinks else 0,
    }


def _mla_parameters(mixer: MultiLatentAttention, hidden: int) -> dict[str, float]:
    qk_head_dim = mixer.qk_nope_head_dim + mixer.qk_rope_head_dim
    rank = mixer.q_lora_rank
    index_width = mixer.index_heads * mixer.index_head_dim
    return {
        "q_down": hidden * rank if rank else 0,
        "q_up": (rank or hidden) * mixer.heads * qk_head_dim,
        "kv_down": hidden * (mixer.kv_lora_rank + mixer.qk_rope_head_dim),
        "kv_up": mixer.kv_lora_rank * mixer.heads * (mixer.qk_nope_head_dim + mixer.v_head_dim),
        "o": mixer.heads * mixer.v_head_dim * hidden,
        "norms": (rank or 0) + mixer.kv_lora_rank + 2 * mixer.index_head_dim,
        "indexer": (rank or hidden) * index_width + hidden * (mixer.index_head_dim + mixer.index_heads),
    }


def _compressor_parameters(hidden: int, head_dim: int, ratio: int, overlapping: bool) -> float:
    """Projections to keys and to their weights in a fold, a position term per place in it, a norm."""
    width = head_dim * (2 if overlapping else 1)
    return 2 * hidden * width + ratio * width + head_dim


def _compressed_parameters(mixer: CompressedAttention, hidden: int) -> dict[str, float]:
    # Layers with an indexer fold few tokens and let neighbouring folds overlap: twice the width.
    ratio, indexed = mixer.compress_ratio, mixer.index_heads > 0
    index_compressor = _compressor_parameters(hidden, mixer.index_head_dim, ratio, True) if indexed else 0.0
    return {
        "q_down": hidden * mixer.q_lora_rank,
        "q_up": mixer.q_lora_rank * mixer.heads * mixer.head_dim,
        "kv": hidden * mixer.head_dim,
        "o_down": mixer.heads * mixer.head_dim * mixer.output_lora_rank,
        "o_up": mixer.output_groups * mixer.output_lora_rank * hidden,
        "compressor": _compressor_parameters(hidden, mixer.head_dim, ratio, indexed) if ratio else 0.0,
        "indexer": mixer.q_lora_rank * mixer.index_heads * mixer.index_head_dim
        + hidden * mixer.index_heads
        + index_compressor,
        "norms": mixer.q_lora_rank + mixer.head_dim,
        "sinks": mixer.heads,
    }


def _mamba2_parameters(mixer: Mamba2, hidden: int) -> dict[str, float]:
    inner = mixer.heads * mixer.head_dim
    convolved = inner + 2 * mixer.groups * mixer.state_dim
    return {
        "in": hidden * (inner + convolved + mixer.heads),
        "conv": convolved * (mixer.conv_kernel + 1),
        "recurrence": 3 * mixer.heads,
        "norms": inner,
        "o": inner * hidden,
    }


def _gated_delta_net_parameters(mixer: GatedDeltaNet, hidden: int) -> dict[str, float]:
    keys = mixer.key_heads * mixer.key_head_dim
    values = mixer.value_heads * mixer.value_head_dim
    return {
        "in": hidden * (2 * keys + 2 * values),
        "decay": hidden * 2 * mixer.value_heads,
        "conv": (2 * keys + values) * mixer.conv_kernel,
        "recurrence": 2 * mixer.value_heads,
        "norms": mixer.value_head_dim,
        "o": values * hidden,
    }


def mixer_parameters(mixer: Mixer, hidden: int) -> dict[str, float]:
    """Parameters of a token mixer, by part.

    Parts ending in a projection's letter are matrices; `biases`, `norms`, `sinks`, `conv` and
    `recurrence` are vectors and small filters. Sources: the modelling code of each family
    (DeepSeek V3 and V4 inference code, Qwen3-Next, Mamba-2 arXiv 2405.21060, Nemotron-H).
    """
    match mixer:
        case GroupedQueryAttention():
            parts = _gqa_parameters(mixer, hidden)
        case MultiLatentAttention():
            parts = _mla_parameters(mixer, hidden)
        case CompressedAttention():
            parts = _compressed_parameters(mixer, hidden)
        case Mamba2():
            parts = _mamba2_parameters(mixer, hidden)
        case GatedDeltaNet():
            parts = _gated_delta_net_parameters(mixer, hidden)
        case _:
            assert_never(mixer)
    return {name: float(count) for name, count in parts.items()}


#: Parts of mixers that all ranks of a tensor-parallel group have in full: what makes latents, with its norms, and
#: the indexer. Vectors of a head's width are as good as nothing, and counted as cut.
_BEFORE_HEADS: dict[str, tuple[str, ...]] = {
    "mla": ("q_down", "kv_down", "norms", "indexer"),
    "compressed": ("q_down", "kv", "compressor", "indexer", "norms"),
}


def _two_or_three_matrices(hidden: int, width: int, gated: bool, bias: bool) -> float:
    widened = width * (2 if gated else 1)
    return float(hidden * (widened + width) + (widened + hidden if bias else 0))


def feed_forward_parameters(feed_forward: FeedForward, hidden: int) -> FeedForwardCounts:
    """Parameters of a feed-forward part."""
    ff = feed_forward
    if isinstance(ff, DenseFeedForward):
        return FeedForwardCounts(dense=_two_or_three_matrices(hidden, ff.width, ff.gated, ff.bias))
    has_shared, has_dense = ff.shared_width > 0, ff.dense_width > 0
    shared = _two_or_three_matrices(hidden, ff.shared_width, ff.gated, ff.bias) if has_shared else 0.0
    return FeedForwardCounts(
        dense=_two_or_three_matrices(hidden, ff.dense_width, ff.gated, ff.bias) if has_dense else 0.0,
        router=float(hidden * ff.experts + (ff.experts if ff.router_bias else 0)),
        latent=float(2 * hidden * ff.latent_dim) if ff.latent_dim else 0.0,
        shared=shared + (hidden if ff.shared_gate else 0),
        per_expert=_two_or_three_matrices(ff.latent_dim or hidden, ff.expert_width, ff.gated, ff.bias),
        experts=ff.experts,
        top_k=ff.top_k,
    )


def _norm_parameters(model: Model) -> float:
    return float(model.hidden * (2 if model.norm == "layernorm" else 1))


def _stream_mixing_parameters(model: Model) -> float:
    """Of one part with n residual streams: n (n + 2) weights, each a projection of all streams, biases, 3 scales.

    Source: manifold-constrained hyper-connections as in DeepSeek V4's modelling code.
    """
    streams = model.residual_streams
    weights = streams * (streams + 2)
    return float(weights * (streams * model.hidden + 1) + 3) if streams > 1 else 0.0


def block_parameters(block: Block, model: Model) -> BlockCounts:
    """Parameters of one layer of `model` that is built as `block`."""
    ff = feed_forward_parameters(block.feed_forward, model.hidden) if block.feed_forward else FeedForwardCounts()
    num_parts = (block.mixer is not None) + (block.feed_forward is not None)
    norms = (2 if block.post_norms else 1) * _norm_parameters(model)
    mixer = mixer_parameters(block.mixer, model.hidden) if block.mixer else {}
    whole = _BEFORE_HEADS.get(block.mixer.kind, ()) if block.mixer else ()
    return BlockCounts(
        mixer=sum(mixer.values()),
        mixer_whole=sum(mixer[part] for part in whole),
        dense_ff=ff.dense,
        router=ff.router,
        latent=ff.latent,
        shared=ff.shared,
        experts_total=ff.experts_total,
        experts_active=ff.experts_active,
        norms=num_parts * (norms + _stream_mixing_parameters(model)),
    )


def mtp_depth_extra_parameters(model: Model) -> float:
    """Parameters of one multi-token-prediction depth beside its block.

    Norms of the two inputs, the projection that joins them (2 hidden to hidden), a final norm.
    Source: DeepSeek-V3, arXiv 2412.19437, section 2.2.
    """
    return 2.0 * model.hidden * model.hidden + 3.0 * _norm_parameters(model)


def _per_layer_projections(model: Model) -> float:
    """Of per-layer embeddings: one projection from the model's width for all layers, a gate and a way back in each.

    Source: modelling code of Gemma 3n.
    """
    width = model.per_layer_embedding
    return float(model.num_layers * (3 * model.hidden * width + model.hidden) + width) if width else 0.0


def model_parameters(model: Model) -> ModelCounts:
    """Parameters of `model`, by part and in all."""
    blocks = {kind: block_parameters(block, model) for kind, block in model.blocks.items()}
    mtp = mtp_active = 0.0
    if model.mtp_block is not None and model.mtp_depths:
        depth, extra = blocks[model.mtp_block], mtp_depth_extra_parameters(model)
        mtp, mtp_active = model.mtp_depths * (depth.total + extra), model.mtp_depths * (depth.active + extra)
    embedding = float(model.vocab * model.hidden)
    return ModelCounts(
        embedding=embedding,
        head=0.0 if model.tied_embeddings else embedding,
        position=float(model.learned_positions * model.hidden),
        per_layer_embedding=float(model.vocab * model.per_layer_embedding * model.num_layers),
        per_layer_projections=_per_layer_projections(model),
        blocks=blocks,
        layers=model.layers_by_kind(),
        final_norm=_norm_parameters(model),
        mtp=mtp,
        mtp_active=mtp_active,
        tied=model.tied_embeddings,
    )
