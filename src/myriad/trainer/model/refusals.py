"""What of a description the reference trainer does not build."""

from __future__ import annotations

from myriad.errors import SpecError
from myriad.spec.model import (
    Block,
    CompressedAttention,
    GatedDeltaNet,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)


def unbuildable(model: Model) -> tuple[str, ...]:
    """What the trainer lacks for `model`, each as a short phrase; empty if it can be built."""
    found: list[str] = []
    if model.per_layer_embedding:
        found.append("per-layer embeddings")
    if model.residual_streams > 1:
        found.append("several residual streams (hyper-connections)")
    for kind in model.block_kinds():
        found += [f"{lack} (block {kind!r})" for lack in _of_block(model.blocks[kind])]
    return tuple(found)


def check(model: Model) -> None:
    """Raises SpecError, naming all that is not built, if there is any."""
    lacks = unbuildable(model)
    if lacks:
        raise SpecError(f"model {model.name!r}: the reference trainer does not build {'; '.join(lacks)}")


def _of_block(block: Block) -> list[str]:
    found = _of_mixer(block.mixer)
    part = block.feed_forward
    if isinstance(part, MixtureOfExperts):
        if part.experts % part.groups:
            found.append(f"{part.experts} experts in {part.groups} unequal groups")
        elif part.top_groups is not None and part.top_k > part.experts // part.groups * part.top_groups:
            found.append(f"{part.top_k} experts per token out of {part.top_groups} groups of too few")
    return found


def _of_mixer(mixer: Mixer | None) -> list[str]:
    match mixer:
        case CompressedAttention():
            return ["attention over compressed keys"]
        case MultiLatentAttention():
            return ["the indexer of sparse attention"] if mixer.index_heads else []
        case GroupedQueryAttention():
            v_head_dim = mixer.v_head_dim or mixer.head_dim
            found = []
            if mixer.heads % mixer.kv_heads:
                found.append(f"{mixer.heads} query heads over {mixer.kv_heads} key heads")
            if v_head_dim != mixer.head_dim and (mixer.output_gate or mixer.shared_kv):
                found.append("an output gate or shared keys with values of another width")
            if mixer.window_tokens and mixer.chunk_tokens:
                found.append("a window and chunks together")
            return found
        case Mamba2():
            return [f"{mixer.heads} heads over {mixer.groups} groups"] if mixer.heads % mixer.groups else []
        case GatedDeltaNet():
            uneven = mixer.value_heads % mixer.key_heads
            return [f"{mixer.value_heads} value heads over {mixer.key_heads} key heads"] if uneven else []
        case _:
            return []
