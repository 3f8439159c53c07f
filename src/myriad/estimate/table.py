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

from dataclasses import dataclass

import numpy as np

from myriad.estimate.collectives import send_recv_s
from myriad.estimate.data_parallel import exposed_s, optimizer_s, state_bytes, straggling_share, traffic
from myriad.estimate.layers import COMPUTE_PARTS, HIDDEN_KINDS, INNER_PARTS, ModelCosts, cells_of
from myriad.estimate.operations import ACTIVATION_BYTES, Array
from myriad.estimate.parameters import model_parameters
from myriad.estimate.pipeline import DUALPIPE, bubble_s, in_flight
from myriad.estimate.setting import Setting
from myriad.estimate.stage_memory import StageMemory, lasting, passing
from myriad.estimate.stages import Stages, stages_of
from myriad.spec.layout import IntArray, LayoutTable
from myriad.spec.result import TIME_PARTS

CUT = ("tp", "sp", "cp", "ep", "etp", "micro_batch", "recompute")
PIPELINE = (*CUT, "pp", "vpp", "schedule")
ROUND = (*PIPELINE, "dp", "order")
SHARDING = ("tp", "cp", "ep", "etp", "pp", "vpp", "schedule", "dp", "order", "zero", "shard", "offload_optimizer")


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
    return evaluate(setting, layouts, merge_stages=True).table


def evaluate(setting: Setting, layouts: LayoutTable, *, merge_stages: bool) -> Evaluated:
    """Time and memory of every layout, by stages; equal stages are one if merged."""
    rounds = layouts.distinct(*ROUND)
    pipelines = rounds.layouts.distinct(*PIPELINE)
    cuts = pipelines.layouts.distinct(*CUT)
    shardings = layouts.distinct(*SHARDING)
    costs = setting.costs_of(cuts.layouts)
    find_stages = stages_of(setting, layouts, merged=merge_stages)
    pipeline = _Pipelines(setting, pipelines.layouts, costs.take(cuts.index), find_stages(pipelines.layouts))
    around = _Rounds(setting, rounds.layouts, pipeline, pipelines.index, find_stages(rounds.layouts))
    cut_of_sharding = cuts.index[pipelines.index[rounds.index[shardings.first]]]
    sharded = _Shardings(setting, shardings.layouts, costs.take(cut_of_sharding), find_stages(shardings.layouts))

    at, shard = rounds.index, shardings.index
    pipeline_at = pipelines.index[at]
    dp_exposed, dp_hidden = exposed_s(
        layouts, around.num_micro_batches[at], sharded.sent.take(shard),
        pipeline.forward_s[pipeline_at], pipeline.backward_s[pipeline_at], setting.stack,
    )  # fmt: skip
    parts = np.empty((len(TIME_PARTS), len(layouts)))
    for row, part in enumerate(TIME_PARTS):
        if part == "dp_comm":
            parts[row] = dp_exposed
        elif part == "optimizer":
            parts[row] = sharded.optimizer_s[shard]
        else:
            np.take(around.parts_s[part], at, out=parts[row])
    hidden = np.empty((len(HIDDEN_KINDS) + 1, len(layouts)))
    np.take(around.hidden_s, at, axis=1, out=hidden[:-1])
    hidden[-1] = dp_hidden

    memory = StageMemory(setting, sharded.lasting, shard, around.passing, at)
    fullest = np.argmax(memory.total, axis=0)
    table = TrainingTable(
        parts_s=parts,
        hidden_s=hidden,
        step_s=parts.sum(axis=0),
        memory_parts_bytes=memory.parts(fullest),
        memory_peak_bytes=np.take_along_axis(memory.total, fullest[None], axis=0)[0],
        recompute_flops_per_token=pipeline.recompute_flops_per_token[pipeline_at],
    )
    return Evaluated(table, memory, pipeline.slowest[pipeline_at], around.num_micro_batches[at])


class _Pipelines:
    """One micro-batch through the stages of a pipeline; axes S (stages), C (pipelines)."""

    def __init__(self, setting: Setting, layouts: LayoutTable, costs: ModelCosts, stages: Stages) -> None:
        def by_stage(name: str) -> Array:
            return stages.sums(*(getattr(thing, name) for thing in (costs.blocks, costs.first, costs.last)))

        dual = layouts.schedule == DUALPIPE

        def on_device(values: Array) -> Array:
            """Of one micro-batch: under DualPipe half of them take a stage, and half its mirror."""
            return np.where(dual, 0.5 * stages.mirrored(values), values) if dual.any() else values

        forward, backward = on_device(by_stage("forward_s")), on_device(by_stage("backward_s"))
        self.slowest: IntArray = np.argmax(forward + backward, axis=0)
        rows = np.arange(len(layouts))
        counts, is_first, is_last = stages.at(self.slowest)
        if dual.any():
            half = np.where(dual, 0.5, 0.0)
            mirror = stages.at(stages.mirror[self.slowest, rows])
            counts, is_first, is_last = (
                (1.0 - half) * one + half * other
                for one, other in zip((counts, is_first, is_last), mirror, strict=True)
            )

        def at_slowest(name: str) -> Array:
            ends = getattr(costs.first, name)[:, 0] * is_first + getattr(costs.last, name)[:, 0] * is_last
            return np.asarray(np.einsum("pkc,kc->pc", getattr(costs.blocks, name), counts) + ends)

        def others(values: Array) -> Array:
            """Sum over all stages but the slowest."""
            return np.asarray((stages.times * values).sum(axis=0) - values[self.slowest, rows])

        self.forward_s, self.backward_s = forward[self.slowest, rows], backward[self.slowest, rows]
        self.parts_s = at_slowest("parts_s")
        self.hidden_s = at_slowest("hidden_s")
        self.bubble_s = bubble_s(
            layouts.schedule, layouts.pp, layouts.vpp,
            others(forward), others(backward), others(on_device(by_stage("weight_grad_s"))),
        )  # fmt: skip
        self.activation_bytes = on_device(by_stage("activation_bytes"))
        self.block_working_bytes = costs.blocks.working_bytes.max(axis=0)
        self.head_working_bytes = costs.last.working_bytes[0]
        ranks = (layouts.tp * layouts.cp).astype(float)
        tokens = layouts.micro_batch * float(setting.work.seq_len)
        recomputed = (stages.times * by_stage("recompute_flops")).sum(axis=0)
        self.recompute_flops_per_token = recomputed * ranks / tokens


class _Rounds:
    """All micro-batches of a step through one pipeline; axes S (stages), C (rounds)."""

    def __init__(
        self, setting: Setting, layouts: LayoutTable, pipelines: _Pipelines, at: IntArray, stages: Stages
    ) -> None:
        work = setting.work
        self.num_micro_batches = np.maximum(work.global_batch // (layouts.dp * layouts.micro_batch), 1)
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
    steady = 2 * layouts.vpp * micro_batches * (1 - setting.stack.pp_overlap)
    return np.where(layouts.pp > 1, transfer_s(setting, layouts) * (steady + 2 * (layouts.pp - 1)), 0.0)


def transfer_s(setting: Setting, layouts: LayoutTable) -> Array:
    """Time of the activations of one micro-batch from one stage to the next, in seconds, (C,)."""
    cells = cells_of(layouts, setting.work.seq_len)
    one_bytes = ACTIVATION_BYTES * cells.tokens * setting.model.hidden / cells.sequence_shard
    # Neighbours may be near, but where the whole pipeline leaves a domain, one boundary does, and it sets the pace.
    span = layouts.pp * layouts.tp * layouts.cp * np.where(layouts.order == 1, 1, layouts.dp)
    return setting.stack.stretch_of("pp") * send_recv_s(one_bytes, span / 2, setting.cluster.links)


class _Shardings:
    """The parameters of the stages, who holds them and what is sent of them; axes S (stages), C (shardings)."""

    def __init__(self, setting: Setting, layouts: LayoutTable, costs: ModelCosts, stages: Stages) -> None:
        work, rows = setting.work, np.arange(len(layouts))
        dense, expert = _parameters(setting, layouts, costs, stages)
        largest = np.argmax(dense + expert, axis=0)
        own_dense, own_expert = dense[largest, rows], expert[largest, rows]
        self.sent = traffic(layouts, own_dense, own_expert, work.optimizer, setting.stack, setting.cluster.links)
        self.optimizer_s = optimizer_s(
            layouts, own_dense, own_expert, work.optimizer, setting.device.memory_bytes_per_s,
            setting.cluster.accelerator.host_link_bytes_per_s_one_way,
        )  # fmt: skip
        # The two copies of a stage that DualPipe keeps share one set of optimizer states.
        share = np.where(layouts.schedule == DUALPIPE, 0.5, 1.0)
        self.lasting = lasting(setting, layouts, stages, costs, dense, expert, share)


def _parameters(setting: Setting, layouts: LayoutTable, costs: ModelCosts, stages: Stages) -> tuple[Array, Array]:
    """Dense and expert parameters that each rank of each stage computes with, each (S, C)."""
    model = setting.model
    dense = stages.sums(costs.blocks.dense_parameters, costs.first.dense_parameters, costs.last.dense_parameters)
    expert = stages.sums(costs.blocks.expert_parameters, costs.first.expert_parameters, costs.last.expert_parameters)
    vocabulary = model.vocab * model.hidden / layouts.tp
    if model.tied_embeddings:
        dense -= stages.is_first * stages.is_last * vocabulary
    if model.mtp_depths:  # prediction depths embed tokens where they are
        dense += stages.is_last * (1.0 - stages.is_first) * vocabulary
    dual = layouts.schedule == DUALPIPE
    if dual.any():  # run from both ends, stage s also holds stage p - 1 - s
        dense, expert = (np.where(dual, stages.mirrored(x), x) for x in (dense, expert))
    return dense, expert


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
