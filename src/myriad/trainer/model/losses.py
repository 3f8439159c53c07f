"""The loss: next-token cross-entropy, and that of the tokens after it where prediction depths are."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

PREDICTION_WEIGHT: Final = 0.3
"""Of the mean loss of all prediction depths (DeepSeek-V3, arXiv 2412.19437, section 4.2, first 10 T tokens)."""
IGNORED: Final = -100


def ahead(tokens: Tensor, by: int, fill: int) -> Tensor:
    """What lies `by` tokens further on: (batch, tokens) moved left, `fill` at the end."""
    return pad(tokens[:, by:], (0, min(by, tokens.shape[1])), value=fill)


def token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean loss per token, in nats, of logits (batch, 1 + depths, tokens, vocabulary).

    Targets (batch, tokens) are the tokens that follow. Depth d predicts d tokens further on, of which the last d
    places have none and are left out. Depths enter with `PREDICTION_WEIGHT` over their number.
    """
    # Unbinding copies the gradients of all logits, which squeezing does not.
    first, *depths = logits.unbind(1) if logits.shape[1] > 1 else (logits.squeeze(1),)
    total = _cross_entropy(first, targets)
    for depth, predicted in enumerate(depths, start=1):
        weight = PREDICTION_WEIGHT / len(depths)
        total = total + weight * _cross_entropy(predicted, ahead(targets, depth, IGNORED))
    return total


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(logits.flatten(0, 1).to(torch.float32), targets.flatten(), ignore_index=IGNORED)
