"""Everything of an estimate but the layout, resolved, and the FLOPs of the work itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from myriad.estimate.device import Device
from myriad.estimate.kernels import eager_s
from myriad.estimate.layers import ModelCosts, model_costs
from myriad.estimate.operations import Array
from myriad.spec.calibration import EagerPasses, Stack
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.model import Model

StageKind = tuple[tuple[float, ...], bool, bool]
"""All that tells pipeline stages apart: blocks of each kind, whether it is the first, whether it is the last."""


@dataclass(frozen=True)
class Setting:
    """Everything of an estimate but the layout, resolved: no names left to look up."""

    model: Model
    cluster: Cluster
    work: TrainingWork
    device: Device
    stack: Stack

    @property
    def eager_optimizer(self) -> EagerPasses | None:
        """How the software updates parameters on this device, where that was measured."""
        return self.device.eager.get("optimizer") if self.stack.eager else None

    def shard_copies_s(self, bytes_: Array) -> Array:
        """Time to copy the parameters or gradients of a rank's layers to new memory, in seconds; arrays (C,).

        Read once, written once; where eager work was measured, as the rows of an embedding of a layer's size. No time
        where the software makes no such copies.
        """
        if not self.stack.copies_shards:
            return np.zeros_like(bytes_)
        measured = self.device.eager.get("embedding") if self.stack.eager else None
        if measured is None:
            return 2.0 * bytes_ / self.device.memory_bytes_per_s
        layers = float(self.model.num_layers)
        return layers * eager_s(2.0 * bytes_ / layers, measured.forward, self.device.memory_bytes_per_s)

    @cached_property
    def uncut_costs(self) -> ModelCosts:
        """Costs of one sequence on one rank with balanced experts: the work itself, whatever the layout."""
        alone = LayoutTable.from_layouts([Layout(sp=False)])
        balanced = self.work.model_copy(update={"expert_imbalance": 1.0, "expert_capacity": None})
        return model_costs(self.model, alone, balanced, self.device, self.stack, self.cluster.links)

    @cached_property
    def end_layers(self) -> int:
        """How many usual layers the work after the last layer amounts to: head, loss, multi-token prediction."""
        model, costs = self.model, self.uncut_costs
        flops = costs.blocks.model_flops[:, 0]
        kinds = model.layer_kinds()
        usual = flops[costs.kinds.index(max(dict.fromkeys(kinds), key=kinds.count))]
        end = costs.last.model_flops[0, 0]
        if model.mtp_depths and model.mtp_block is not None:
            end = end + model.mtp_depths * flops[costs.kinds.index(model.mtp_block)]
        return max(1, round(float(end / usual)))

    @cached_property
    def known_stages(self) -> dict[tuple[int, int, bool], list[StageKind]]:
        """What `estimate.stages` has worked out so far: by pp, vpp and whether chunks lie in a V the stages in turn.

        Without splits, of which a search tries many, each for a few layouts.
        """
        return {}

    def costs_of(self, layouts: LayoutTable, predicts_apart: bool = False) -> ModelCosts:
        """Costs of every block kind and of both ends for each of the layouts, see `model_costs`."""
        links = self.cluster.links
        return model_costs(self.model, layouts, self.work, self.device, self.stack, links, predicts_apart)

    def on(self, device: Device, stack: Stack) -> Setting:
        """The same work with another device or software; FLOPs, and what follows from them alone, stay."""
        other = replace(self, device=device, stack=stack)
        vars(other)["end_layers"] = self.end_layers
        return other


def model_flops_per_token(setting: Setting) -> float:
    """FLOPs of forward and backward pass per token, by every matrix product and the visible part of attention.

    Causal attention counts half, sliding windows what they see; the head counts, the embedding does not;
    multi-token-prediction depths count in full, while a token counts once. This is the definition of
    Megatron-LM since 2024 (`num_floating_point_operations`).
    """
    model, costs = setting.model, setting.uncut_costs
    flops = dict(zip(costs.kinds, costs.blocks.model_flops[:, 0], strict=True))
    total = costs.last.model_flops[0, 0] + sum(flops[kind] for kind in model.layer_kinds())
    if model.mtp_depths and model.mtp_block is not None:
        total += model.mtp_depths * flops[model.mtp_block]
    return float(total / setting.work.seq_len)
