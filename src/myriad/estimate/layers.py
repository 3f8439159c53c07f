"""What one block of each kind costs on one rank: time by part, exposed communication, bytes, parameters.

Arrays have the axes K (block kinds) and U (distinct cuts, see `Cells`). A search has far fewer cuts
than layouts, so this costlier part of the estimate is computed once per cut and then gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from myriad.estimate.device import Device, activation_bytes
from myriad.estimate.exchange import Exchange, block_exchange, gathered_logits_s, vocabulary_exchange_s
from myriad.estimate.memory import block_activation_bytes, block_input_bytes, logits_bytes
from myriad.estimate.operations import (
    Array,
    Cells,
    Operation,
    Shop,
    block_operations,
    embedding_operations,
    head_operations,
    prediction_operations,
)
from myriad.estimate.parameters import block_parameters, mtp_depth_extra_parameters
from myriad.spec.calibration import Stack
from myriad.spec.cluster import Link
from myriad.spec.job import TrainingWork
from myriad.spec.layout import RECOMPUTE_MODULES, Distinct, IntArray, LayoutTable
from myriad.spec.model import Block, Model
from myriad.spec.result import TIME_PARTS

COMPUTE_PARTS = ("gemm", "expert_gemm", "attention", "recurrent", "memory_bound", "embedding_loss")
INNER_PARTS = (*COMPUTE_PARTS, "recompute", "host", "tp_comm", "cp_comm", "ep_comm")
"""Parts of `TIME_PARTS` that every micro-batch pays on its stage."""
assert set(INNER_PARTS) <= set(TIME_PARTS)

HIDDEN_KINDS = ("tp_comm", "cp_comm", "ep_comm")

PREDICTION = "prediction depth"
"""Kind of prediction depths that lie apart from the head."""


@dataclass(frozen=True)
class Costs:
    """Costs of one thing (a block, the embedding, the head) per micro-batch on one rank; arrays (..., U)."""

    parts_s: Array
    """By `INNER_PARTS`, axis 0."""
    hidden_s: Array
    """Communication behind compute, by `HIDDEN_KINDS`, axis 0."""
    forward_s: Array
    """Share of the parts that the forward pass takes."""
    backward_s: Array
    weight_grad_s: Array
    model_flops: Array
    """Forward and backward, without recomputation."""
    recompute_flops: Array
    activation_bytes: Array
    """Kept from forward to backward."""
    working_bytes: Array
    """Held only while the backward pass is in it (recomputed layers, logits)."""
    dense_parameters: Array
    expert_parameters: Array

    @staticmethod
    def stack(costs: Sequence[Costs]) -> Costs:
        """Several costs along a new axis K, just before U."""
        return Costs(**{f.name: np.stack([getattr(c, f.name) for c in costs], axis=-2) for f in fields(Costs)})

    def take(self, index: IntArray) -> Costs:
        return Costs(**{f.name: getattr(self, f.name)[..., index] for f in fields(Costs)})


@dataclass(frozen=True)
class ModelCosts:
    """Costs of all block kinds (K, U), and of the two ends (1, U)."""

    kinds: tuple[str, ...]
    blocks: Costs
    first: Costs
    last: Costs

    def take(self, index: IntArray) -> ModelCosts:
        return ModelCosts(self.kinds, self.blocks.take(index), self.first.take(index), self.last.take(index))


def cuts_of(layouts: LayoutTable) -> Distinct:
    """The layouts that differ in what the costs of a block depend on."""
    return layouts.distinct("tp", "sp", "cp", "ep", "etp", "micro_batch", "recompute")


def cells_of(layouts: LayoutTable, work: TrainingWork) -> Cells:
    """The cuts of the given layouts, one per layout."""
    tp, cp = layouts.tp.astype(float), layouts.cp.astype(float)
    micro_batch = layouts.micro_batch.astype(float)
    return Cells(
        tp=tp,
        sp=layouts.sp.astype(float),
        cp=cp,
        ep=layouts.ep.astype(float),
        etp=layouts.etp.astype(float),
        micro_batch=micro_batch,
        tokens=micro_batch * work.seq_len / cp,
        sequence_shard=np.where(layouts.sp > 0, tp, 1.0),
        activation_bytes=activation_bytes(work.precision),
    )


def model_costs(
    model: Model,
    layouts: LayoutTable,
    work: TrainingWork,
    device: Device,
    stack: Stack,
    links: tuple[Link, ...],
    predicts_apart: bool = False,
) -> ModelCosts:
    """Costs of every block kind and of both ends for each of the layouts.

    What a block does and sends is worked out once for layouts that differ in recomputation alone. Joining projections
    and norms of prediction depths are the head's; with `predicts_apart`, they make a last kind with the depths' block
    and embedding, `PREDICTION`. Logits and losses are the head's either way.
    """
    cells = cells_of(layouts, work)
    shop = Shop(device, stack, work)
    recomputed = recomputed_modules(layouts.recompute)
    kinds = model.block_kinds()
    once = layouts.distinct("tp", "sp", "cp", "ep", "etp", "micro_batch")
    few = cells_of(layouts.take(once.first), work)
    blocks = []
    for kind in kinds:
        block = model.blocks[kind]
        operations = [operation.take(once.index) for operation in block_operations(block, model, few, shop)]
        exchange = block_exchange(block, model, few, work, stack, links).take(once.index)
        blocks.append(_block_costs(block, model, cells, shop, operations, exchange, recomputed))
    first = _end_costs(embedding_operations(model, cells, shop), model, cells, shop, links)
    if predicts_apart:
        assert model.mtp_block is not None
        blocks.append(_prediction_costs(blocks[kinds.index(model.mtp_block)], model, cells, shop, links))
        kinds = (*kinds, PREDICTION)
    last = _head_costs(model, cells, shop, links, 0 if predicts_apart else model.mtp_depths)
    return ModelCosts(kinds, Costs.stack(blocks), Costs.stack([first]), Costs.stack([last]))


def recomputed_modules(masks: IntArray) -> dict[str, Array]:
    """For each recompute module whether it is recomputed, 0 or 1; `full` includes all others."""
    bit = {m: (masks >> i & 1).astype(float) for i, m in enumerate(RECOMPUTE_MODULES)}
    inside_moe = {"moe_act": bit["moe"], "shared_experts": 0.0 * bit["moe"]}
    return {m: np.maximum(np.maximum(on, bit["full"]), inside_moe.get(m, 0.0 * on)) for m, on in bit.items()}


def recomputed_share(operation: Operation, recomputed: dict[str, Array]) -> Array:
    """How much of an operation of a block runs again in the backward pass: 0, a half or 1."""
    by_operation = {"gemm": 0.5, "attention": 0.0}.get(operation.part, 1.0)
    named = recomputed[operation.module or "full"]
    return np.maximum(named, by_operation * recomputed["every_other_product"])


def _block_costs(
    block: Block,
    model: Model,
    cells: Cells,
    shop: Shop,
    operations: Sequence[Operation],
    exchange: Exchange,
    recomputed: dict[str, Array],
) -> Costs:
    stack = shop.stack
    zero = np.zeros_like(cells.tp)
    again = {id(op): recomputed_share(op, recomputed) for op in operations}
    recompute_s = sum((again[id(op)] * op.forward_s for op in operations), zero)
    recompute_flops = sum((again[id(op)] * op.forward_flops for op in operations), zero)

    full = recomputed["full"]
    tp_s = exchange.tp_forward_s * (1 + full) + exchange.tp_backward_s
    cp_backward_s = exchange.cp_forward_s * full + exchange.cp_backward_s
    ep_s = exchange.ep_forward_s * (1 + recomputed["moe"]) + exchange.ep_backward_s
    attention = [op for op in operations if op.part == "attention"]
    tp_hidden = stack.tp_overlap * tp_s
    # Each pass hides behind its own attention.
    cp_forward_hidden = np.minimum(
        stack.cp_overlap * exchange.cp_forward_s, sum((op.forward_s for op in attention), zero)
    )
    cp_backward_hidden = np.minimum(stack.cp_overlap * cp_backward_s, sum((op.backward_s for op in attention), zero))
    cp_hidden = cp_forward_hidden + cp_backward_hidden
    ep_hidden = stack.ep_overlap * ep_s

    compute = {part: _both_s(operations, part, zero) for part in COMPUTE_PARTS}
    lost = 1.0 - stack.contention
    exposed = {
        "tp_comm": stack.stretch_of("tp") * (tp_s - lost * tp_hidden),
        "cp_comm": stack.stretch_of("cp") * (exchange.cp_forward_s + cp_backward_s - lost * cp_hidden),
        "ep_comm": stack.stretch_of("ep") * (ep_s - lost * ep_hidden),
    }
    expert_comm_s = stack.stretch_of("ep") * exchange.ep_forward_s * (1.0 - lost * stack.ep_overlap)
    cp_forward_s = stack.stretch_of("cp") * (exchange.cp_forward_s - lost * cp_forward_hidden)
    tp_forward_s = stack.stretch_of("tp") * exchange.tp_forward_s * (1.0 - lost * stack.tp_overlap)
    forward_comm_s = tp_forward_s + cp_forward_s + expert_comm_s
    comm = _Exposed(
        forward_s=forward_comm_s,
        backward_s=sum(exposed.values(), zero) - forward_comm_s,
        experts_forward_s=expert_comm_s,
        context_forward_s=cp_forward_s,
        context_backward_s=exposed["cp_comm"] - cp_forward_s,
    )
    host_forward, host_backward = _host_waits(operations, again, comm, shop)
    host = host_forward + host_backward
    parts = {**compute, "recompute": recompute_s, "host": host, **exposed}

    forward_s = sum((op.forward_s for op in operations), zero) + forward_comm_s + host_forward
    total_s = sum(parts.values(), zero)

    kept = {module: 1.0 - on for module, on in recomputed.items()}
    operand = shop.device.operand_bytes
    held = block_activation_bytes(block, model, cells, shop.work, stack, kept, operand)
    layer_input = block_input_bytes(model, cells)
    every = {module: np.ones_like(cells.tp) for module in recomputed}
    whole = block_activation_bytes(block, model, cells, shop.work, stack, every, operand)
    counts = block_parameters(block, model)
    replicated = counts.router + counts.norms + counts.latent + counts.mixer_whole
    return Costs(
        parts_s=np.stack([parts[p] for p in INNER_PARTS]),
        hidden_s=np.stack([tp_hidden, cp_hidden, ep_hidden]),
        forward_s=forward_s,
        backward_s=total_s - forward_s,
        weight_grad_s=sum((op.weight_grad_s for op in operations), zero),
        model_flops=3 * sum((op.forward_flops for op in operations), zero),
        recompute_flops=recompute_flops,
        activation_bytes=np.where(full > 0, layer_input, held),
        working_bytes=np.where(full > 0, whole - layer_input, whole - held),
        dense_parameters=replicated + (counts.every_token - replicated) / cells.tp,
        expert_parameters=counts.experts_total / (cells.ep * cells.etp),
    )


@dataclass(frozen=True)
class _Exposed:
    """Exposed communication of a pass each, and what of it belongs to experts and to context parallelism."""

    forward_s: Array
    backward_s: Array
    experts_forward_s: Array
    context_forward_s: Array
    context_backward_s: Array


def _host_waits(
    operations: Sequence[Operation],
    again: dict[int, Array],
    comm: _Exposed,
    shop: Shop,
) -> tuple[Array, Array]:
    """How long the device waits for launches in the forward and in the backward pass, in seconds.

    A host that runs ahead hides behind the device: each pass takes the longer of the two. Dropless experts
    stop it: it must read their token counts before it can launch them, so that what comes before and the
    experts take the longer of host and device each. A host that does not run ahead starts every pass of a block
    together with the device; communication then comes last, but for that of context parallelism, which comes first.
    """
    stack, zero = shop.stack, np.zeros_like(comm.forward_s)

    def launch_s(parts: Sequence[Operation], passes: Array | float = 1.0) -> Array:
        own = [op for op in parts if op.launched not in stack.graphed]
        each = (stack.host_s_per_kernel * op.kernels + stack.host_s_per_wrapper * op.wrappers for op in own)
        return sum(((passes + 0.0 * zero) * one for one in each), zero)

    def device_s(parts: Sequence[Operation]) -> Array:
        return sum((op.forward_s for op in parts), zero)

    if not stack.host_runs_ahead:
        kernels = {id(op): 0.0 if op.launched in stack.graphed else op.kernels for op in operations}
        forward_queue: list[tuple[Array | float, Array]] = [(kernels[id(op)], op.forward_s) for op in operations]
        backward_queue: list[tuple[Array | float, Array]] = [
            (again[id(op)] * kernels[id(op)], again[id(op)] * op.forward_s) for op in operations
        ]
        backward_queue += [(2.0 * kernels[id(op)], op.backward_s) for op in reversed(operations)]
        forward_queue = [(0.0, comm.context_forward_s), *forward_queue, (0.0, comm.forward_s - comm.context_forward_s)]
        backward_queue = [
            (0.0, comm.context_backward_s), *backward_queue, (0.0, comm.backward_s - comm.context_backward_s)
        ]  # fmt: skip
        host_s = stack.host_s_per_kernel
        return _queue_waits_s(forward_queue, host_s, zero), _queue_waits_s(backward_queue, host_s, zero)
    backward_s = sum((op.backward_s + again[id(op)] * op.forward_s for op in operations), comm.backward_s)
    again_s = sum((again[id(op)] * launch_s([op]) for op in operations), zero)
    backward = np.maximum(launch_s(operations, 2.0) + again_s - backward_s, 0.0)
    experts = [op for op in operations if op.launched == "experts"]
    if not experts or shop.work.expert_capacity is not None or "experts" in stack.graphed:
        whole_s = device_s(operations) + comm.forward_s
        return np.maximum(launch_s(operations) - whole_s, 0.0), backward
    before = [op for op in operations if op.launched != "experts"]
    before_s = device_s(before) + comm.forward_s - comm.experts_forward_s
    experts_s = device_s(experts) + comm.experts_forward_s
    waits = np.maximum(launch_s(before) - before_s, 0.0) + np.maximum(launch_s(experts) - experts_s, 0.0)
    return waits + stack.host_sync_s, backward


def _queue_waits_s(queue: Sequence[tuple[Array | float, Array]], host_s: float, zero: Array) -> Array:
    """How long the device waits in a queue of (kernels, device time) that host and device start together, in seconds.

    Once some operation k is launched, the device may be busy to the end, so that the queue takes the longest of
    host_s * (kernels before k, and one) + device time from k on, over all k, and no less than all launches.
    """
    left = sum((device_s for _, device_s in queue), zero)
    launched, whole, takes = zero, left, left
    for kernels, device_s in queue:
        start_s = host_s * (launched + np.minimum(kernels, 1.0))
        takes = np.where(device_s > 0, np.maximum(takes, start_s + left), takes)
        launched, left = launched + kernels, left - device_s
    waits: Array = np.maximum(takes, host_s * launched) - whole
    return waits


def _both_s(operations: Sequence[Operation], part: str, zero: Array) -> Array:
    return sum((op.forward_s + op.backward_s for op in operations if op.part == part), zero)


def _end_costs(
    operations: Sequence[Operation],
    model: Model,
    cells: Cells,
    shop: Shop,
    links: tuple[Link, ...],
    exchanges: int = 1,
    gathers: int = 0,
) -> Costs:
    """The embedding on the first stage, or the head on the last, which exchanges activations once per prediction."""
    zero = np.zeros_like(cells.tp)
    operations = [replace(op, launched="ends") for op in operations]
    tp_s = exchanges * vocabulary_exchange_s(model, cells, links)
    if gathers:
        tp_s = tp_s + gathers * gathered_logits_s(model, cells, links)
    tp_hidden = shop.stack.tp_overlap * tp_s
    parts = {part: _both_s(operations, part, zero) for part in COMPUTE_PARTS}
    exposed_s = shop.stack.stretch_of("tp") * (tp_s - (1.0 - shop.stack.contention) * tp_hidden)
    never = {id(op): zero for op in operations}
    host_forward, host_backward = _host_waits(
        operations, never, _Exposed(exposed_s / 2, exposed_s / 2, zero, zero, zero), shop
    )
    parts |= {
        "recompute": zero,
        "host": host_forward + host_backward,
        "tp_comm": exposed_s,
        "cp_comm": zero,
        "ep_comm": zero,
    }
    forward_s = sum((op.forward_s for op in operations), zero) + exposed_s / 2 + host_forward
    vocabulary = model.vocab * model.hidden / cells.tp
    return Costs(
        parts_s=np.stack([parts[p] for p in INNER_PARTS]),
        hidden_s=np.stack([tp_hidden, zero, zero]),
        forward_s=forward_s,
        backward_s=sum(parts.values(), zero) - forward_s,
        weight_grad_s=sum((op.weight_grad_s for op in operations), zero),
        model_flops=3 * sum((op.forward_flops for op in operations), zero),
        recompute_flops=zero,
        activation_bytes=zero,
        working_bytes=zero,
        dense_parameters=vocabulary + model.learned_positions * model.hidden,
        expert_parameters=zero,
    )


def _head_costs(model: Model, cells: Cells, shop: Shop, links: tuple[Link, ...], joined: int) -> Costs:
    """Output projection and loss, once more per prediction depth; joining projections of `joined` depths."""
    passes = 1 + model.mtp_depths
    operations = head_operations(model, cells, shop) * passes + prediction_operations(model, cells, shop) * joined
    gathers = passes if shop.stack.gathers_logits else 0
    costs = _end_costs(operations, model, cells, shop, links, exchanges=passes, gathers=gathers)
    vocabulary = model.vocab * model.hidden / cells.tp
    return replace(
        costs,
        dense_parameters=vocabulary + joined * mtp_depth_extra_parameters(model),
        working_bytes=logits_bytes(model, cells, shop.stack),
    )


def _prediction_costs(block: Costs, model: Model, cells: Cells, shop: Shop, links: tuple[Link, ...]) -> Costs:
    """A prediction depth apart from the head: its block and joining projection, and its share of an embedding."""
    joining = _end_costs(prediction_operations(model, cells, shop), model, cells, shop, links, exchanges=0)
    embedding = model.vocab * model.hidden / cells.tp / model.mtp_depths
    joining = replace(joining, dense_parameters=embedding + mtp_depth_extra_parameters(model) + 0.0 * cells.tp)
    return Costs(**{f.name: getattr(block, f.name) + getattr(joining, f.name) for f in fields(Costs)})
