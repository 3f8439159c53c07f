"""Memory of every pipeline stage: states, activations in flight, logits, buffers, and what the allocator wastes.

Arrays have the axes C (layouts, all of one pipeline size) and P (stages).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.data_parallel import spread_parameters, state_bytes
from myriad.estimate.layers import ModelCosts, cells_of
from myriad.estimate.memory import block_input_bytes, fragmentation_bytes
from myriad.estimate.operations import ACTIVATION_BYTES, Array
from myriad.spec.calibration import Stack
from myriad.spec.job import TrainingWork
from myriad.spec.layout import IntArray, LayoutTable
from myriad.spec.model import Model


@dataclass(frozen=True)
class Held:
    """What the stages hold."""

    dense_parameters: Array
    expert_parameters: Array
    optimizer_share: Array
    """Share of the optimizer states of these parameters that a rank keeps, (C, 1); 1 unless stages are held twice."""
    activation_bytes: Array
    """Of one micro-batch."""
    in_flight: Array
    """Micro-batches whose activations are held at the peak."""
    num_micro_batches: IntArray
    """Per step, (C,)."""


def stage_memory(
    held: Held,
    layouts: LayoutTable,
    costs: ModelCosts,
    model: Model,
    work: TrainingWork,
    stack: Stack,
    capacity_bytes: float,
) -> dict[str, Array]:
    """Bytes by `MEMORY_PARTS`, each (C, P).

        activations = (layers + outputs) x micro-batches in flight + max(layer recomputed - logits, 0)
        optimizer   = states + max(gradient copies of the step - activations - logits - buffers, 0)

    A layer that is recomputed and the logits are never held at once: the larger counts, as do copies that the
    optimizer step makes parameter by parameter in the place of activations. Left out: gradients of activations
    within a layer, work spaces of single kernels, uneven routing beyond `expert_imbalance`.
    """
    parts = state_bytes(layouts, held.dense_parameters, held.expert_parameters, work.optimizer, stack)
    parts["optimizer"] = parts["optimizer"] * held.optimizer_share
    parts["logits"] = _logits(held, layouts, costs, model, work, stack)
    working = costs.blocks.working_bytes.max(axis=0)[:, None]
    kept = held.activation_bytes + _stage_outputs(held, layouts, model, work, stack)
    parts["activations"] = kept * held.in_flight + np.maximum(working - parts["logits"], 0.0)
    parts["buffers"] = _buffers(held, layouts, costs, model, work)
    come_and_go = parts["activations"] + parts["logits"] + parts["buffers"]
    if not work.optimizer.flat_step_copies:
        sharded = spread_parameters(layouts, held.dense_parameters, held.expert_parameters, from_stage=1)
        on_device = held.optimizer_share * (1.0 - layouts.offload_optimizer[:, None])
        copies = work.optimizer.step_bytes * sharded * on_device
        parts["optimizer"] = parts["optimizer"] + np.maximum(copies - come_and_go, 0.0)
    parts["reserved"] = np.full_like(come_and_go, stack.reserved_bytes)
    states = parts["weights"] + parts["gradients"] + parts["optimizer"]
    left = capacity_bytes - stack.reserved_bytes - states - come_and_go
    parts["fragmentation"] = fragmentation_bytes(come_and_go, left, stack)
    return parts


def _logits(
    held: Held, layouts: LayoutTable, costs: ModelCosts, model: Model, work: TrainingWork, stack: Stack
) -> Array:
    """The loss on the last stage; besides, where the software joins them, the logits of the whole step, twice."""
    logits = np.zeros_like(held.in_flight)
    logits[:, -1] = costs.last.working_bytes[0]
    if stack.stage_outputs == "whole-step" and logits.shape[1] > 1:
        cells = cells_of(layouts, work.seq_len)
        logits[:, -1] += 2 * held.num_micro_batches * ACTIVATION_BYTES * cells.tokens * model.vocab / cells.tp
    return logits


def _stage_outputs(held: Held, layouts: LayoutTable, model: Model, work: TrainingWork, stack: Stack) -> Array:
    """What a stage keeps of its outputs per micro-batch: one per chunk, except the logits."""
    kept = np.zeros_like(held.in_flight)
    if stack.stage_outputs == "freed":
        return kept
    kept += (layouts.vpp * block_input_bytes(model, cells_of(layouts, work.seq_len)))[:, None]
    kept[:, -1] *= 1.0 - 1.0 / layouts.vpp
    return kept


def _buffers(held: Held, layouts: LayoutTable, costs: ModelCosts, model: Model, work: TrainingWork) -> Array:
    """The gathered sequence under TP; under ZeRO-3 gathered parameters.

    Those are of two blocks, with the gradients of one, and of embedding and head, which stay gathered from
    forward to backward as the outermost unit of FSDP.
    """
    blocks, optimizer = costs.blocks, work.optimizer
    largest = (blocks.dense_parameters + blocks.expert_parameters).max(axis=0)
    gathered = np.zeros_like(held.in_flight)
    gathered += (largest * (2 * optimizer.weight_bytes + optimizer.gradient_reduce_bytes))[:, None]
    gathered[:, 0] += optimizer.weight_bytes * costs.first.dense_parameters[0]
    if not (model.tied_embeddings and gathered.shape[1] == 1):
        gathered[:, -1] += optimizer.weight_bytes * costs.last.dense_parameters[0]
    cells = cells_of(layouts, work.seq_len)
    sequence = np.where(layouts.tp > 1, 2 * ACTIVATION_BYTES * cells.tokens * model.hidden, 0.0)
    return np.asarray(np.where(layouts.zero[:, None] == 3, gathered, 0.0) + sequence[:, None])
