"""One training step for many layouts at once: columns in, columns out.

A step is the slowest stage's micro-batches, one after the other, then what does not overlap:

    step = m * (compute + recompute + host + exposed TP, CP, EP) + PP + bubble + exposed DP + optimizer + overhead

Layouts share most of that, so each part is worked out once for all that do not differ in what it depends on:

    cuts        how a block is cut over ranks            times and sizes of blocks, of both ends and of stages
    shardings   ranks, stages, what ZeRO shards          states, data-parallel traffic, optimizer step
    rounds      cut, stages, schedule, replicas          the slowest stage, transfers, bubble, activations in flight
    layouts     round and sharding                       what hides behind what, the fullest stage

A search runs this on columns of millions; a single estimate is the same with one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from myriad.estimate.data_parallel import exposed_s, state_bytes
from myriad.estimate.layers import HIDDEN_KINDS, cuts_of
from myriad.estimate.operations import Array
from myriad.estimate.parameters import model_parameters
from myriad.estimate.placement import predicts_apart
from myriad.estimate.rounds import Rounds
from myriad.estimate.setting import Setting
from myriad.estimate.shardings import Shardings, sharding_columns
from myriad.estimate.stage_memory import StageMemory
from myriad.estimate.stages import stage_table
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

    @classmethod
    def empty(cls, size: int) -> TrainingTable:
        """Columns to be written."""
        rows = {"parts_s": TIME_PARTS, "hidden_s": (*HIDDEN_KINDS, "dp_comm"), "memory_parts_bytes": MEMORY_PARTS}
        return cls(**{f.name: np.empty((len(rows[f.name]), size) if f.name in rows else size) for f in fields(cls)})

    def take(self, rows: slice) -> TrainingTable:
        """A view of these rows."""
        return TrainingTable(**{f.name: getattr(self, f.name)[..., rows] for f in fields(self)})


@dataclass(frozen=True)
class Evaluated:
    """A table and what a single estimate shows beyond it."""

    table: TrainingTable
    memory: StageMemory
    stage_s: Array
    """Of one micro-batch on every stage, (S, C)."""
    slowest: IntArray
    """The stage whose micro-batches set the time, (C,)."""
    num_micro_batches: IntArray


def estimate_table(setting: Setting, layouts: LayoutTable, splits: Sequence[tuple[int, ...]] = ()) -> TrainingTable:
    """Time and memory of every layout. Layouts must divide (see `search.rules`); nothing is checked here.

    `splits` has one of each layout, empty for the software's own rule; none at all is the own rule for all.
    """
    if not splits:
        return _estimated(setting, layouts)
    whole = TrainingTable.empty(len(layouts))
    for split in dict.fromkeys(splits):
        rows = np.array([row for row, own in enumerate(splits) if own == split], dtype=np.int64)
        alike = _estimated(setting, layouts.take(rows), split)
        for column in fields(TrainingTable):
            getattr(whole, column.name)[..., rows] = getattr(alike, column.name)
    return whole


def estimate_rows(setting: Setting, layouts: Sequence[Layout]) -> TrainingTable:
    """Time and memory of layouts that may have splits, as columns."""
    table = LayoutTable.from_layouts([layout.without_split() for layout in layouts])
    return estimate_table(setting, table, [layout.split for layout in layouts])


def _estimated(setting: Setting, layouts: LayoutTable, split: tuple[int, ...] = ()) -> TrainingTable:
    """Time and memory of layouts whose layers all lie as the split says, or by the software's own rule."""
    size = len(layouts)
    whole = TrainingTable.empty(size)
    shared = _Shared(setting, layouts, split, merge_stages=True)
    for start in range(0, size, ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        _evaluate(shared, layouts.take(rows), rows, whole.take(rows))
    return whole


def evaluate_one(setting: Setting, layout: Layout) -> Evaluated:
    """The same of one layout, with every stage on its own. Raises InfeasibleError if its split does not fit it."""
    layouts, table = LayoutTable.from_layouts([layout.without_split()]), TrainingTable.empty(1)
    shared = _Shared(setting, layouts, layout.split, merge_stages=False)
    rounds, memory = _evaluate(shared, layouts, slice(None), table)
    return Evaluated(table, memory, rounds.stage_s, rounds.slowest, rounds.num_micro_batches)


def slowest_stage_s(setting: Setting, layouts: LayoutTable) -> tuple[Array, Array]:
    """Forward and backward pass of one micro-batch on the slowest stage of every layout, in seconds, (C,) each."""
    shared = _Shared(setting, layouts, merge_stages=True)
    stages = shared.stages.of(layouts)
    rounds = Rounds(setting, layouts, stages, shared.costs, shared.stage_costs, shared.cut)
    return rounds.forward_s, rounds.backward_s


class _Shared:
    """What the layouts of a table have in common: cuts, stages and shardings, and which of them each layout has."""

    def __init__(
        self, setting: Setting, layouts: LayoutTable, split: tuple[int, ...] = (), *, merge_stages: bool
    ) -> None:
        x = layouts
        cuts = cuts_of(x)
        shardings = distinct(sharding_columns(x))
        self.setting, self.cut, self.sharding = setting, cuts.index, shardings.index
        self.costs = setting.costs_of(x.take(cuts.first), predicts_apart(setting.model, split))
        self.stages = stage_table(setting, x, merged=merge_stages, split=split)
        self.stage_costs = self.stages.costs(self.costs)
        own = x.take(shardings.first)
        self.shardings = Shardings(
            setting, own, self.stages.of(own), self.costs, self.stage_costs, self.cut[shardings.first]
        )


def _evaluate(shared: _Shared, layouts: LayoutTable, rows: slice, out: TrainingTable) -> tuple[Rounds, StageMemory]:
    """Writes time and memory of the layouts, which are these rows of the whole table, into `out`."""
    x, setting, shardings = layouts, shared.setting, shared.shardings
    cut, sharding = shared.cut[rows], shared.sharding[rows]
    found = distinct([cut, x.pp, x.vpp, x.schedule, x.dp, x.order])
    own, at = x.take(found.first), found.index
    rounds = Rounds(setting, own, shared.stages.of(own), shared.costs, shared.stage_costs, cut[found.first])

    for row, part in enumerate(TIME_PARTS):
        if part in rounds.parts_s:
            np.take(rounds.parts_s[part], at, out=out.parts_s[row], mode="clip")  # checked modes copy first
    out.parts_s[TIME_PARTS.index("optimizer")] = shardings.optimizer_s[sharding]
    np.take(rounds.hidden_s, at, axis=1, out=out.hidden_s[:-1], mode="clip")
    out.parts_s[TIME_PARTS.index("dp_comm")], out.hidden_s[-1] = exposed_s(
        x, rounds.num_micro_batches[at], shardings.sent.take(sharding),
        rounds.forward_s[at], rounds.backward_s[at], setting.stack,
    )  # fmt: skip
    np.sum(out.parts_s, axis=0, out=out.step_s)

    memory = StageMemory(setting, shardings.lasting, sharding, rounds.passing, at)
    fullest = np.argmax(memory.total, axis=0)
    out.memory_parts_bytes[:] = memory.parts(fullest)
    out.memory_peak_bytes[:] = memory.total[fullest, np.arange(len(x))]
    np.take(rounds.recompute_flops_per_token, at, out=out.recompute_flops_per_token, mode="clip")
    return rounds, memory


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
