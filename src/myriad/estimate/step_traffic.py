"""What one training step sends: every kind of collective, its bytes, its groups, and how often it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from myriad.estimate.data_parallel import replicas
from myriad.estimate.exchange import dispatched_bytes, key_value_bytes
from myriad.estimate.layers import cells_of, recomputed_modules
from myriad.estimate.memory import block_input_bytes
from myriad.estimate.rank_groups import (
    context_groups,
    expert_groups,
    expert_replica_groups,
    parted,
    replica_groups,
    stage_pairs,
)
from myriad.estimate.setting import Setting
from myriad.estimate.shardings import Shardings
from myriad.estimate.stages import stage_table
from myriad.estimate.tiers import place
from myriad.spec.layout import IntArray, Layout, LayoutTable
from myriad.spec.model import GatedDeltaNet, Mamba2, MixtureOfExperts
from myriad.spec.result import StageLoad
from myriad.spec.traffic import Operation, TrafficKind, TrafficName

_DENSE: Final[tuple[TrafficName, ...]] = ("gradients", "gradients_of_copies", "parameters")
_EXPERT: Final[tuple[TrafficName, ...]] = ("expert_gradients", "expert_gradients_of_copies", "expert_parameters")


@dataclass(frozen=True)
class StepCollective:
    """One collective of a training step, run by all groups side by side."""

    kind: TrafficKind
    name: TrafficName
    block: str
    """Kind of blocks that it belongs to; empty where all do."""
    operation: Operation
    bytes_: float
    """Of one run, as nccl-tests count them: what is reduced, the whole gathered result, what a rank sends."""
    calls: float
    """Runs per step, on the slowest stage."""
    groups: IntArray
    """(G, n); of `send` the pairs (from, to)."""

    @property
    def sent_bytes(self) -> float:
        """What one rank sends per step, in bytes: textbook volume of one run times runs."""
        size = self.groups.shape[1]
        volume = {"send": 1.0, "all-reduce": 2.0 - 2.0 / size}.get(self.operation, 1.0 - 1.0 / size)
        return float(volume * self.bytes_ * self.calls)


def step_traffic(setting: Setting, layout: Layout, slowest: StageLoad) -> tuple[StepCollective, ...]:
    """The collectives of a layout's step beyond tensor parallelism, which stays inside hosts; layers as on one stage.

    Bytes are those that `estimate.exchange`, `estimate.data_parallel` and `estimate.rounds` count: data parallel ones
    of the stage with most parameters, for all stages. Of dispatch and combine what goes to other domains counts;
    copies made inside are left out. Groups of one rank send nothing and are left out.
    """
    table = LayoutTable.from_layouts([layout.without_split()])
    micro_batches = float(layout.num_micro_batches(setting.work.global_batch))
    found = [
        *_experts(setting, layout, table, slowest, micro_batches),
        *_context(setting, layout, table, slowest, micro_batches),
        *_stages(setting, layout, table, micro_batches),
        *_replicas(setting, layout, table, micro_batches),
    ]
    return tuple(one for one in found if one.groups.shape[1] > 1 and one.bytes_ and one.calls)


def _experts(
    setting: Setting, layout: Layout, table: LayoutTable, slowest: StageLoad, micro_batches: float
) -> list[StepCollective]:
    cells = cells_of(table, setting.work)
    links = setting.cluster.links
    again = float(recomputed_modules(table.recompute)["moe"][0])
    found = []
    for kind, layers in slowest.layers.items():
        moe = setting.model.blocks[kind].feed_forward
        if isinstance(moe, MixtureOfExperts):
            where = place(cells.ep, cells.etp, links)
            sent, far = dispatched_bytes(moe, setting.model, cells, setting.work, setting.stack, where)
            calls = layers * micro_batches * 2 * (2 + again)
            bytes_ = float(sent[0] * far[0])
            found.append(StepCollective("ep", "dispatch", kind, "all-to-all", bytes_, calls, expert_groups(layout)))
    return found


def _context(
    setting: Setting, layout: Layout, table: LayoutTable, slowest: StageLoad, micro_batches: float
) -> list[StepCollective]:
    cells, groups = cells_of(table, setting.work), context_groups(layout)
    found = []
    for kind, layers in slowest.layers.items():
        block, times = setting.model.blocks[kind], layers * micro_batches
        if block.mixer is None:
            continue
        whole = float(key_value_bytes(block, cells, setting.work)[0])
        if isinstance(block.mixer, (Mamba2, GatedDeltaNet)):
            found.append(StepCollective("cp", "heads", kind, "all-to-all", whole / layout.cp, 4 * times, groups))
            continue
        found.append(StepCollective("cp", "keys_values", kind, "all-gather", whole, 2 * times, groups))
        found.append(StepCollective("cp", "keys_values_gradients", kind, "reduce-scatter", whole, times, groups))
    return found


def _stages(setting: Setting, layout: Layout, table: LayoutTable, micro_batches: float) -> list[StepCollective]:
    if layout.pp == 1:
        return []
    bytes_ = float(block_input_bytes(setting.model, cells_of(table, setting.work))[0])
    pairs, calls = stage_pairs(layout), layout.vpp * micro_batches
    return [
        StepCollective("pp", "activations", "", "send", bytes_, calls, pairs),
        StepCollective("pp", "activation_gradients", "", "send", bytes_, calls, pairs[:, ::-1]),
    ]


def _replicas(setting: Setting, layout: Layout, table: LayoutTable, micro_batches: float) -> list[StepCollective]:
    costs = setting.costs_of(table)
    stages = stage_table(setting, table, merged=True)
    cut = np.zeros(1, dtype=np.int64)
    dense, expert = Shardings(setting, table, stages.of(table), costs, stages.costs(costs), cut).parameters
    sizes, optimizer = replicas(table), setting.work.optimizer
    reduces = micro_batches if layout.zero >= 2 else 1.0
    gathers = {0: 0.0, 3: 2 * micro_batches}.get(layout.zero, 1.0)
    found = []
    for names, parameters, groups, shard in (
        (_DENSE, float(dense[0]), replica_groups(layout), int(sizes.dense_shard[0])),
        (_EXPERT, float(expert[0]), expert_replica_groups(layout), int(sizes.expert_shard[0])),
    ):
        reduced, summed, gathered = names
        gradients, weights = optimizer.gradient_reduce_bytes * parameters, optimizer.weight_bytes * parameters
        if layout.zero == 0:
            found.append(StepCollective("dp", reduced, "", "all-reduce", gradients, reduces, groups))
            continue
        inner, outer = parted(groups, shard)
        found.append(StepCollective("dp", reduced, "", "reduce-scatter", gradients, reduces, inner))
        found.append(StepCollective("dp", summed, "", "all-reduce", gradients / shard, reduces, outer))
        found.append(StepCollective("dp", gathered, "", "all-gather", weights, gathers, inner))
    return found
