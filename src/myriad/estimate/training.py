"""One training step: model x cluster x layout x work -> time, memory and rates, for one layout or many.

A step is the slowest stage's micro-batches, one after the other, then what does not overlap:

    step = m * (compute + recompute + host + exposed TP, CP, EP) + PP + bubble + exposed DP + optimizer + overhead

The table form takes columns of layouts (C,) and is what a search runs; the single form is the same
code with one row, opened up stage by stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError
from myriad.estimate.collectives import send_recv_s
from myriad.estimate.data_parallel import exposed_s, optimizer_s, state_bytes, straggling_s
from myriad.estimate.device import Device
from myriad.estimate.layers import (
    COMPUTE_PARTS,
    HIDDEN_KINDS,
    INNER_PARTS,
    ModelCosts,
    cells_of,
    model_costs,
    recomputed_modules,
    recomputed_share,
)
from myriad.estimate.operations import (
    ACTIVATION_BYTES,
    Array,
    Operation,
    Shop,
    block_operations,
    embedding_operations,
    head_operations,
    prediction_operations,
)
from myriad.estimate.parameters import model_parameters
from myriad.estimate.pipeline import DUALPIPE, bubble_s, in_flight, stage_counts
from myriad.estimate.stage_memory import Held, stage_memory
from myriad.spec.calibration import Stack
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import IntArray, Layout, LayoutTable
from myriad.spec.model import Model
from myriad.spec.result import MEMORY_PARTS, TIME_PARTS, OperationTime, StageMemory, TrainingEstimate


@dataclass(frozen=True)
class Setting:
    """Everything of an estimate but the layout, resolved: no names left to look up."""

    model: Model
    cluster: Cluster
    work: TrainingWork
    device: Device
    stack: Stack

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
        usual = flops[costs.kinds.index(max(set(kinds), key=kinds.count))]
        end = costs.last.model_flops[0, 0]
        if model.mtp_depths and model.mtp_block is not None:
            end = end + model.mtp_depths * flops[costs.kinds.index(model.mtp_block)]
        return max(1, round(float(end / usual)))

    def on(self, device: Device, stack: Stack) -> Setting:
        """The same work with another device or software; FLOPs, and what follows from them alone, stay."""
        other = replace(self, device=device, stack=stack)
        vars(other)["end_layers"] = self.end_layers
        return other


@dataclass(frozen=True)
class TrainingTable:
    """Estimates of many layouts as columns (C,)."""

    parts_s: Array
    """By `TIME_PARTS`, axis 0; sums to `step_s`."""
    hidden_s: Array
    """Overlapped communication by kind: tp, cp, ep, dp; axis 0."""
    step_s: Array
    memory_parts_bytes: Array
    """By `MEMORY_PARTS`, axis 0, of the fullest stage."""
    memory_peak_bytes: Array
    recompute_flops_per_token: Array


def model_flops_per_token(setting: Setting) -> float:
    """FLOPs of forward and backward pass per token, by every matrix product and the visible part of attention.

    Causal attention counts half, sliding windows what they see; the head counts, the embedding does not;
    multi-token-prediction depths count in full, while a token counts once. This is the definition of
    Megatron-LM since 2024 (`num_floating_point_operations`).
    """
    model, costs = setting.model, setting.uncut_costs
    counts = _with_mtp(stage_counts(model.layer_kinds(), costs.kinds, 1, 1), model, costs)
    flops = costs.blocks.model_flops[:, 0] @ counts[:, 0] + costs.last.model_flops[0, 0]
    return float(flops / setting.work.seq_len)


def _with_mtp(counts: Array, model: Model, costs: ModelCosts) -> Array:
    if model.mtp_depths and model.mtp_block is not None:
        counts = counts.copy()
        counts[costs.kinds.index(model.mtp_block), -1] += model.mtp_depths
    return counts


def estimate_table(setting: Setting, layouts: LayoutTable) -> TrainingTable:
    """Time and memory of every layout. Layouts must divide (see `search.rules`); nothing is checked here."""
    cuts, index = _distinct_cuts(layouts)
    costs = model_costs(setting.model, cuts, setting.work, setting.device, setting.stack, setting.cluster.links)
    ends = setting.end_layers
    size = len(layouts)
    columns = {
        "parts_s": np.empty((len(TIME_PARTS), size)),
        "hidden_s": np.empty((len(HIDDEN_KINDS) + 1, size)),
        "memory": np.empty((len(MEMORY_PARTS), size)),
        "recompute": np.empty(size),
    }
    for pp, vpp, rows in _pipeline_groups(layouts):
        group = _Group(setting, layouts.take(rows), costs.take(index[rows]), pp, vpp, ends)
        columns["parts_s"][:, rows], columns["hidden_s"][:, rows] = group.times()
        memory = group.memory()
        fullest = np.argmax(sum(memory.values()), axis=1)
        picked = np.arange(len(rows)), fullest
        columns["memory"][:, rows] = np.stack([memory[p][picked] for p in MEMORY_PARTS])
        columns["recompute"][rows] = group.recompute_flops_per_token()
    return TrainingTable(
        parts_s=columns["parts_s"],
        hidden_s=columns["hidden_s"],
        step_s=columns["parts_s"].sum(axis=0),
        memory_parts_bytes=columns["memory"],
        memory_peak_bytes=columns["memory"].sum(axis=0),
        recompute_flops_per_token=columns["recompute"],
    )


def state_bytes_bound(setting: Setting, layouts: LayoutTable) -> Array:
    """Bytes that the fullest stage holds at least, array (C,): reserved memory, weights, gradients, optimizer.

    The mean over stages of what tensor and expert parallelism divide at best. Never above
    `TrainingTable.memory_peak_bytes`, and far cheaper: a search drops with it what cannot fit.
    """
    counts = model_parameters(setting.model)
    every_token = sum(counts.blocks[k].every_token * n for k, n in counts.layers.items())
    experts = sum(counts.blocks[k].experts_total * n for k, n in counts.layers.items())
    vocabulary = counts.embedding + counts.head
    stages = layouts.pp.astype(float)
    dense = (every_token + vocabulary) / (layouts.tp * stages)
    spread = experts / (layouts.ep * layouts.etp * stages)
    states = state_bytes(layouts, dense[:, None], spread[:, None], setting.work.optimizer, setting.stack)
    return np.asarray(setting.stack.reserved_bytes + sum(values[:, 0] for values in states.values()))


def _distinct_cuts(layouts: LayoutTable) -> tuple[LayoutTable, IntArray]:
    """The layouts that differ in what a block sees, and for each layout which of them it is."""
    key = np.zeros(len(layouts), dtype=np.int64)
    for column in (layouts.tp, layouts.sp, layouts.cp, layouts.ep, layouts.etp, layouts.micro_batch, layouts.recompute):
        values, codes = np.unique(column, return_inverse=True)
        key = key * len(values) + codes
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return layouts.take(first), index


def _pipeline_groups(layouts: LayoutTable) -> list[tuple[int, int, IntArray]]:
    """Rows by (pp, vpp), each group small enough that its arrays stay in the cache."""
    rows_at_once = 16384
    key = layouts.pp * 4096 + layouts.vpp
    order = np.argsort(key, kind="stable")
    edges = np.flatnonzero(np.diff(key[order])) + 1
    groups = []
    for rows in np.split(order, edges):
        for start in range(0, len(rows), rows_at_once):
            part = rows[start : start + rows_at_once]
            groups.append((int(layouts.pp[part[0]]), int(layouts.vpp[part[0]]), part))
    return groups


class _Group:
    """Layouts that share pp and vpp: axes C (layouts), P (stages), K (block kinds)."""

    def __init__(self, setting: Setting, layouts: LayoutTable, costs: ModelCosts, pp: int, vpp: int, ends: int) -> None:
        self.setting, self.layouts, self.costs, self.pp, self.vpp = setting, layouts, costs, pp, vpp
        in_turn = setting.stack.counts_layers
        counts = stage_counts(setting.model.layer_kinds(), costs.kinds, pp, vpp, ends, in_turn)
        self.counts_KP = _with_mtp(counts, setting.model, costs)
        self.num_micro_batches = np.maximum(setting.work.global_batch // (layouts.dp * layouts.micro_batch), 1)
        self.forward_CP, self.backward_CP = self._stages("forward_s"), self._stages("backward_s")
        self.slowest: IntArray = np.argmax(self.forward_CP + self.backward_CP, axis=1)

    def _stages(self, name: str) -> Array:
        """A cost per stage, (C, P): blocks by their counts, the ends where they are."""
        per_stage = getattr(self.costs.blocks, name).T @ self.counts_KP
        per_stage[:, 0] += getattr(self.costs.first, name)[0]
        per_stage[:, -1] += getattr(self.costs.last, name)[0]
        return np.asarray(per_stage)

    def _parameters(self) -> tuple[Array, Array]:
        """Dense and expert parameters that each rank computes with, each (C, P)."""
        dense = self._stages("dense_parameters")
        vocabulary = self.setting.model.vocab * self.setting.model.hidden / self.layouts.tp
        if self.setting.model.tied_embeddings and self.pp == 1:
            dense[:, 0] -= vocabulary
        if self.setting.model.mtp_depths and self.pp > 1:
            dense[:, -1] += vocabulary  # prediction depths embed tokens where they are
        return self._with_mirrored(dense), self._with_mirrored(self._stages("expert_parameters"))

    def _with_mirrored(self, stages: Array) -> Array:
        """Under DualPipe, which runs the pipeline from both ends, stage s also holds stage p - 1 - s."""
        dual = (self.layouts.schedule == DUALPIPE)[:, None]
        return np.where(dual, stages + stages[:, ::-1], stages) if dual.any() else stages

    def times(self) -> tuple[Array, Array]:
        """Parts by `TIME_PARTS` (T, C) and hidden communication (4, C)."""
        setting, layouts, costs = self.setting, self.layouts, self.costs
        forward_CP, backward_CP, slowest = self.forward_CP, self.backward_CP, self.slowest
        weight_CP = self._stages("weight_grad_s")
        rows = np.arange(len(layouts))
        slow_KC = self.counts_KP[:, slowest]
        micro_batches = self.num_micro_batches.astype(float)

        def at_slowest(blocks: Array, first: Array, last: Array) -> Array:
            summed = np.einsum("pkc,kc->pc", blocks, slow_KC)
            return np.asarray(summed + first[:, 0] * (slowest == 0) + last[:, 0] * (slowest == self.pp - 1))

        inner = micro_batches * at_slowest(costs.blocks.parts_s, costs.first.parts_s, costs.last.parts_s)
        hidden = micro_batches * at_slowest(costs.blocks.hidden_s, costs.first.hidden_s, costs.last.hidden_s)

        def ramp(stages: Array) -> Array:
            return np.asarray(stages.sum(axis=1) - stages[rows, slowest])

        bubble = bubble_s(layouts.schedule, self.pp, self.vpp, ramp(forward_CP), ramp(backward_CP), ramp(weight_CP))
        dense, expert = self._parameters()
        largest = np.argmax(dense + expert, axis=1)
        own_dense, own_expert = dense[rows, largest], expert[rows, largest]
        dp_exposed, dp_hidden = exposed_s(
            layouts, self.num_micro_batches, own_dense, own_expert,
            forward_CP[rows, slowest], backward_CP[rows, slowest],
            setting.work.optimizer, setting.stack, setting.cluster.links,
        )  # fmt: skip
        optimizer = optimizer_s(
            layouts, own_dense, own_expert, setting.work.optimizer, setting.device.memory_bytes_per_s,
            setting.cluster.accelerator.host_link_bytes_per_s_one_way,
        )  # fmt: skip
        waits = straggling_s(inner[: len(COMPUTE_PARTS)].sum(axis=0), layouts)
        outer = {
            "pp_comm": self._pipeline_transfers(micro_batches),
            "dp_comm": dp_exposed,
            "bubble": bubble,
            "optimizer": optimizer,
            "overhead": setting.stack.step_overhead_s + waits,
        }
        parts = np.stack([inner[INNER_PARTS.index(p)] if p in INNER_PARTS else outer[p] for p in TIME_PARTS])
        return parts, np.vstack([hidden, dp_hidden])

    def _pipeline_transfers(self, micro_batches: Array) -> Array:
        """Exposed transfers between stages: one each way per micro-batch and chunk, and the ramp's own."""
        if self.pp == 1:
            return np.zeros(len(self.layouts))
        layouts, setting = self.layouts, self.setting
        cells = cells_of(layouts, setting.work.seq_len)
        one_bytes = ACTIVATION_BYTES * cells.tokens * setting.model.hidden / cells.sequence_shard
        # Neighbours may be near, but where the whole pipeline leaves a domain, one boundary does, and it sets the pace.
        span = self.pp * layouts.tp * layouts.cp * np.where(layouts.order == 1, 1, layouts.dp)
        one_s = setting.stack.stretch_of("pp") * send_recv_s(one_bytes, span / 2, setting.cluster.links)
        steady = 2 * self.vpp * micro_batches * (1 - setting.stack.pp_overlap)
        return np.asarray(one_s * (steady + 2 * (self.pp - 1)))

    def memory(self) -> dict[str, Array]:
        """Bytes by `MEMORY_PARTS`, each (C, P)."""
        setting, layouts = self.setting, self.layouts
        dense, expert = self._parameters()
        # The two copies of a stage that DualPipe keeps share one set of optimizer states.
        shared = np.where(layouts.schedule == DUALPIPE, 0.5, 1.0)[:, None]
        return stage_memory(
            Held(
                dense_parameters=dense,
                expert_parameters=expert,
                optimizer_share=shared,
                activation_bytes=self._with_mirrored(self._stages("activation_bytes")) * shared,
                in_flight=in_flight(layouts.schedule, self.pp, self.vpp, self.num_micro_batches),
                num_micro_batches=self.num_micro_batches,
            ),
            layouts, self.costs, setting.model, setting.work, setting.stack, setting.device.memory_bytes,
        )  # fmt: skip

    def recompute_flops_per_token(self) -> npt.NDArray[np.float64]:
        ranks = (self.layouts.tp * self.layouts.cp).astype(float)
        tokens = self.layouts.micro_batch * float(self.setting.work.seq_len)
        return np.asarray(self._stages("recompute_flops").sum(axis=1) * ranks / tokens)


def estimate_layout(setting: Setting, layout: Layout) -> TrainingEstimate:
    """One layout, opened up: parts of the time, memory of every stage.

    Raises InfeasibleError if there are too few layers for the pipeline chunks.
    """
    if setting.model.num_layers + 2 < layout.pp * layout.vpp:
        raise InfeasibleError(f"{setting.model.num_layers} layers cannot fill {layout.pp} stages x {layout.vpp} chunks")
    layouts = LayoutTable.from_layouts([layout])
    table = estimate_table(setting, layouts)
    costs = model_costs(setting.model, layouts, setting.work, setting.device, setting.stack, setting.cluster.links)
    group = _Group(setting, layouts, costs, layout.pp, layout.vpp, setting.end_layers)
    stages = {part: values[0] for part, values in group.memory().items()}
    work, device = setting.work, setting.device
    step_s = float(table.step_s[0])
    tokens_per_step = float(work.global_batch) * work.seq_len
    tokens_per_s = tokens_per_step / step_s
    model_flops = model_flops_per_token(setting)
    hardware_flops = model_flops + float(table.recompute_flops_per_token[0])
    peak = device.gemm_flops_per_s
    per_gpu = tokens_per_s / layout.world_size
    peak_bytes = float(table.memory_peak_bytes[0])
    return TrainingEstimate(
        layout=layout,
        world_size=layout.world_size,
        step_s=step_s,
        time_parts_s={p: float(v) for p, v in zip(TIME_PARTS, table.parts_s[:, 0], strict=True)},
        hidden_comm_s={k: float(v) for k, v in zip((*HIDDEN_KINDS, "dp_comm"), table.hidden_s[:, 0], strict=True)},
        tokens_per_step=tokens_per_step,
        tokens_per_s=tokens_per_s,
        tokens_per_s_per_gpu=per_gpu,
        model_flops_per_token=model_flops,
        hardware_flops_per_token=hardware_flops,
        mfu=model_flops * per_gpu / peak,
        hfu=hardware_flops * per_gpu / peak,
        peak_flops_per_s=peak,
        memory=tuple(
            StageMemory(
                stage=s,
                parts_bytes={p: float(stages[p][s]) for p in MEMORY_PARTS},
                total_bytes=float(sum(stages[p][s] for p in MEMORY_PARTS)),
            )
            for s in range(layout.pp)
        ),
        memory_capacity_bytes=device.memory_bytes,
        memory_peak_bytes=peak_bytes,
        fits=peak_bytes <= device.memory_bytes,
        num_micro_batches=int(group.num_micro_batches[0]),
        runs_on={},
        lower_bound_s=tokens_per_step * hardware_flops / (layout.world_size * peak),
    )


def slowest_stage_s(setting: Setting, layouts: LayoutTable) -> tuple[Array, Array]:
    """Forward and backward pass of one micro-batch on the slowest stage of every layout, in seconds, (C,) each."""
    cuts, index = _distinct_cuts(layouts)
    costs = model_costs(setting.model, cuts, setting.work, setting.device, setting.stack, setting.cluster.links)
    passes = np.empty((2, len(layouts)))
    for pp, vpp, rows in _pipeline_groups(layouts):
        group = _Group(setting, layouts.take(rows), costs.take(index[rows]), pp, vpp, setting.end_layers)
        at = np.arange(len(rows)), group.slowest
        passes[:, rows] = group.forward_CP[at], group.backward_CP[at]
    return passes[0], passes[1]


def layout_operations(setting: Setting, layout: Layout) -> tuple[OperationTime, ...]:
    """Every kind of operation of one step on the slowest stage; equal ones of different blocks are merged.

    The seconds are forward, backward and recomputation; their sum is the compute and recompute parts of
    the step time (host waits and communication are not operations).
    """
    layouts = LayoutTable.from_layouts([layout])
    work, device = setting.work, setting.device
    costs = model_costs(setting.model, layouts, work, device, setting.stack, setting.cluster.links)
    group = _Group(setting, layouts, costs, layout.pp, layout.vpp, setting.end_layers)
    stage = int(group.slowest[0])
    micro_batches = float(group.num_micro_batches[0])
    shop = Shop(device, setting.stack, work)
    cells = cells_of(layouts, work.seq_len)
    recomputed = recomputed_modules(layouts.recompute)
    merged: dict[tuple[str, str], OperationTime] = {}

    def add(operations: Sequence[Operation], times: float, inside_blocks: bool = False) -> None:
        for op in operations:
            again = float(recomputed_share(op, recomputed)[0]) if inside_blocks else 0.0
            seconds = float(((1 + again) * op.forward_s + op.backward_s)[0]) * times * micro_batches
            shape = ", ".join(f"{name} {float(size[0]):,.6g}" for name, size in op.sizes)
            before = merged.get((op.name, shape))
            merged[op.name, shape] = OperationTime(
                name=op.name,
                part=op.part,
                shape=shape,
                calls_per_step=times * micro_batches + (before.calls_per_step if before else 0.0),
                flops=float((3 + again) * op.forward_flops[0]),
                bytes=float(op.forward_bytes[0]),
                seconds_per_step=seconds + (before.seconds_per_step if before else 0.0),
            )

    for kind, count in zip(costs.kinds, group.counts_KP[:, stage], strict=True):
        if count:
            add(
                block_operations(setting.model.blocks[kind], setting.model, cells, shop),
                float(count),
                inside_blocks=True,
            )
    if stage == 0:
        add(embedding_operations(setting.model, cells, shop), 1.0)
    if stage == layout.pp - 1:
        add(head_operations(setting.model, cells, shop), 1.0 + setting.model.mtp_depths)
        add(prediction_operations(setting.model, cells, shop), float(setting.model.mtp_depths))
    return tuple(sorted(merged.values(), key=lambda o: -o.seconds_per_step))
