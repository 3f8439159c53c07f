"""How fast serving engines' own kernels are: layers of routed experts, all-reduce, dispatch and combine."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from myriad.spec.base import Seconds, Spec

ServingPrecision = Literal[
    "fp32", "fp16", "bf16", "fp8", "fp8-block", "mxfp8", "nvfp4", "mxfp4", "int8-weights", "int4-weights"
]
"""Precision of matrix products. `fp8` has a scale per tensor or row, `fp8-block` per 128x128 block; `mxfp4` has 4-bit
weights with a scale per 32; `int8-weights` and `int4-weights` store only weights that narrow and compute in 16 bits."""

SERVING_PRECISIONS: tuple[ServingPrecision, ...] = get_args(ServingPrecision)

CachePrecision = Literal["bf16", "fp8", "int4"]
"""Precision of cached keys and values."""

ExchangeKind = Literal["low-latency", "normal", "nvlink"]
"""How tokens reach their experts on other ranks: DeepEP's kernels for decoding (one copy per expert) and for prefill
(one per rank), and TensorRT-LLM's over a rack's NVLink (one per rank)."""


class ExpertLayer(Spec):
    """What a layer of routed experts takes beside its products, see `estimate.experts.routed_experts_s`."""

    start_s: Seconds
    """Time of the smallest layer: choosing experts, permuting, launches of products and activation."""
    token_s: Seconds = 0.0
    """Time of one more token that is routed, while there are few."""
    split_tokens: float = Field(default=2.0**20, gt=0)
    """Tokens from which more multiprocessors route them, so that this part grows no longer."""
    permute_passes: float = Field(default=0.0, ge=0)
    """Time of moving tokens to their experts and back over that of one pass through memory."""


class PeerAllReduce(Spec):
    """An engine's own all-reduce through peers' memory, see `estimate.peers.peer_all_reduce_s`."""

    start_s: Seconds
    """Time of the shortest call."""
    step_s: Seconds
    """Time that it takes longer for every doubling of the ranks."""
    second_s: Seconds
    """What the second shot takes besides."""
    one_shot_share: float = Field(gt=0, le=1)
    """Share of the link's bandwidth where every rank reads all of every other."""
    two_shot_share: float = Field(gt=0, le=1)
    """The same where every rank sums its own part, and gives that to all."""


class Transfer(Spec):
    """One way of an expert exchange: dispatch or combine."""

    start_s: Seconds
    """Time of the shortest call."""
    expert_s: Seconds = 0.0
    """Time that it takes longer for every expert of the layer."""
    share: float = Field(gt=0, le=1)
    """Share of the near link's bandwidth that long transfers reach."""


class ExpertExchange(Spec):
    """Dispatch and combine of one kind, see `estimate.peers.expert_transfer_s`."""

    dispatch: Transfer
    combine: Transfer
