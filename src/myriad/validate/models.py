"""Models that measurements name and the catalog lacks, read from a list of plain shapes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from myriad.catalog.reading import validated
from myriad.catalog.yaml_file import describe, parse, read_text
from myriad.errors import SpecError
from myriad.spec.base import Count, CountOrZero, Spec
from myriad.spec.model import (
    Block,
    DenseFeedForward,
    GroupedQueryAttention,
    Mamba2,
    Mixer,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

_MLA: Final = re.compile(
    r"mla\(q_lora_rank=(\d+|none), *kv_lora_rank=(\d+), *qk_nope=(\d+), *qk_rope=(\d+), *v_head=(\d+)\)"
)
_SLIDING: Final = re.compile(r"sliding\(window=(\d+), *ratio=(\d+) of (\d+) layers\)")
_PATTERN: Final = re.compile(r"\bpattern ([ME*-]+)")
_IN_CATALOG_ONLY: Final = "hybrid(compressed sparse attention"
_ATTENTIONS: Final = "full, sliding(window=W, ratio=A of B layers), mla(q_lora_rank=, ...), hybrid(mamba2)"


class _Experts(Spec):
    experts: Count
    top_k: Count
    expert_ffn: Count
    shared_experts: CountOrZero = 0
    shared_ffn: CountOrZero = 0
    """Summed width of the shared experts."""
    dense_layers: CountOrZero = 0
    """Leading layers with a dense feed-forward."""


class _Hybrid(Spec):
    mamba_layers: CountOrZero
    attn_layers: CountOrZero
    moe_layers: CountOrZero = 0
    mlp_layers: CountOrZero = 0
    mamba_heads: Count
    mamba_head_dim: Count
    mamba_state: Count
    mamba_groups: Count


class _Shape(Spec):
    """One entry of the list, as written."""

    name: Annotated[str, Field(min_length=1)]
    layers: Count
    hidden: Count
    ffn: CountOrZero
    heads: Count
    kv_heads: Count
    head_dim: Count
    vocab: Count
    tied_embeddings: bool
    gated_mlp: bool
    attention: str = "full"
    positional: str = "rope"
    total_params_b: float | None = None
    active_params_b: float | None = None
    cite: str = ""
    moe: _Experts | None = None
    mtp_layers: CountOrZero = 0
    hybrid: _Hybrid | None = None


def _feed_forward(shape: _Shape, where: str) -> DenseFeedForward | MixtureOfExperts:
    if shape.moe is None:
        if shape.ffn == 0:
            raise SpecError(f"{where}: ffn: expected at least 1 for a model without experts, found 0")
        return DenseFeedForward(width=shape.ffn, gated=shape.gated_mlp)
    return MixtureOfExperts(
        experts=shape.moe.experts,
        top_k=shape.moe.top_k,
        expert_width=shape.moe.expert_ffn,
        shared_width=shape.moe.shared_ffn,
        gated=shape.gated_mlp,
    )


def _hybrid_layers(shape: _Shape, hybrid: _Hybrid, where: str) -> tuple[dict[str, Block], list[str]]:
    """Blocks that hold one part each; the order follows `pattern` in `cite`, else the kinds are spread evenly."""
    counts = {
        "mamba": hybrid.mamba_layers,
        "attention": hybrid.attn_layers,
        "moe": hybrid.moe_layers,
        "mlp": hybrid.mlp_layers,
    }
    if sum(counts.values()) != shape.layers:
        raise SpecError(f"{where}: hybrid: its layers sum to {sum(counts.values())}, but layers is {shape.layers}")
    mamba = Mamba2(
        heads=hybrid.mamba_heads,
        head_dim=hybrid.mamba_head_dim,
        state_dim=hybrid.mamba_state,
        groups=hybrid.mamba_groups,
    )
    attention = GroupedQueryAttention(heads=shape.heads, kv_heads=shape.kv_heads, head_dim=shape.head_dim)
    blocks = {"mamba": Block(mixer=mamba), "attention": Block(mixer=attention)}
    if hybrid.moe_layers:
        blocks["moe"] = Block(feed_forward=_feed_forward(shape, where))
    if hybrid.mlp_layers:
        blocks["mlp"] = Block(feed_forward=DenseFeedForward(width=shape.ffn, gated=shape.gated_mlp))
    written = _PATTERN.search(shape.cite)
    if written and len(written[1]) == shape.layers:
        kind = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}
        order = [kind[c] for c in written[1]]
    else:
        spots = [((i + 0.5) / n, kind) for kind, n in counts.items() for i in range(n)]
        order = [kind for _, kind in sorted(spots)]
    return {k: b for k, b in blocks.items() if k in order}, order


def _layers(shape: _Shape, where: str) -> tuple[dict[str, Block], list[str]]:
    if shape.hybrid is not None:
        return _hybrid_layers(shape, shape.hybrid, where)
    feed_forward = _feed_forward(shape, where)
    heads, kv_heads, head_dim = shape.heads, shape.kv_heads, shape.head_dim
    full = GroupedQueryAttention(heads=heads, kv_heads=kv_heads, head_dim=head_dim)
    dense_layers = shape.moe.dense_layers if shape.moe else 0
    if match := _MLA.fullmatch(shape.attention):
        rank, kv_rank, nope, rope, v_head = match.groups()
        latent = MultiLatentAttention(
            heads=heads,
            q_lora_rank=None if rank == "none" else int(rank),
            kv_lora_rank=int(kv_rank),
            qk_nope_head_dim=int(nope),
            qk_rope_head_dim=int(rope),
            v_head_dim=int(v_head),
        )
        mixers: dict[str, Mixer] = {"": latent}
        names = [""] * shape.layers
    elif match := _SLIDING.fullmatch(shape.attention):
        window, share, period = (int(g) for g in match.groups())
        mixers = {"sliding-": full.model_copy(update={"window_tokens": window}), "": full}
        names = ["sliding-" if i % period < share else "" for i in range(shape.layers)]
    elif shape.attention == "full":
        mixers = {"": full}
        names = [""] * shape.layers
    else:
        raise SpecError(f"{where}: attention: expected {_ATTENTIONS}, found {shape.attention[:60]!r}")
    main = "moe" if shape.moe else "dense"
    kinds = [n + ("dense" if i < dense_layers else main) for i, n in enumerate(names)]
    parts = {"moe": feed_forward, "dense": feed_forward if not shape.moe else None}
    if dense_layers:
        parts["dense"] = DenseFeedForward(width=shape.ffn, gated=shape.gated_mlp)
    blocks = {
        n + p: Block(mixer=mixer, feed_forward=part)
        for n, mixer in mixers.items()
        for p, part in parts.items()
        if n + p in kinds
    }
    return blocks, kinds


def _runs(kinds: list[str]) -> tuple[tuple[str, int], ...]:
    runs: list[tuple[str, int]] = []
    for kind in kinds:
        if runs and runs[-1][0] == kind:
            runs[-1] = (kind, runs[-1][1] + 1)
        else:
            runs.append((kind, 1))
    return tuple(runs)


def _model(shape: _Shape, where: str) -> Model:
    blocks, kinds = _layers(shape, where)
    norm: Literal["rmsnorm", "layernorm"] = "rmsnorm" if shape.gated_mlp or shape.hybrid else "layernorm"
    return Model(
        name=shape.name,
        hidden=shape.hidden,
        vocab=shape.vocab,
        blocks=blocks,
        layers=_runs(kinds),
        tied_embeddings=shape.tied_embeddings,
        learned_positions=0,
        norm=norm,
        mtp_depths=shape.mtp_layers,
        mtp_block=kinds[-1] if shape.mtp_layers else None,
    )


def models_from_yaml(path: Path) -> dict[str, Model]:
    """Models by name from a YAML list of shapes: name, layers, hidden, ffn, heads, kv_heads, head_dim, vocab, ...

    `attention` is `full`, `sliding(window=W, ratio=A of B layers)` (the first A of every B layers slide),
    `mla(q_lora_rank=, kv_lora_rank=, qk_nope=, qk_rope=, v_head=)`, or `hybrid(mamba2)` with a `hybrid`
    mapping of layer counts; `moe` describes the experts. Position tables are left out: they cost
    neither FLOPs nor, beside the layers, memory. Attention over compressed keys (DeepSeek V4) has no
    such form, so that an entry with it is left to the catalog. Raises SpecError with file, line and key.
    """
    top = parse(read_text(path), str(path))
    if not isinstance(top.value, list) or not top.value:
        raise SpecError(f"{path}: expected a list of models, found {describe(top.plain())}")
    models: dict[str, Model] = {}
    for node in top.value:
        shape = validated(node, _Shape)
        where = f"{path}:{node.line}: {shape.name}"
        if shape.name in models:
            raise SpecError(f"{where}: name: stands twice")
        if not shape.attention.startswith(_IN_CATALOG_ONLY):
            models[shape.name] = _model(shape, where)
    return models
