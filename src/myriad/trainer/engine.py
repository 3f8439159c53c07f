"""The model as one rank holds it, and one step of training it: passes, gradients, clipping, optimizer.

The loss of a step is the mean over all of its tokens. Every micro-batch enters with its share of the step, and
gradients are summed, never averaged: over micro-batches, over replicas, whatever the layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.tensor import DTensor

from myriad.estimate.placement import places_of
from myriad.spec.trainer import TrainerConfig, TrainerOptimizer
from myriad.trainer.model import Decoder, first_weights
from myriad.trainer.model.parts import local
from myriad.trainer.parallel import Place
from myriad.trainer.parts import own_parts, shard
from myriad.trainer.passes import passes
from myriad.trainer.recompute import recompute
from myriad.trainer.tensor import cut

_STATE = StateDictOptions(flatten_optimizer_state_dict=True)


@dataclass(frozen=True)
class Trained:
    """What came out of a step."""

    loss: Tensor
    """This rank's part of it."""
    gradient_norm: Tensor
    """Of all gradients of the model together, before they were clipped; the same on all ranks."""


class Engine:
    """The parts of the model that this rank has, with their optimizers."""

    def __init__(self, config: TrainerConfig, place: Place) -> None:
        self._config, self._place = config, place
        self._layout = config.layout
        self.parts: list[Decoder] = []
        for part in own_parts(config, place):
            if config.layout.tp > 1:
                cut(part, place.mesh["tp"], config.layout.sp)
            recompute(part, config.layout.recompute)
            shard(part, config, place)
            part.to_empty(device=place.device)
            first_weights(part, config.model, config.seed)
            self.parts.append(part)
        self._optimizers = [_optimizer(part, config.optimizer) for part in self.parts]
        self._passes = passes(self.parts, config, place)
        self._ends = _table_group(config, place)

    def train_step(self, sequences: Tensor, step: int) -> Trained:
        """Trains on the sequences of this replica, (sequences, tokens + 1)."""
        loss = self._passes(sequences)
        self._whole_gradients()
        self._reduce()
        norm = self._clip()
        rate = learning_rate(self._config.optimizer, step, self._config.steps)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
        return Trained(loss, norm)

    def _whole_gradients(self) -> None:
        """Sums gradients of parameters that all ranks of a tensor-parallel group have, and each saw a part of."""
        for parameter in self._parameters():
            gradient = parameter.grad
            if isinstance(parameter, DTensor) and isinstance(gradient, DTensor):
                parameter.grad = gradient.redistribute(placements=parameter.placements)

    def _reduce(self) -> None:
        """Sums gradients over replicas that FSDP does not shard: all at once, after the last micro-batch."""
        tables = [local(table.grad) for table in self._shared_tables() if table.grad is not None]
        if len(tables) == 2:  # a stage with both ends
            tables[0].add_(tables[1])
            tables[1].copy_(tables[0])
        elif tables:
            dist.all_reduce(tables[0], group=self._ends)
        if self._layout.zero or self._layout.dp == 1:
            return
        gradients = [local(parameter.grad) for parameter in self._parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat, group=self._place.mesh["dp"].get_group())
        for gradient, summed in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(summed.view_as(gradient))

    @torch.no_grad()
    def _clip(self) -> Tensor:
        """The norm of all gradients of the model together, which are scaled down to the largest allowed."""
        gradients = [(p, p.grad) for p in self._parameters() if p.grad is not None]
        squares = torch.stack([local(g).double().square().sum() / self._copies(p) for p, g in gradients]).sum()
        dist.all_reduce(squares)
        norm = squares.sqrt()
        if largest := self._config.optimizer.clip_norm:
            scale = torch.clamp(largest / (norm + 1e-6), max=1.0).to(torch.float32)
            for _, gradient in gradients:
                local(gradient).mul_(scale)
        return norm

    def _copies(self, parameter: Tensor) -> int:
        """How many ranks have the same piece of a parameter."""
        pieces = 1
        if isinstance(parameter, DTensor):
            for axis, placement in enumerate(parameter.placements):
                pieces *= 1 if placement.is_replicate() else parameter.device_mesh.size(axis)
        ends = 2 if any(parameter is table for table in self._shared_tables()) else 1
        return self._layout.dp * self._layout.tp // pieces * ends

    def _shared_tables(self) -> list[nn.Parameter]:
        """The token tables that this rank has, where the first and the last chunk of a pipeline have one each."""
        return [table for part in self.parts if (table := part.shared_table()) is not None]

    def _parameters(self) -> Iterator[nn.Parameter]:
        for part in self.parts:
            yield from part.parameters()

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: weights and optimizer states by name, whichever ranks have them."""
        model: dict[str, Any] = {}
        optimizer: dict[str, Any] = {}
        for part, own in zip(self.parts, self._optimizers, strict=True):
            weights, states = get_state_dict(part, own, options=_STATE)
            model |= {self._stored(name): value for name, value in weights.items()}
            optimizer |= {self._stored(name): value for name, value in states.items()}
        return {"model": model, "optimizer": optimizer}

    def _stored(self, name: str) -> str:
        """The name in checkpoints: a tied head is the embedding, also where these are on two stages."""
        return name.replace("head.weight", "embedding.weight") if self._config.model.tied_embeddings else name

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what a checkpoint held, but for settings of the optimizer: those are the configuration's."""
        # Two ends on one stage have one name for two tables, and an optimizer keeps the very tensors it is given.
        one_for_two = len(self._shared_tables()) == 2
        for part, own in zip(self.parts, self._optimizers, strict=True):
            settings = [{key: group[key] for key in ("betas", "weight_decay")} for group in own.param_groups]
            names, states = get_state_dict(part, own, options=_STATE)
            weights = {name: state["model"][self._stored(name)] for name in names}
            learned: dict[str, Any] = {name: state["optimizer"][self._stored(name)] for name in states}
            if one_for_two:
                learned = {name: v.clone() if isinstance(v, Tensor) else v for name, v in learned.items()}
            set_state_dict(part, own, model_state_dict=weights, optim_state_dict=learned, options=_STATE)
            for group, configured in zip(own.param_groups, settings, strict=True):
                group |= configured


def learning_rate(optimizer: TrainerOptimizer, step: int, steps: int) -> float:
    """Of a step, from 1: linear warm-up, then a cosine down to a tenth. It follows from the step alone."""
    if step <= optimizer.warmup_steps:
        return optimizer.learning_rate * step / optimizer.warmup_steps
    done = (step - optimizer.warmup_steps) / max(steps - optimizer.warmup_steps, 1)
    return optimizer.learning_rate * (0.1 + 0.9 * (1 + cos(pi * min(done, 1.0))) / 2)


def _optimizer(part: nn.Module, settings: TrainerOptimizer) -> torch.optim.AdamW:
    """AdamW that decays matrices only. Cut parameters are a group of their own: one kernel takes all of a group."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in part.named_parameters():
        is_matrix = parameter.ndim > 1 and not name.endswith("bias")  # those of experts are stacked
        groups.setdefault((is_matrix, isinstance(parameter, DTensor)), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": settings.weight_decay if decays else 0.0}
            for (decays, _), parameters in groups.items()
        ],
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        fused=True,
    )


def _table_group(config: TrainerConfig, place: Place) -> Any:
    """The ranks of the stages with the first and the last chunk that have the same piece of the token table."""
    model, stages = config.model, places_of(config.layout)[[0, -1]].tolist()
    if stages[0] == stages[1] or not (model.tied_embeddings or model.mtp_depths):
        return None
    ends = place.mesh.mesh.movedim(place.axes.index("pp"), 0)[stages].flatten(1).t().tolist()
    own, _ = dist.new_subgroups_by_enumeration(ends)
    return own
