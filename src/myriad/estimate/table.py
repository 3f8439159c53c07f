"""One training step for many layouts at once: columns in, columns out.

A step is the slowest stage's micro-batches, one after the other, then what does not overlap:

    step = m * (compute + recompute + host + exposed TP, CP, EP) + PP + bubble + exposed DP + optimizer + overhead

Layouts share most of that, so each part is worked out once for all that do not differ in what it depends on:

    cuts        how a block is cut over ranks           times and sizes of blocks and of both ends
    pipelines   cuts, stages, chunks, schedule          sums over stages, the slowest, the bubble
    rounds      pipelines, replicas, rank order         micro-batches, transfers, activations in flight
    shardings   who holds which parameters              states, data-parallel traffic, optimizer step
    layouts     rounds and shardings                    what hides behind what, the fullest stage

A search runs this on columns of millions; a single estimate is the same with one row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from myriad.estimate.collectives import send_recv_s
from myriad.estimate.data_parallel import exposed_s, optimizer_s, state_bytes, straggling_share, traffic
from myriad.estimate.layers import COMPUTE_PARTS, HIDDEN_KINDS, INNER_PARTS, cells_of
from myriad.estimate.operations import ACTIVATION_BYTES, Array
from myriad.estimate.parameters import model_parameters
from myriad.estimate.pipeline import DUALPIPE, bubble_s, in_flight
from myriad.estimate.setting import Setting
from myriad.estimate.stage_memory import StageMemory, lasting, passing
from myriad.estimate.stages import Stages, stage_table
from myriad.spec.layout import IntArray, Layout, LayoutTable, distinct
from myriad.spec.result import MEMORY_PARTS, TIME_PARTS

ROWS_AT_ONCE = 1 << 15
"""So few that the arrays of one pass stay in a core's cache."""


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


@dataclass(frozen=True)
class Evaluated:
    """A table and what a single estimate shows beyond it."""

    table: TrainingTable
    memory: StageMemory
    slowest: IntArray
    """The stage whose micro-batches set the time, (C,)."""
    num_micro_batches: IntArray


def estimate_table(setting: Setting, layouts: LayoutTable) -> TrainingTable:
    """Time and memory of every layout. Layouts must divide (see `search.rules`); nothing is checked here."""
    size = len(layouts)
    whole = TrainingTable(
        parts_s=np.empty((len(TIME_PARTS), size)),
        hidden_s=np.empty((len(HIDDEN_KINDS) + 1, size)),
        step_s=np.empty(size),
        memory_parts_bytes=np.empty((len(MEMORY_PARTS), size)),
        memory_peak_bytes=np.empty(size),
        recompute_flops_per_token=np.empty(size),
    )
    cuts = distinct(cut_columns(layouts))
    priced = Priced(setting, layouts, layouts.take(cuts.first), merge_stages=True)
    for start in range(0, size, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        found = evaluate(priced, layouts.take(rows), cuts.index[rows]).table
        for field in fields(TrainingTable):
            getattr(whole, field.name)[..., rows] = getattr(found, field.name)
    return whole


def evaluate_one(setting: Setting, layout: Layout) -> Evaluated:
    """The same of one layout, with every stage on its own."""
    layouts = LayoutTable.from_layouts([layout])
    return evaluate(Priced(setting, layouts, layouts, merge_stages=False), layouts, np.zeros(1, dtype=np.int64))


def cut_columns(layouts: LayoutTable) -> list[IntArray]:
    """What the costs of a block depend on."""
    x = layouts
    return [x.tp, x.sp, x.cp, x.ep, x.etp, x.micro_batch, x.recompute]


class Priced:
    """What blocks and stages cost under each cut (U), with the stages of all layouts; equal ones are one if merged."""

    def __init__(self, setting: Setting, layouts: LayoutTable, cuts: LayoutTable, *, merge_stages: bool) -> None:
        self.setting = setting
        self.costs = setting.costs_of(cuts)
        self.stages = stage_table(setting, layouts, merged=merge_stages)
        self.stage_costs = self.stages.costs(self.costs)


def evaluate(priced: Priced, layouts: LayoutTable, cut: IntArray) -> Evaluated:
    """Time and memory of every layout; its blocks are cut as column `cut[c]` of the costs says."""
    x, setting = layouts, priced.setting
    in_pipeline = [cut, x.pp, x.vpp, x.schedule]
    rounds = distinct([*in_pipeline, x.dp, x.order])
    pipelines = distinct([column[rounds.first] for column in in_pipeline])
    shardings = distinct(
        [x.tp, x.cp, x.ep, x.etp, x.pp, x.vpp, x.schedule, x.dp, x.order, x.zero, x.shard, x.offload_optimizer]
    )
    first = rounds.first[pipelines.first]
    pipeline = _Pipelines(priced, layouts.take(first), cut[first])
    around = _Rounds(priced, layouts.take(rounds.first), pipeline, pipelines.index)
    sharded = _Shardings(priced, layouts.take(shardings.first), cut[shardings.first])

    at, shard = rounds.index, shardings.index
    pipeline_at = pipelines.index[at]
    num_micro_batches = around.num_micro_batches[at]
    dp_exposed, dp_hidden = exposed_s(
        layouts, num_micro_batches, sharded.sent.take(shard),
        pipeline.forward_s[pipeline_at], pipeline.backward_s[pipeline_at], setting.stack,
    )  # fmt: skip
    of_sharding = {"dp_comm": dp_exposed, "optimizer": sharded.optimizer_s[shard]}
    parts = np.stack([of_sharding[p] if p in of_sharding else around.parts_s[p][at] for p in TIME_PARTS])
    memory = StageMemory(setting, sharded.lasting, shard, around.passing, at)
    fullest = np.argmax(memory.total, axis=0)
    table = TrainingTable(
        parts_s=parts,
        hidden_s=np.vstack([around.hidden_s[:, at], dp_hidden]),
        step_s=parts.sum(axis=0),
        memory_parts_bytes=memory.parts(fullest),
        memory_peak_bytes=memory.total[fullest, np.arange(len(layouts))],
        recompute_flops_per_token=pipeline.recompute_flops_per_token[pipeline_at],
    )
    return Evaluated(table, memory, pipeline.slowest[pipeline_at], num_micro_batches)


class _Pipelines:
    """One micro-batch through the stages of a pipeline; axes S (stages), C (pipelines)."""

    def __init__(self, priced: Priced, layouts: LayoutTable, cut: IntArray) -> None:
        costs, stages = priced.stage_costs, priced.stages.of(layouts)
        rows = np.arange(len(layouts))

        def others(values: Array) -> Array:
            """Sum over all stages but the slowest."""
            return np.asarray((stages.times * values).sum(axis=0) - values[self.slowest, rows])

        forward, backward = costs.forward_s[stages.kind, cut], costs.backward_s[stages.kind, cut]
        self.slowest: IntArray = np.argmax(forward + backward, axis=0)
        self.forward_s, self.backward_s = forward[self.slowest, rows], backward[self.slowest, rows]
        slowest = stages.kind[self.slowest, rows]
        self.parts_s = costs.parts_s[:, slowest, cut]
        self.hidden_s = costs.hidden_s[:, slowest, cut]
        weight_grad = costs.weight_grad_s[stages.kind, cut]
        self.bubble_s = bubble_s(
            layouts.schedule, layouts.pp, layouts.vpp, others(forward), others(backward), others(weight_grad)
        )
        self.activation_bytes = costs.activation_bytes[stages.kind, cut]
        dual = layouts.schedule == DUALPIPE
        if dual.any():
            # The two copies of a stage that DualPipe keeps share its micro-batches.
            both = 0.5 * stages.mirrored(self.activation_bytes)
            self.activation_bytes = np.where(dual, both, self.activation_bytes)
        self.block_working_bytes = priced.costs.blocks.working_bytes.max(axis=0)[cut]
        self.head_working_bytes = priced.costs.last.working_bytes[0, cut]
        ranks = (layouts.tp * layouts.cp).astype(float)
        tokens = layouts.micro_batch * float(priced.setting.work.seq_len)
        recomputed = (stages.times * costs.recompute_flops[stages.kind, cut]).sum(axis=0)
        self.recompute_flops_per_token = recomputed * ranks / tokens


class _Rounds:
    """All micro-batches of a step through one pipeline; axes S (stages), C (rounds)."""

    def __init__(self, priced: Priced, layouts: LayoutTable, pipelines: _Pipelines, at: IntArray) -> None:
        setting, stages = priced.setting, priced.stages.of(layouts)
        self.num_micro_batches = np.maximum(setting.work.global_batch // (layouts.dp * layouts.micro_batch), 1)
        times = self.num_micro_batches.astype(float)
        inner = times * pipelines.parts_s[:, at]
        self.parts_s = dict(zip(INNER_PARTS, inner, strict=True))
        self.parts_s["pp_comm"] = _transfers_s(setting, layouts, times)
        self.parts_s["bubble"] = pipelines.bubble_s[at]
        waits = inner[: len(COMPUTE_PARTS)].sum(axis=0) * straggling_share(layouts)
        self.parts_s["overhead"] = setting.stack.step_overhead_s + waits
        self.hidden_s = times * pipelines.hidden_s[:, at]
        held = in_flight(layouts.schedule, stages.number, layouts.pp, layouts.vpp, self.num_micro_batches)
        self.passing = passing(
            setting, layouts, stages, pipelines.activation_bytes[:, at], pipelines.block_working_bytes[at],
            pipelines.head_working_bytes[at], held, self.num_micro_batches,
        )  # fmt: skip


def _transfers_s(setting: Setting, layouts: LayoutTable, micro_batches: Array) -> Array:
    """Exposed transfers between stages: one each way per micro-batch and chunk, and the ramp's own."""
    cells = cells_of(layouts, setting.work.seq_len)
    one_bytes = ACTIVATION_BYTES * cells.tokens * setting.model.hidden / cells.sequence_shard
    # Neighbours may be near, but where the whole pipeline leaves a domain, one boundary does, and it sets the pace.
    span = layouts.pp * layouts.tp * layouts.cp * np.where(layouts.order == 1, 1, layouts.dp)
    one_s = setting.stack.stretch_of("pp") * send_recv_s(one_bytes, span / 2, setting.cluster.links)
    steady = 2 * layouts.vpp * micro_batches * (1 - setting.stack.pp_overlap)
    return np.where(layouts.pp > 1, one_s * (steady + 2 * (layouts.pp - 1)), 0.0)


class _Shardings:
    """The parameters of the stages, who holds them and what is sent of them; axes S (stages), C (shardings)."""

    def __init__(self, priced: Priced, layouts: LayoutTable, cut: IntArray) -> None:
        setting, stages = priced.setting, priced.stages.of(layouts)
        work, rows = setting.work, np.arange(len(layouts))
        dense, expert = _parameters(priced, layouts, cut, stages)
        largest = np.argmax(dense + expert, axis=0)
        own_dense, own_expert = dense[largest, rows], expert[largest, rows]
        self.sent = traffic(layouts, own_dense, own_expert, work.optimizer, setting.stack, setting.cluster.links)
        self.optimizer_s = optimizer_s(
            layouts, own_dense, own_expert, work.optimizer, setting.device.memory_bytes_per_s,
            setting.cluster.accelerator.host_link_bytes_per_s_one_way,
        )  # fmt: skip
        # The two copies of a stage that DualPipe keeps share one set of optimizer states.
        share = np.where(layouts.schedule == DUALPIPE, 0.5, 1.0)
        self.lasting = lasting(setting, layouts, stages, priced.costs, cut, dense, expert, share)


def _parameters(priced: Priced, layouts: LayoutTable, cut: IntArray, stages: Stages) -> tuple[Array, Array]:
    """Dense and expert parameters that each rank of each stage computes with, each (S, C)."""
    model, costs = priced.setting.model, priced.stage_costs
    dense, expert = costs.dense_parameters[stages.kind, cut], costs.expert_parameters[stages.kind, cut]
    vocabulary = model.vocab * model.hidden / layouts.tp
    if model.tied_embeddings:
        dense -= stages.is_first * np.where(layouts.pp == 1, vocabulary, 0.0)
    if model.mtp_depths:  # prediction depths embed tokens where they are
        dense += stages.is_last * np.where(layouts.pp > 1, vocabulary, 0.0)
    dual = layouts.schedule == DUALPIPE
    if dual.any():  # run from both ends, stage s also holds stage p - 1 - s
        dense, expert = (np.where(dual, stages.mirrored(x), x) for x in (dense, expert))
    return dense, expert


STATE_COLUMNS = ("tp", "cp", "pp", "dp", "ep", "etp", "zero", "shard", "offload_optimizer")
"""What `state_bytes_bound` reads."""


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
    states = state_bytes(layouts, dense, spread, setting.work.optimizer, setting.stack)
    return np.asarray(setting.stack.reserved_bytes + sum(states.values()))
