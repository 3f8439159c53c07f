"""What a built decoder has and does: its parameters, and the FLOPs of its matrix products.

Convention. PyTorch's FlopCounterMode sees every matrix product and counts two FLOPs per multiply-add; element-wise
work, norms and biases count for nothing, as in `estimate`. Attention runs by its unfused kernel while it is counted,
since the counter passes over the fused one of CPUs, and so that a backward pass has two products for each of the
forward pass: a fused backward pass computes the scores once more, which is no model FLOPs.

Scores that causal order hides count on neither side, by halves: `estimate` counts S^2 / 2 scores of full attention and
S W - W^2 / 2 under a sliding window of W tokens, which is half of every rectangle that `cores` computes and the counter
sees, to the last, where windows and chunks divide the sequence; where not, the rectangles have padding too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from myriad.trainer.model.losses import token_loss
from myriad.trainer.model.scans import Scan


@dataclass(frozen=True, kw_only=True)
class Flops:
    """FLOPs of the matrix products of one pass over a batch."""

    products: int
    """With weights: projections, experts, routers, logits."""
    inner: int
    """Without: of queries with keys and of weights with values, every score that is computed, masked or not; scans."""


def num_parameters(module: nn.Module) -> int:
    """Parameters of a module; a tied one counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def forward_flops(decoder: nn.Module, tokens: Tensor) -> tuple[Flops, int]:
    """FLOPs of the forward pass over tokens (batch, tokens), and how many of the inner ones are those of scans."""
    with torch.no_grad():
        counter = _counted(lambda: decoder(tokens))
    by_module, root = counter.get_flop_counts(), type(decoder).__name__
    scans = [f"{root}.{name}" for name, module in decoder.named_modules() if isinstance(module, Scan)]
    return _split(counter), sum(sum(by_module[name].values()) for name in scans)


def step_flops(decoder: nn.Module, tokens: Tensor) -> Flops:
    """FLOPs of the forward and the backward pass with the loss over tokens (batch, tokens)."""
    counter = _counted(lambda: torch.autograd.backward(token_loss(decoder(tokens), tokens)))
    decoder.zero_grad()
    return _split(counter)


def _counted(run: Callable[[], object]) -> FlopCounterMode:
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        run()
    return counter


def _split(counter: FlopCounterMode) -> Flops:
    """Weights are matrices, so that their products are those of two matrices; all others are batches of products.

    In a backward pass modules are told apart less surely: the counter may put a product down to a neighbour.
    """
    found = counter.get_flop_counts().get("Global", {})
    batched = found.get(torch.ops.aten.bmm, 0)
    return Flops(products=counter.get_total_flops() - batched, inner=batched)
