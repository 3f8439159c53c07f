"""The operations of one block, and of both ends of a model, on one rank.

Communication is in `estimate.exchange`, memory in `estimate.memory`.
"""

from __future__ import annotations

from dataclasses import replace

from myriad.estimate.device import ACTIVATION_BYTES
from myriad.estimate.feed_forwards import expert_tokens, feed_forward_operations
from myriad.estimate.mixers import mixer_operations, visible_pairs
from myriad.estimate.shop import Array, Cells, Operation, Shop
from myriad.spec.calibration import Launched
from myriad.spec.model import Block, MixtureOfExperts, Model

__all__ = [
    "ACTIVATION_BYTES",
    "Array",
    "Cells",
    "Operation",
    "Shop",
    "block_operations",
    "embedding_operations",
    "expert_tokens",
    "head_operations",
    "prediction_operations",
    "visible_pairs",
]


def block_operations(block: Block, model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """All operations of one block on one rank."""
    hidden = float(model.hidden)
    norm = _norm_and_residual(hidden, block.post_norms, float(model.residual_streams), cells, shop)
    found: list[Operation] = []
    if block.mixer is not None:
        found += [norm, *mixer_operations(block.mixer, hidden, cells, shop)]
    if block.feed_forward is not None:
        launched: Launched = "router" if isinstance(block.feed_forward, MixtureOfExperts) else "dense"
        found.append(replace(norm, launched=launched))
        found += feed_forward_operations(block.feed_forward, hidden, cells, shop)
    return found


def _norm_and_residual(hidden: float, post_norm: bool, streams: float, cells: Cells, shop: Shop) -> Operation:
    """A norm (read, write) and a residual sum (two reads, a write); backward as much and half again.

    With n residual streams (hyper-connections) all n are read for the coefficients of the mixture and again to
    mix the input of the part, then read and written when its output is added: 4 n + 2 passes in place of three
    (fused kernels of arXiv 2512.24880).
    """
    elements = cells.tokens * hidden / cells.sequence_shard
    passes = 2.0 + (3.0 if streams == 1.0 else 4.0 * streams + 2.0) + (2.0 if post_norm else 0.0)
    moved = passes * cells.activation_bytes * elements
    return shop.stream("norm and residual", "layernorm", moved, 1.5 * moved, kernels=3.0, eager="norm")


def embedding_operations(model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """Looking tokens up on the first stage: bound by memory."""
    moved = 2 * cells.activation_bytes * cells.tokens * model.hidden / cells.sequence_shard
    return [shop.stream("embedding", "", moved, 2 * moved, kernels=2.0, part="embedding_loss", eager="embedding")]


def prediction_operations(model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """Joining a hidden state and the next token's embedding, once per multi-token-prediction depth."""
    if not model.mtp_depths:
        return []
    shard_tokens = cells.tokens / cells.sequence_shard
    return [shop.gemm("mtp projection", "", shard_tokens, float(model.hidden), 2.0 * model.hidden)]


def head_operations(model: Model, cells: Cells, shop: Shop) -> list[Operation]:
    """Output projection and cross-entropy on the last stage, over the vocabulary cut by tp."""
    vocab = model.vocab / cells.tp
    logits = cells.tokens * (model.vocab if shop.stack.gathers_logits else vocab)
    return [
        shop.gemm("logits", "", cells.tokens, vocab, float(model.hidden), part="embedding_loss"),
        shop.stream("cross-entropy", "", 10 * logits, 8 * logits, kernels=6.0, part="embedding_loss", eager="loss"),
    ]
