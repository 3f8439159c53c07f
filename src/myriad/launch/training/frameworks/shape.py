"""What a model looks like to frameworks that have one decoder layer with options, and what they cannot say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from myriad.errors import SpecError
from myriad.spec.model import (
    Block,
    DenseFeedForward,
    GroupedQueryAttention,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)
from myriad.spec.training_launch import Difference, TrainingLaunch

DIFFERENCES: Final[Mapping[Difference, str]] = {
    "value-width": "values are as wide as keys",
    "sinks": "attention has no sinks",
    "window": "every layer attends to all tokens before",
    "chunks": "attention is not cut into chunks",
    "output-gate": "the output of attention has no gate",
    "bias": "products have no bias",
    "qk-norm": "queries and keys are not normed",
    "sparse-attention": "each query attends to all tokens, not to those that an indexer picks",
    "router-bias": "the router has no bias per expert",
    "router-groups": "the router picks from all experts, not from groups first",
    "shared-gate": "the shared expert has no gate",
    "prediction-depths": "only the next token is predicted",
    "prediction-block": "prediction depths are layers like the last one",
    "post-norms": "there is no second norm after each part",
    "norm": "norms are RMSNorm",
}
"""What a framework may leave out, and what is trained instead."""


@dataclass(frozen=True)
class Shape:
    """A decoder whose layers are equal but for windows, sinks, and whether they route tokens to experts."""

    model: Model
    attention: GroupedQueryAttention | MultiLatentAttention
    """Of the first layer; of others it differs in window and sinks alone."""
    windows: tuple[int | None, ...]
    """Tokens that each layer looks back to; `None` is all."""
    sinks: tuple[bool, ...]
    dense: DenseFeedForward | None
    experts: MixtureOfExperts | None
    routed: tuple[bool, ...]
    """Which layers route tokens."""
    post_norms: bool

    @property
    def window(self) -> int | None:
        """Of the layers that have one."""
        return next((one for one in self.windows if one is not None), None)


def shape_of(launch: TrainingLaunch, framework: str) -> Shape:
    """The shape of a model. Raises SpecError for one that no framework here has a decoder layer for."""
    model = launch.model
    layers = [model.blocks[kind] for kind in model.layer_kinds()]

    def refuse(what: str) -> SpecError:
        return SpecError(f"model {launch.model_id}: {framework} has no {what}")

    if model.residual_streams > 1:
        raise refuse("hyper-connections of several residual streams")
    if model.per_layer_embedding:
        raise refuse("embedding of each layer")
    mixers, parts = [block.mixer for block in layers], [block.feed_forward for block in layers]
    for mixer in mixers:
        if not isinstance(mixer, (GroupedQueryAttention, MultiLatentAttention)):
            raise refuse(f"layer with {'no mixer' if mixer is None else mixer.kind}")
        if isinstance(mixer, GroupedQueryAttention) and mixer.shared_kv:
            raise refuse("attention whose keys serve as values")
    attention = cast("list[GroupedQueryAttention | MultiLatentAttention]", mixers)
    if len({_plain(one) for one in attention}) > 1:
        raise refuse("layers whose attention differs in more than window and sinks")
    if None in parts:
        raise refuse("layer without a feed-forward part")
    dense = {part for part in parts if isinstance(part, DenseFeedForward)}
    experts = {part for part in parts if isinstance(part, MixtureOfExperts)}
    if len(dense) > 1 or len(experts) > 1:
        raise refuse("layers whose feed-forward parts differ in size")
    routed = next(iter(experts), None)
    if routed is not None and routed.dense_width:
        raise refuse("dense part beside the experts")
    windows = tuple(getattr(one, "window_tokens", None) for one in attention)
    if len({one for one in windows if one is not None}) > 1:
        raise refuse("windows of several lengths")
    return Shape(
        model=model,
        attention=attention[0],
        windows=windows,
        sinks=tuple(getattr(one, "sinks", False) for one in attention),
        dense=next(iter(dense), None),
        experts=routed,
        routed=tuple(isinstance(part, MixtureOfExperts) for part in parts),
        post_norms=any(block.post_norms for block in layers),
    )


def _plain(mixer: GroupedQueryAttention | MultiLatentAttention) -> GroupedQueryAttention | MultiLatentAttention:
    if isinstance(mixer, MultiLatentAttention):
        return mixer
    return mixer.model_copy(update={"window_tokens": None, "sinks": False})


def prediction_block(model: Model) -> Block | None:
    """The block of the prediction depths; `None` where only the next token is predicted."""
    return model.blocks[model.mtp_block] if model.mtp_depths and model.mtp_block else None


def accepted(launch: TrainingLaunch, framework: str, needed: Iterable[Difference]) -> tuple[str, ...]:
    """What is trained instead of what is described, one line each.

    Raises SpecError unless the job names each as a difference that it accepts: a run of weeks must not train another
    architecture unnoticed.
    """
    missing = [one for one in dict.fromkeys(needed) if one not in launch.launch.differences]
    if missing:
        said = "; ".join(DIFFERENCES[one] for one in missing)
        raise SpecError(
            f"model {launch.model_id}: {framework} cannot train it as described: {said}; to train it so all the same, "
            f"accept launch.differences: [{', '.join(missing)}]"
        )
    return tuple(f"{framework}: {DIFFERENCES[one]}" for one in dict.fromkeys(needed))
