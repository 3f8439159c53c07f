"""All micro-batches of a step through a pipeline: what they take, and what they hold on its stages.

Axes S (stages, see `estimate.stages`) and C (rounds: layouts that differ in neither cut, stages, schedule nor
replicas).
"""

from __future__ import annotations

import numpy as np

from myriad.estimate.collectives import send_recv_s
from myriad.estimate.data_parallel import straggling_share
from myriad.estimate.layers import COMPUTE_PARTS, INNER_PARTS, Costs, ModelCosts, cells_of
from myriad.estimate.memory import block_input_bytes
from myriad.estimate.operations import Array
from myriad.estimate.pipeline import DUALPIPE, bubble_s, in_flight
from myriad.estimate.setting import Setting
from myriad.estimate.stage_memory import passing
from myriad.estimate.stages import Stages
from myriad.spec.layout import IntArray, LayoutTable


class Rounds:
    """Columns (C,) of rounds, each cut as `cut` says."""

    def __init__(
        self,
        setting: Setting,
        layouts: LayoutTable,
        stages: Stages,
        costs: ModelCosts,
        stage_costs: Costs,
        cut: IntArray,
    ) -> None:
        columns, num_cuts = np.arange(len(layouts)), stage_costs.forward_s.shape[1]
        place = stages.kind * num_cuts + cut

        dual = layouts.schedule == DUALPIPE
        both_ways = bool(dual.any())

        def by_stage(values: Array) -> Array:
            """Of one micro-batch: under DualPipe half of them take a stage, and half its mirror."""
            found: Array = values.ravel()[place]
            return np.where(dual, 0.5 * stages.mirrored(found), found) if both_ways else found

        def others(values: Array) -> Array:
            """Sum over all stages but the slowest."""
            return np.asarray((stages.times * values).sum(axis=0) - values[self.slowest, columns])

        forward, backward = by_stage(stage_costs.forward_s), by_stage(stage_costs.backward_s)
        self.stage_s = forward + backward
        """Of one micro-batch on every stage, (S, C)."""
        self.slowest: IntArray = np.argmax(self.stage_s, axis=0)
        """The stage whose micro-batches set the time."""
        self.forward_s, self.backward_s = forward[self.slowest, columns], backward[self.slowest, columns]
        """Of one micro-batch there."""
        slowest, mirror = place[self.slowest, columns], place[stages.mirror[self.slowest, columns], columns]

        def at_slowest(values: Array) -> Array:
            rows = values.reshape(len(values), -1)
            found: Array = rows[:, slowest]
            return np.where(dual, 0.5 * (found + rows[:, mirror]), found) if both_ways else found

        self.num_micro_batches = layouts.num_micro_batches(setting.work.global_batch)
        times = self.num_micro_batches.astype(float)
        inner = times * at_slowest(stage_costs.parts_s)
        weight_grad = by_stage(stage_costs.weight_grad_s) if layouts.schedule.any() else forward
        waits = inner[: len(COMPUTE_PARTS)].sum(axis=0) * straggling_share(layouts)
        self.parts_s = dict(zip(INNER_PARTS, inner, strict=True)) | {
            "pp_comm": _transfers_s(setting, layouts, times),
            "bubble": bubble_s(
                layouts.schedule, layouts.pp, layouts.vpp, others(forward), others(backward), others(weight_grad)
            ),
            "overhead": setting.stack.step_overhead_s + waits,
        }
        """By those of `TIME_PARTS` that do not depend on what data parallelism shards."""
        self.hidden_s = times * at_slowest(stage_costs.hidden_s)
        """By `HIDDEN_KINDS`, axis 0."""

        held = in_flight(layouts.schedule, stages.number, layouts.pp, layouts.vpp, self.num_micro_batches)
        self.passing = passing(
            setting, layouts, stages, by_stage(stage_costs.activation_bytes),
            costs.blocks.working_bytes.max(axis=0)[cut], costs.last.working_bytes[0, cut],
            held, self.num_micro_batches,
        )  # fmt: skip
        ranks = (layouts.tp * layouts.cp).astype(float)
        tokens = layouts.micro_batch * float(setting.work.seq_len)
        recomputed = (stages.times * by_stage(stage_costs.recompute_flops)).sum(axis=0)
        self.recompute_flops_per_token = recomputed * ranks / tokens


def _transfers_s(setting: Setting, layouts: LayoutTable, micro_batches: Array) -> Array:
    """Exposed transfers between stages: one each way per micro-batch and chunk, and the ramp's own."""
    steady = 2 * layouts.vpp * micro_batches * (1 - setting.stack.pp_overlap)
    one_s = transfer_s(setting, layouts, layouts.pp)
    return np.where(layouts.pp > 1, one_s * (steady + 2 * (layouts.pp - 1)), 0.0)


def transfer_s(setting: Setting, layouts: LayoutTable, stages: IntArray | int) -> Array:
    """Time of the activations of one micro-batch from one to the next of so many stages, in seconds, (C,)."""
    # Neighbours may be near, but where the whole pipeline leaves a domain, one boundary does, and it sets the pace.
    span = stages * layouts.tp * layouts.cp * np.where(layouts.order == 1, 1, layouts.dp)
    sent = block_input_bytes(setting.model, cells_of(layouts, setting.work))
    return setting.stack.stretch_of("pp") * send_recv_s(sent, span / 2, setting.cluster.links, span / stages)
