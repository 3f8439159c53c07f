"""The model: a sequence of blocks, each a token mixer and a feed-forward part.

A block kind is written once and named; `layers` says in which order the kinds follow. Thus dense
layers before MoE layers, one full-attention layer after five sliding ones, and hybrids whose layers
hold only a mixer or only experts are all the same thing.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from myriad.errors import unknown_name
from myriad.spec.base import Count, CountOrZero, Spec

Family = Literal["dense", "moe", "hybrid"]


class GroupedQueryAttention(Spec):
    """Softmax attention with `kv_heads` shared by the query heads; multi-head when both are equal."""

    kind: Literal["gqa"] = "gqa"
    heads: Count
    kv_heads: Count
    head_dim: Count
    v_head_dim: Count | None = None
    """Head width of values where it differs from that of queries and keys."""
    window_tokens: Count | None = None
    """Sliding window; `None` is full attention."""
    chunk_tokens: Count | None = None
    """Chunked local attention (Llama 4): tokens see only their own chunk."""
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False
    output_gate: bool = False
    """A gate as wide as the query, from the same projection (Qwen3-Next, Qwen3.5)."""
    sinks: bool = False
    """One learned sink logit per head (gpt-oss, MiMo-V2)."""
    shared_kv: bool = False
    """Keys serve as values too: one projection (Gemma 4 full layers)."""


class MultiLatentAttention(Spec):
    """DeepSeek's MLA: queries, keys and values go through low-rank latents."""

    kind: Literal["mla"] = "mla"
    heads: Count
    q_lora_rank: Count | None = None
    kv_lora_rank: Count
    qk_nope_head_dim: Count
    qk_rope_head_dim: Count
    v_head_dim: Count
    index_heads: CountOrZero = 0
    """Heads of the sparse-attention indexer (DeepSeek V3.2, GLM-5); 0 without."""
    index_head_dim: CountOrZero = 0
    index_top_k: CountOrZero = 0
    """Tokens that each query attends to after indexing; 0 means all."""


class CompressedAttention(Spec):
    """DeepSeek V4's attention over compressed keys, with a sliding window beside it."""

    kind: Literal["compressed"] = "compressed"
    heads: Count
    head_dim: Count
    q_lora_rank: Count
    output_groups: Count
    output_lora_rank: Count
    window_tokens: Count
    compress_ratio: CountOrZero
    """Tokens folded into one key; 0 keeps the window only."""
    index_heads: CountOrZero = 0
    index_head_dim: CountOrZero = 0
    index_top_k: CountOrZero = 0


class Mamba2(Spec):
    """State-space mixer; the inner width is heads x head_dim."""

    kind: Literal["mamba2"] = "mamba2"
    heads: Count
    head_dim: Count
    state_dim: Count
    groups: Count
    conv_kernel: Count = 4


class GatedDeltaNet(Spec):
    """Linear-attention mixer of Qwen3-Next and Qwen3.5."""

    kind: Literal["gated-delta-net"] = "gated-delta-net"
    key_heads: Count
    value_heads: Count
    key_head_dim: Count
    value_head_dim: Count
    conv_kernel: Count = 4


class DenseFeedForward(Spec):
    """Two matrices, or three when gated (SwiGLU)."""

    kind: Literal["dense"] = "dense"
    width: Count
    gated: bool = True
    bias: bool = False


class MixtureOfExperts(Spec):
    """Routed experts, `top_k` per token, beside shared ones that see every token."""

    kind: Literal["moe"] = "moe"
    experts: Count
    top_k: Count
    expert_width: Count
    shared_width: CountOrZero = 0
    """Summed width of the shared experts; 0 without."""
    shared_gate: bool = False
    """A learned scalar gate on the shared expert (Qwen2-MoE, Qwen3-Next)."""
    gated: bool = True
    bias: bool = False
    router_bias: bool = False
    """One balancing or learned bias per expert."""
    groups: Count = 1
    """Equal groups of consecutive experts that the router picks from first (DeepSeek V3: 8)."""
    top_groups: Count | None = None
    """Groups that the experts of one token lie in at most; `None` is all."""
    latent_dim: Count | None = None
    """Width that tokens are projected to before dispatch (LatentMoE); `None` is the model width."""
    dense_width: CountOrZero = 0
    """Width of a dense feed-forward run in parallel with the experts (Gemma 4); 0 without."""

    @model_validator(mode="after")
    def _top_k_fits(self) -> MixtureOfExperts:
        if self.top_k > self.experts:
            raise ValueError(f"top_k {self.top_k} is more than the {self.experts} experts")
        if self.top_groups is not None and self.top_groups > self.groups:
            raise ValueError(f"top_groups {self.top_groups} is more than the {self.groups} groups")
        return self


Mixer = Annotated[
    GroupedQueryAttention | MultiLatentAttention | CompressedAttention | Mamba2 | GatedDeltaNet,
    Field(discriminator="kind"),
]
FeedForward = Annotated[DenseFeedForward | MixtureOfExperts, Field(discriminator="kind")]


class Block(Spec):
    """One layer: a mixer, a feed-forward part, or both; each with a norm before it."""

    mixer: Mixer | None = None
    feed_forward: FeedForward | None = None
    post_norms: bool = False
    """A second norm after each part (Gemma)."""

    @model_validator(mode="after")
    def _not_empty(self) -> Block:
        if self.mixer is None and self.feed_forward is None:
            raise ValueError("a block needs a mixer or a feed_forward")
        return self


class PublishedCounts(Spec):
    """Parameter counts as the publisher states them; used to check ours."""

    total: float | None = None
    active: float | None = None
    total_rounding: float = 0.0
    """Half of the last printed digit: 0.5e9 for `671B`."""
    active_rounding: float = 0.0
    active_excludes_embedding: bool = False
    """The publisher's active count leaves out the input embedding, of which a token reads one row."""
    note: str = ""


MAX_LAYERS = 10_000


class Model(Spec):
    """A decoder-only language model as its configuration describes it."""

    name: str
    hidden: Count
    vocab: Count
    blocks: dict[str, Block]
    layers: tuple[tuple[str, Count], ...]
    """Runs of equal blocks in order: `[[dense, 3], [moe, 58]]`."""
    tied_embeddings: bool = False
    learned_positions: CountOrZero = 0
    """Rows of a learned position table; 0 for rotary or ALiBi."""
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm"
    per_layer_embedding: CountOrZero = 0
    """Width of a further embedding that every layer has (Gemma 3n, Gemma 4 E2B and E4B); 0 without. A token looks up
    one row of each. Training estimates leave it out."""
    residual_streams: Count = 1
    """Residual streams that hyper-connections mix around every part (DeepSeek V4 has 4)."""
    max_context_tokens: Count | None = None
    mtp_depths: CountOrZero = 0
    """Multi-token-prediction blocks after the last layer."""
    mtp_block: str | None = None
    """Block kind of the MTP depths."""
    stands_in_for: str | None = None
    """The sibling whose published configuration stands in, where this model's own is not public."""
    published: PublishedCounts = PublishedCounts()

    @model_validator(mode="after")
    def _names_exist(self) -> Model:
        if self.num_layers > MAX_LAYERS:
            raise ValueError(f"layers: at most {MAX_LAYERS:,} layers, found {self.num_layers:,}")
        for kind, _ in self.layers:
            if kind not in self.blocks:
                raise ValueError(unknown_name("block", kind, self.blocks))
        if self.mtp_depths and self.mtp_block not in self.blocks:
            raise ValueError(unknown_name("mtp_block", str(self.mtp_block), self.blocks))
        return self

    @property
    def family(self) -> Family:
        """`hybrid` if any layer mixes tokens by a recurrence, else `moe` if any has experts, else `dense`."""
        blocks = [self.blocks[kind] for kind, _ in self.layers]
        if any(isinstance(block.mixer, (Mamba2, GatedDeltaNet)) for block in blocks):
            return "hybrid"
        return "moe" if any(isinstance(block.feed_forward, MixtureOfExperts) for block in blocks) else "dense"

    @property
    def num_layers(self) -> int:
        return sum(count for _, count in self.layers)

    def layer_kinds(self) -> tuple[str, ...]:
        """The block kind of every layer, first to last."""
        return tuple(kind for kind, count in self.layers for _ in range(count))

    def layers_by_kind(self) -> dict[str, int]:
        """How many layers there are of each block kind."""
        found: dict[str, int] = {}
        for kind, count in self.layers:
            found[kind] = found.get(kind, 0) + count
        return found

    def routed_experts(self) -> list[MixtureOfExperts]:
        """The kinds of routed experts that its blocks have; empty for a dense model."""
        parts = [block.feed_forward for block in self.blocks.values()]
        return [part for part in parts if isinstance(part, MixtureOfExperts)]

    def block_kinds(self) -> tuple[str, ...]:
        """The kinds of blocks, each once: of the layers as they come, then of multi-token prediction."""
        own = [kind for kind, _ in self.layers]
        return tuple(dict.fromkeys(own + ([self.mtp_block] if self.mtp_block else [])))

    def with_layers(self, num_layers: int) -> Model:
        """The same model cut (or its last run stretched) to `num_layers`, as scaled-down benchmarks do."""
        kinds = self.layer_kinds()
        kinds = kinds[:num_layers] + (kinds[-1],) * max(0, num_layers - len(kinds))
        return self.model_copy(update={"layers": tuple((k, 1) for k in kinds)})
