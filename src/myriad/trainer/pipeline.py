"""The passes of one step through a pipeline, by PyTorch's schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
    ScheduleLoopedBFS,
    ScheduleZBVZeroBubble,
)

from myriad.spec.layout import Layout
from myriad.spec.trainer import TrainerConfig
from myriad.trainer.model import Decoder
from myriad.trainer.parallel import Place
from myriad.trainer.parts import chunks_of

_ONE_CHUNK: Final[dict[str, Any]] = {"1f1b": Schedule1F1B, "gpipe": ScheduleGPipe}
_CHUNKS: Final[dict[str, Any]] = {
    "1f1b": ScheduleInterleaved1F1B,
    "gpipe": ScheduleLoopedBFS,
    "zero-bubble": ScheduleInterleavedZeroBubble,
    "zb-v": ScheduleZBVZeroBubble,
}
_SPLIT_BACKWARD: Final = ("zero-bubble", "zb-v")
"""Schedules that compute gradients of inputs and of weights apart."""


def refusal(layout: Layout, num_micro_batches: int) -> str | None:
    """Why PyTorch's schedules cannot run this pipeline; `None` if they can."""
    if layout.pp == 1:
        return None
    if layout.schedule == "dualpipe":
        return (
            "schedule dualpipe keeps two copies of the model, which PyTorch's schedules do not; expected 1f1b or zb-v"
        )
    if layout.schedule == "1f1b" and layout.vpp == 1 and num_micro_batches < layout.pp:
        return f"schedule 1f1b: {num_micro_batches} micro-batches are fewer than pp {layout.pp}"
    rounds = max(1, num_micro_batches // layout.pp)
    interleaved = layout.schedule == "zero-bubble" or (layout.schedule == "1f1b" and layout.vpp > 1)
    if interleaved and num_micro_batches % rounds:
        found = f"{num_micro_batches} micro-batches do not divide into {rounds} rounds of pp {layout.pp}"
        return f"schedule {layout.schedule}: {found}"
    if layout.zero > 1 and layout.schedule in _SPLIT_BACKWARD:
        return (
            f"zero {layout.zero}: schedule {layout.schedule} has no backward pass that FSDP could reduce gradients in; "
            "expected 1f1b or gpipe, or zero 0 or 1"
        )
    return None


class _EveryMicroBatch(nn.Module):
    """A part in which FSDP reduces and scatters gradients in every backward pass, as without a pipeline.

    Schedules that find an FSDP module keep its gradients whole until the last micro-batch, which is ZeRO 1, and its
    weights gathered after every backward pass. Behind this one they find none.
    """

    def __init__(self, part: nn.Module, reshard: bool) -> None:
        super().__init__()
        self.part = part
        assert isinstance(part, FSDPModule)
        part.set_reshard_after_backward(reshard)

    def forward(self, x: Tensor, **more: Tensor) -> Any:
        return self.part(x, **more)


class PipelinePasses:
    """Forward and backward of all micro-batches over the chunks of this stage."""

    def __init__(
        self,
        parts: Sequence[Decoder],
        config: TrainerConfig,
        place: Place,
        loss: Callable[[Tensor, Tensor], Tensor],
        autocast: Callable[[], AbstractContextManager[Any]],
    ) -> None:
        layout = config.layout
        self._parts, self._device, self._autocast = parts, place.device, autocast
        self._predicts = bool(config.model.mtp_depths)
        chunks = layout.pp * layout.vpp
        stages = [
            PipelineStage(
                part if layout.zero < 2 else _EveryMicroBatch(part, reshard=layout.zero == 3),
                number,
                chunks,
                place.device,
                group=place.mesh["pp"].get_group(),
            )
            for part, number in zip(parts, chunks_of(layout, place.index("pp")), strict=True)
        ]
        count = layout.num_micro_batches(config.global_batch)
        if layout.vpp == 1 and layout.schedule in _ONE_CHUNK:
            self._schedule = _ONE_CHUNK[layout.schedule](stages[0], count, loss_fn=loss, scale_grads=False)
        else:
            self._schedule = _CHUNKS[layout.schedule](stages, count, loss_fn=loss, scale_grads=False)

    def __call__(self, sequences: Tensor) -> Tensor:
        """The part of the loss that this rank has of these sequences, (sequences, tokens + 1)."""
        tokens, targets = sequences[:, :-1], sequences[:, 1:]
        first = any(part.first for part in self._parts)
        last = any(part.last for part in self._parts)
        losses: list[Tensor] = []
        with self._autocast():
            self._schedule.step(
                *((tokens,) if first else ()),
                **({"tokens": tokens} if last and self._predicts else {}),
                target=targets if last else None,
                losses=losses,
                return_outputs=False,
            )
        for part in self._parts:
            for module in part.modules():
                if isinstance(module, FSDPModule):
                    module.reshard()  # ZeRO 2 has kept weights since the first forward pass
        return torch.stack(losses).sum().detach() if losses else torch.zeros((), device=self._device)
