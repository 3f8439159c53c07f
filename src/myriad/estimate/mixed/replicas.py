"""Data parallelism across pools of unequal speed: who trains how much of the batch, and what the long link costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from myriad.estimate.collectives import all_reduce_s
from myriad.estimate.data_parallel import slowest_of
from myriad.estimate.layers import COMPUTE_PARTS
from myriad.estimate.operations import Array
from myriad.estimate.setting import Setting
from myriad.estimate.table import estimate_table, slowest_stage_s
from myriad.estimate.tiers import place
from myriad.spec.calibration import Stack
from myriad.spec.cluster import Link
from myriad.spec.layout import IntArray, LayoutTable
from myriad.spec.result import TIME_PARTS


@dataclass(frozen=True)
class Pace:
    """The step of one pool in one layout: fixed_s + each_s * m, for m micro-batches of every replica."""

    sequences: int
    """Of one micro-batch of all replicas together."""
    fixed_s: float
    """Once per step, whatever the batch: ramp, gradients, optimizer, overhead."""
    each_s: float
    """Per micro-batch."""
    multiple: int = 1
    """m comes in multiples of this."""
    least: int = 1
    """The fewest micro-batches."""

    def choices(self, batch: int) -> IntArray:
        """All m that a batch has room for."""
        first = -(-self.least // self.multiple) * self.multiple
        return np.arange(first, batch // self.sequences + 1, self.multiple, dtype=np.int64)

    def step_s(self, micro_batches: IntArray) -> Array:
        return np.asarray(self.fixed_s + self.each_s * micro_batches, dtype=np.float64)


@dataclass(frozen=True)
class StepLines:
    """Steps of one pool as straight lines in the micro-batches of a replica, columns (C,) over layouts."""

    sequences: IntArray
    """Of one micro-batch of all replicas together."""
    fixed_s: Array
    each_s: Array
    compute_each_s: Array
    """Of that, compute."""
    window_s: Array
    """Of the backward pass of the last micro-batch, what traffic inside the pool leaves free."""

    @classmethod
    def concat(cls, lines: Sequence[StepLines]) -> StepLines:
        return cls(**{f.name: np.concatenate([getattr(one, f.name) for one in lines]) for f in fields(cls)})

    def at_s(self, sequences: float, multiple: IntArray) -> Array:
        """Step time for about so many sequences in whole rounds of `multiple` micro-batches, (C,).

        One round more, or one less and the time stretched to what is left undone: the better of the two.
        """
        rounds = sequences / (self.sequences * multiple)
        more, less = np.ceil(rounds) * multiple, np.maximum(np.floor(rounds), 1) * multiple
        fewer_s = (self.fixed_s + self.each_s * less) * np.maximum(sequences / (self.sequences * less), 1.0)
        return np.asarray(np.minimum(self.fixed_s + self.each_s * more, fewer_s))


def step_lines(setting: Setting, layouts: LayoutTable) -> StepLines:
    """The step time of every layout against its number of micro-batches, from two batches: it is straight.

    The layouts must divide the setting's batch.
    """
    batch = setting.work.global_batch
    twice = replace(setting, work=setting.work.model_copy(update={"global_batch": 2 * batch}))
    once_table, twice_table = estimate_table(setting, layouts), estimate_table(twice, layouts)
    sequences = layouts.dp * layouts.micro_batch
    micro_batches = batch // sequences
    compute = [TIME_PARTS.index(part) for part in COMPUTE_PARTS]
    hidden = once_table.hidden_s[-1]
    _, backward_s = slowest_stage_s(setting, layouts)
    return StepLines(
        sequences=sequences,
        fixed_s=np.maximum(2 * once_table.step_s - twice_table.step_s, 0.0),
        each_s=(twice_table.step_s - once_table.step_s) / micro_batches,
        compute_each_s=once_table.parts_s[compute].sum(axis=0) / micro_batches,
        window_s=np.maximum(backward_s - np.where(layouts.zero >= 2, hidden / micro_batches, hidden), 0.0),
    )


@dataclass(frozen=True)
class Division:
    """Micro-batches of each pool, and the step of the slowest."""

    micro_batches: tuple[int, ...]
    step_s: float


def divide_batch(batch: int, paces: Sequence[Pace]) -> Division | None:
    """The division of a batch over pools that finishes first: least maximum over the pools of their steps.

    Exact: every pool takes at least one of its choices and the shares sum to the batch. `None` if no division does.
    Two pools take one pass over the choices of both; each further pool a pass over (choices x batch).
    """
    if any(not len(pace.choices(batch)) for pace in paces):
        return None
    first, *middle, last = paces
    worst = np.full(batch + 1, math.inf)
    worst[first.sequences * first.choices(batch)] = first.step_s(first.choices(batch))
    chosen = np.zeros((len(middle), batch + 1), dtype=np.int64)
    for place_of, pace in zip(chosen, middle, strict=True):
        reached = np.full(batch + 1, math.inf)
        for m in pace.choices(batch):
            taken = int(m) * pace.sequences
            steps = np.maximum(worst[: batch + 1 - taken], pace.step_s(m))
            better = steps < reached[taken:]
            reached[taken:][better] = steps[better]
            place_of[taken:][better] = m
        worst = reached
    choices = last.choices(batch)
    left = batch - last.sequences * choices
    steps = np.maximum(worst[left], last.step_s(choices))
    best = int(np.argmin(steps))
    if not math.isfinite(steps[best]):
        return None
    micro_batches, rest = [int(choices[best])], int(left[best])
    for place_of, pace in zip(reversed(chosen), reversed(middle), strict=True):
        micro_batches.append(int(place_of[rest]))
        rest -= micro_batches[-1] * pace.sequences
    micro_batches.append(rest // first.sequences)
    return Division(tuple(reversed(micro_batches)), float(steps[best]))


def division_bound_s(batch: int, paces: Sequence[Pace]) -> float:
    """A step that no division of the batch can be below: all pools ending at once, were sequences divisible.

    Each pool has no more than (T - fixed_s) * sequences / each_s of the batch at time T; together they have it all.
    """
    rates = [pace.sequences / pace.each_s for pace in paces]
    behind = sum(pace.fixed_s * rate for pace, rate in zip(paces, rates, strict=True))
    return (batch + behind) / sum(rates)


def cross_reduce_s(gradient_bytes: float, num_pools: int, carriers: int, link: Link) -> float:
    """Time to sum the gradients of all pools over the long links, in seconds.

    Within every pool they are reduced already. `carriers` accelerators of each send their part of the
    `gradient_bytes` at once, whatever their layouts: what one pool shards differently goes to more than one of the
    other's. Pools form a chain; each link carries 2 (n-1)/n of the bytes each way, and the first bytes take
    2 (n-1) flights.
    """
    hops = (num_pools - 1) / math.log2(num_pools)
    chain = link.model_copy(update={"latency_s": link.latency_s * hops})
    return float(all_reduce_s(gradient_bytes / carriers, place(float(num_pools), 1.0, (chain,))))


def cross_exposed_s(cross_s: float, window_s: Array, zero: IntArray, stack: Stack) -> tuple[Array, Array]:
    """Exposed and hidden time of the traffic between pools, in seconds, (C,) each.

    Once per step, behind the backward pass of the last micro-batch, as far as the software overlaps it and
    traffic inside the pool has left room there (`window_s`); hidden, it slows compute by the stack's contention.
    """
    overlap = np.where(zero == 3, stack.fsdp_overlap, stack.dp_overlap)
    hidden = np.minimum(overlap * cross_s, window_s)
    return stack.stretch_of("dp") * (cross_s - (1.0 - stack.contention) * hidden), hidden


def wait_of_all_s(compute_s: float, own_ranks: int, all_ranks: int) -> float:
    """What a pool waits longer for the slowest of equal chips when the ranks of all pools meet, in seconds."""
    own, everyone = slowest_of(np.array([own_ranks, all_ranks]))
    return float(compute_s * (everyone - own))
