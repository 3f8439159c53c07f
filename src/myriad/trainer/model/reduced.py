"""A model made small enough for a laptop, with all that makes its architecture kept."""

from __future__ import annotations

from myriad.spec.model import (
    Block,
    CompressedAttention,
    DenseFeedForward,
    FeedForward,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
    PublishedCounts,
)

HIDDEN, VOCAB, POSITIONS, WINDOW = 64, 256, 128, 16


def reduced(model: Model) -> Model:
    """`model` with one layer of each kind (two where there is one kind), 64 wide, with 8 experts at most.

    What is there stays there: windows, biases, norms, gates, groups, sinks, latents, shared experts, prediction
    depths (two at most), tied or learned tables; widths that differ still differ. Widths of its own parts do not
    depend on the model's, so that a mistaken width shows in counts.
    """
    kinds = tuple(dict.fromkeys(kind for kind, _ in model.layers))
    return model.model_copy(
        update={
            "name": f"{model.name}-reduced",
            "hidden": HIDDEN,
            "vocab": VOCAB,
            "blocks": {kind: _block(model.blocks[kind]) for kind in model.block_kinds()},
            "layers": tuple((kind, 1 if len(kinds) > 1 else 2) for kind in kinds),
            "learned_positions": min(model.learned_positions, POSITIONS),
            "per_layer_embedding": min(model.per_layer_embedding, 8),
            "max_context_tokens": None,
            "mtp_depths": min(model.mtp_depths, 2),
            "published": PublishedCounts(),
        }
    )


def _block(block: Block) -> Block:
    mixer = None if block.mixer is None else _mixer(block.mixer)
    feed_forward = None if block.feed_forward is None else _feed_forward(block.feed_forward)
    return block.model_copy(update={"mixer": mixer, "feed_forward": feed_forward})


def _other(width: int | None, than: int, small: int) -> int | None:
    """`small` where a width is equal to another one, half as much again where it differs."""
    return width if width is None else small if width == than else small * 3 // 2


def _heads(heads: int, sharing: int) -> tuple[int, int]:
    """Few heads over fewer that they share, in the same ratio up to four."""
    few = min(sharing, 2)
    return few * min(heads // sharing, 4), few


def _mixer(mixer: Mixer) -> Mixer:
    match mixer:
        case GroupedQueryAttention():
            heads, kv_heads = _heads(mixer.heads, mixer.kv_heads)
            sizes = {
                "heads": heads,
                "kv_heads": kv_heads,
                "head_dim": 12,
                "v_head_dim": _other(mixer.v_head_dim, mixer.head_dim, 12),
                "window_tokens": mixer.window_tokens and WINDOW,
                "chunk_tokens": mixer.chunk_tokens and WINDOW,
            }
        case MultiLatentAttention():
            sizes = {
                "heads": min(mixer.heads, 4),
                "q_lora_rank": mixer.q_lora_rank and 24,
                "kv_lora_rank": 20,
                "qk_nope_head_dim": 12,
                "qk_rope_head_dim": 8,
                "v_head_dim": _other(mixer.v_head_dim, mixer.qk_nope_head_dim, 12),
                "index_heads": min(mixer.index_heads, 2),
                "index_head_dim": min(mixer.index_head_dim, 10),
                "index_top_k": min(mixer.index_top_k, WINDOW),
            }
        case CompressedAttention():
            sizes = {"heads": 4, "head_dim": 16, "q_lora_rank": 24, "output_groups": 2, "output_lora_rank": 20,
                     "window_tokens": WINDOW, "index_heads": min(mixer.index_heads, 2),
                     "index_head_dim": min(mixer.index_head_dim, 10)}  # fmt: skip
        case Mamba2():
            sizes = {"heads": 4, "head_dim": 12, "state_dim": 10, "groups": min(mixer.groups, 2)}
        case GatedDeltaNet():
            value_heads, key_heads = _heads(mixer.value_heads, mixer.key_heads)
            value_head_dim = _other(mixer.value_head_dim, mixer.key_head_dim, 12)
            sizes = {"key_heads": key_heads, "value_heads": value_heads, "key_head_dim": 12,
                     "value_head_dim": value_head_dim}  # fmt: skip
    return mixer.model_copy(update=sizes)


def _feed_forward(part: FeedForward) -> FeedForward:
    if isinstance(part, DenseFeedForward):
        return part.model_copy(update={"width": 88})
    return _experts(part)


def _experts(part: MixtureOfExperts) -> MixtureOfExperts:
    groups = min(part.groups, 4)
    top_groups = part.top_groups and min(
        part.top_groups, max(1, groups // 2 if part.top_groups < part.groups else groups)
    )
    return part.model_copy(
        update={
            "experts": min(part.experts, 8),
            "top_k": min(part.top_k, 3),
            "expert_width": 40,
            "shared_width": part.shared_width and 56,
            "groups": groups,
            "top_groups": top_groups,
            "latent_dim": part.latent_dim and 36,
            "dense_width": part.dense_width and 72,
        }
    )
