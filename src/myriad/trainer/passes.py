"""Forward and backward of one step on one rank; gradients are left summed over its micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.distributed.fsdp import FSDPModule

from myriad.spec.trainer import TrainerConfig
from myriad.trainer.model import Decoder, token_loss
from myriad.trainer.parallel import Place
from myriad.trainer.pipeline import PipelinePasses


def passes(parts: Sequence[Decoder], config: TrainerConfig, place: Place) -> Callable[[Tensor], Tensor]:
    """What takes the sequences of a replica, (sequences, tokens + 1), to this rank's part of the step's loss."""
    share = config.layout.micro_batch / config.global_batch

    def autocast() -> AbstractContextManager[Any]:
        if config.precision == "bf16":
            return torch.autocast(config.device, dtype=torch.bfloat16)
        return nullcontext()

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return token_loss(logits, targets) * share

    if config.layout.pp > 1:
        return PipelinePasses(parts, config, place, loss, autocast)

    (part,) = parts
    layout = config.layout

    def in_turn(sequences: Tensor) -> Tensor:
        total = torch.zeros((), device=place.device)
        micro_batches = torch.split(sequences, layout.micro_batch)
        for number, batch in enumerate(micro_batches, start=1):
            last = number == len(micro_batches)
            if isinstance(part, FSDPModule):
                # ZeRO 2 and 3 reduce the gradients of every micro-batch, ZeRO 1 keeps them whole until the last.
                part.set_requires_gradient_sync(last or layout.zero > 1)
                part.set_reshard_after_backward(last or layout.zero > 2)
            with autocast():
                own = loss(part(batch[:, :-1]), batch[:, 1:])
            torch.autograd.backward(own)
            total += own.detach()
        return total

    return in_turn
