"""Memory of pipeline stages: states, activations in flight, logits, buffers, and what the allocator wastes.

What lasts depends on how parameters are sharded, what passes on how micro-batches are cut; both are worked out where
they differ and joined for each layout. Arrays have the axes S (stages, see `estimate.stages`) and C (layouts).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from myriad.estimate.data_parallel import sharded_parameters, state_bytes
from myriad.estimate.layers import ModelCosts, cells_of
from myriad.estimate.memory import block_input_bytes, fragmentation_bytes
from myriad.estimate.operations import Array
from myriad.estimate.setting import Setting
from myriad.estimate.stages import Stages
from myriad.spec.layout import IntArray, LayoutTable
from myriad.spec.result import MEMORY_PARTS


@dataclass(frozen=True)
class Lasting:
    """What a rank holds through the step, bytes (S, C)."""

    weights: Array
    gradients: Array
    optimizer: Array
    gathered: Array
    """Gathered parameters."""
    step_copies: Array
    """Copies of gradients that the optimizer step makes in the place of activations."""

    @cached_property
    def states(self) -> Array:
        return self.weights + self.gradients + self.optimizer

    @cached_property
    def any_gathered(self) -> bool:
        return bool(self.gathered.any())

    @cached_property
    def any_copies(self) -> bool:
        return bool(self.step_copies.any())


@dataclass(frozen=True)
class Passing:
    """What comes and goes with the micro-batches, bytes."""

    activations: Array
    """(S, C)."""
    logits: Array
    """(S, C)."""
    sequence: Array
    """The gathered sequence under tensor parallelism, (C,)."""


def lasting(
    setting: Setting,
    layouts: LayoutTable,
    stages: Stages,
    costs: ModelCosts,
    cut: IntArray,
    dense_parameters: Array,
    expert_parameters: Array,
    optimizer_share: Array,
) -> Lasting:
    """States of the parameters (S, C) that each stage holds, and the buffers of sharded ones.

    The blocks of layout c are cut as column `cut[c]` of the costs says.
    `optimizer_share` (C,) is the share of their optimizer states that a rank keeps: 1 unless stages are held twice.
    Under ZeRO-3 two blocks are gathered, with the gradients of one, and embedding and head, which stay gathered from
    forward to backward as the outermost unit of FSDP.
    """
    optimizer = setting.work.optimizer
    states = state_bytes(layouts, dense_parameters, expert_parameters, optimizer, setting.stack)
    blocks = costs.blocks
    largest = (blocks.dense_parameters + blocks.expert_parameters).max(axis=0)[cut]
    own_head = stages.is_last * (1.0 - stages.is_first if setting.model.tied_embeddings else 1.0)
    ends = stages.is_first * costs.first.dense_parameters[0, cut] + own_head * costs.last.dense_parameters[0, cut]
    gathered = largest * (2 * optimizer.weight_bytes + optimizer.gradient_reduce_bytes) + optimizer.weight_bytes * ends
    copies = np.zeros_like(dense_parameters)
    if not optimizer.flat_step_copies:
        on_device = optimizer_share * (1.0 - layouts.offload_optimizer)
        sharded = sharded_parameters(layouts, dense_parameters, expert_parameters)
        own = np.where(layouts.zero > 0, sharded, dense_parameters + expert_parameters)
        copies = optimizer.step_bytes * own * on_device
    return Lasting(
        weights=states["weights"],
        gradients=states["gradients"],
        optimizer=states["optimizer"] * optimizer_share,
        gathered=np.where(layouts.zero == 3, gathered, 0.0),
        step_copies=copies,
    )


def passing(
    setting: Setting,
    layouts: LayoutTable,
    stages: Stages,
    activation_bytes: Array,
    block_working_bytes: Array,
    head_working_bytes: Array,
    held: Array,
    num_micro_batches: IntArray,
) -> Passing:
    """What the stages hold at their peak for `held` micro-batches in flight (S, C) of `activation_bytes` (S, C) each.

    `block_working_bytes` and `head_working_bytes` (C,) are of one micro-batch. A layer that is recomputed and the
    logits are never held at once: the larger counts.
    """
    cells = cells_of(layouts, setting.work)
    logits = head_working_bytes
    if setting.stack.stage_outputs == "whole-step":
        whole = 2 * num_micro_batches * cells.activation_bytes * cells.tokens * setting.model.vocab / cells.tp
        logits = logits + np.where(layouts.pp > 1, whole, 0.0)
    logits = stages.is_last * logits
    kept = activation_bytes + _stage_outputs(setting, layouts, stages)
    gathered = 2 * cells.activation_bytes * cells.tokens * setting.model.hidden
    return Passing(
        activations=kept * held + np.maximum(block_working_bytes - logits, 0.0),
        logits=logits,
        sequence=np.where(layouts.tp > 1, gathered, 0.0),
    )


def _stage_outputs(setting: Setting, layouts: LayoutTable, stages: Stages) -> Array | float:
    """What a stage keeps of its outputs per micro-batch, bytes (S, C): one per chunk, except the logits."""
    if setting.stack.stage_outputs == "freed":
        return 0.0
    one = block_input_bytes(setting.model, cells_of(layouts, setting.work))
    return one * (layouts.vpp - stages.is_last)


class StageMemory:
    """Bytes on every stage of every layout.

        activations = (layers + outputs) x micro-batches in flight + max(layer recomputed - logits, 0)
        optimizer   = states + max(gradient copies of the step - activations - logits - buffers, 0)

    Left out: gradients of activations within a layer, work spaces of single kernels, uneven routing beyond
    `expert_imbalance`.
    """

    def __init__(
        self, setting: Setting, lasts: Lasting, last_rows: IntArray, passes: Passing, pass_rows: IntArray
    ) -> None:
        """Layout c has the states of column `last_rows[c]` and the micro-batches of column `pass_rows[c]`."""
        self._lasts, self._last_rows, self._passes, self._pass_rows = lasts, last_rows, passes, pass_rows
        stack = setting.stack
        most = len(passes.logits)  # stages that differ in these layouts; others may have more
        come_and_go = (passes.activations + passes.logits + passes.sequence)[:, pass_rows]
        used = lasts.states[:most, last_rows]
        if lasts.any_gathered:
            come_and_go += lasts.gathered[:most, last_rows]
        self._copies = np.zeros(())
        if lasts.any_copies:
            self._copies = np.maximum(lasts.step_copies[:most, last_rows] - come_and_go, 0.0)
            used += self._copies
        used += come_and_go
        used += stack.reserved_bytes
        self._fragmentation = fragmentation_bytes(come_and_go, setting.device.memory_bytes - used, stack)
        self._reserved_bytes = stack.reserved_bytes
        self.total: Array = used + self._fragmentation
        """(S, C)."""

    def parts(self, stage: IntArray) -> Array:
        """The total of one stage of each layout, opened up by `MEMORY_PARTS`, axis 0."""
        rows = np.arange(len(stage))
        lasts, passes = self._lasts, self._passes
        last, passed = (stage, self._last_rows), (stage, self._pass_rows)
        parts = {
            "weights": lasts.weights[last],
            "gradients": lasts.gradients[last],
            "optimizer": lasts.optimizer[last] + (self._copies[stage, rows] if self._copies.ndim else 0.0),
            "activations": passes.activations[passed],
            "logits": passes.logits[passed],
            "buffers": lasts.gathered[last] + passes.sequence[self._pass_rows],
            "reserved": np.full(len(stage), self._reserved_bytes),
            "fragmentation": self._fragmentation[stage, rows],
        }
        return np.stack([parts[name] for name in MEMORY_PARTS])
