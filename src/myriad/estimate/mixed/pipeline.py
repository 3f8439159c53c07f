"""A pipeline whose first stages lie in one pool and whose last in another, joined by a long link.

Plain 1F1B without chunks, which would cross the link once each. For layers cut at k, with stages of F + B seconds:

    step = m * T + ramp + exposed gradients + optimizer + overhead
    T    = max(slowest stage with the transfers that it waits for, one micro-batch's time on the link)
    ramp = F + B of all other stages + all transfers there and back, flights included

The stages before the link keep ceil(2 (flight + transfer) / T) micro-batches more in flight than 1F1B does, and have
memory for them: then no stage waits for the way there and back. (Every cycle of the schedule between two stages
j > i passes at most (j - i + 1) T of work and two flights, and holds so many micro-batches more than j - i + 1.)

The closed form is off by up to about two T either way against event by event runs of random unequal stages, since
stages wait while the pipeline fills, or use what the further micro-batches leave; for equal stages it is exact.

Arrays have the axes C (layouts), P (stages of both pools), K (block kinds) and N (places to cut). Left out: the
gradients of tied embeddings between the ends, and other traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.data_parallel import exposed_s, optimizer_s, slowest_of, state_bytes, traffic
from myriad.estimate.layers import COMPUTE_PARTS, INNER_PARTS, Costs, ModelCosts, cuts_of
from myriad.estimate.mixed.crossing import Crossing, transfers_of
from myriad.estimate.mixed.cuts import cut_counts, with_prediction
from myriad.estimate.operations import Array
from myriad.estimate.stage_memory import StageMemory, lasting, passing
from myriad.estimate.stages import Stages
from myriad.spec.layout import IntArray
from myriad.spec.result import TIME_PARTS

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CrossingTable:
    """Estimates of the layouts as columns (C,), those by pool (2, C)."""

    step_s: Array
    parts_s: Array
    """By `TIME_PARTS`, axis 0."""
    layers_before: IntArray
    """Layers in the first pool."""
    pass_s: Array
    """F + B of one micro-batch on the slowest stage of each pool."""
    transfer_s: Array
    """One micro-batch's activations over the link, without the flight."""
    link_wait_s: Array
    """How much shorter a step would be with pools side by side."""
    flight_s: Array
    pipelines: IntArray
    """Accelerators that send over the link at once."""
    sent_bytes: Array
    """By each of them, per micro-batch."""
    extra: IntArray
    """Further micro-batches in flight before the link."""
    memory_peak_bytes: Array
    missing_bytes: Array
    """The most that a stage lacks of its pool's memory less the headroom; negative if all fit."""


def costs_of(crossing: Crossing) -> tuple[ModelCosts, ModelCosts]:
    """Costs per layout on the accelerators of either pool."""
    cuts = cuts_of(crossing.layouts)
    distinct = crossing.layouts.take(cuts.first)
    one, other = (setting.costs_of(distinct).take(cuts.index) for setting in crossing.settings)
    return one, other


def step_bound_s(crossing: Crossing, costs: tuple[ModelCosts, ModelCosts]) -> Array:
    """The least that a step can take, in seconds, (C,): see `estimate.mixed`."""
    model, (before, after) = crossing.settings[0].model, costs
    kinds = np.array([before.kinds.index(kind) for kind in model.layer_kinds()])
    none = np.zeros((1, len(crossing.layouts)))
    first = np.vstack([none, np.cumsum(_both(before.blocks)[kinds], axis=0)]) + _both(before.first)
    rest = np.vstack([none, np.cumsum(_both(after.blocks)[kinds[::-1]], axis=0)])[::-1] + _both(after.last)
    if model.mtp_depths and model.mtp_block is not None:
        rest = rest + model.mtp_depths * _both(after.blocks)[after.kinds.index(model.mtp_block)]
    one, other = crossing.stages
    each = np.maximum(first / one, rest / other)
    steps = (crossing.num_micro_batches - 1) * each + first + rest
    return np.asarray(steps.min(axis=0))


def room_for_layers(crossing: Crossing, costs: tuple[ModelCosts, ModelCosts], headroom: float) -> Array:
    """How many layers of the smallest kind all stages together have memory for at most, (C,)."""
    layouts, stages = crossing.layouts, sum(crossing.stages)
    ahead = stages - np.arange(stages)[None, :]
    in_flight = np.minimum(ahead, crossing.num_micro_batches[:, None])
    room = np.zeros(len(layouts))
    for pool, columns in enumerate((slice(None, crossing.stages[0]), slice(crossing.stages[0], None))):
        setting, blocks = crossing.settings[pool], costs[pool].blocks
        work, stack = setting.work, setting.stack
        of_kinds = []
        for dense, expert, kept in zip(
            blocks.dense_parameters, blocks.expert_parameters, blocks.activation_bytes, strict=True
        ):
            states = np.sum(list(state_bytes(layouts, dense, expert, work.optimizer, stack).values()), axis=0)
            of_kinds.append(states[:, None] + kept[:, None] * in_flight[:, columns])
        free = setting.device.memory_bytes * (1.0 - headroom) - stack.reserved_bytes
        room += np.floor(free / np.minimum.reduce(of_kinds) + 1e-9).sum(axis=1)
    return room


def crossing_table(crossing: Crossing, costs: tuple[ModelCosts, ModelCosts], headroom: float) -> CrossingTable:
    """Time and memory of every layout with its layers cut where the slowest stage is fastest.

    All places to cut are tried; on either side stages are filled by the pools' own rule.
    """
    layouts, (one, other) = crossing.layouts, crossing.stages
    model = crossing.settings[0].model
    stacks = [s.stack for s in crossing.settings]
    rows = np.arange(len(layouts))
    cuts, counts_NKP = cut_counts(
        model.layer_kinds(), costs[0].kinds, one, other, crossing.settings[0].end_layers, stacks[0].counts_layers
    )
    counts_NKP = with_prediction(model, costs[0].kinds, counts_NKP)
    own_pool = np.arange(one + other) >= one

    def by_cut(name: str) -> Array:
        """A cost per place to cut and stage, (C, N, P)."""
        sides = [np.tensordot(getattr(c.blocks, name).T, counts_NKP, axes=([1], [1])) for c in costs]
        stages = np.where(own_pool, sides[1], sides[0])
        stages[..., 0] += getattr(costs[0].first, name)[0][:, None]
        stages[..., -1] += getattr(costs[1].last, name)[0][:, None]
        return np.asarray(stages)

    slowest_CN = (by_cut("forward_s") + by_cut("backward_s")).max(axis=-1)
    # Of cuts that are as good, the first: early stages keep the most micro-batches, and have the least room for layers.
    best = np.argmax(slowest_CN <= slowest_CN.min(axis=1, keepdims=True) * (1 + 1e-9), axis=1)
    counts_CKP = counts_NKP[best]

    def own(name: str) -> Array:
        """A cost per stage (C, P) with the layers that each layout's stages hold."""
        sides = [np.einsum("kc,ckp->cp", getattr(c.blocks, name), counts_CKP) for c in costs]
        stages = np.where(own_pool, sides[1], sides[0])
        stages[:, 0] += getattr(costs[0].first, name)[0]
        stages[:, -1] += getattr(costs[1].last, name)[0]
        return np.asarray(stages)

    forward_CP, backward_CP = own("forward_s"), own("backward_s")
    transfers = transfers_of(crossing)
    passes_CP = forward_CP + backward_CP
    waits_CP = 2 * np.where(own_pool, transfers.near_wait_s[1][:, None], transfers.near_wait_s[0][:, None])
    near_period_s = (passes_CP + waits_CP).max(axis=1)
    for stage, wait in ((one - 1, transfers.wait_s[0]), (one, transfers.wait_s[1])):
        waits_CP[:, stage] = np.maximum(waits_CP[:, stage], 2 * wait)
    slowest = np.argmax(passes_CP + waits_CP, axis=1)
    period_s = np.maximum((passes_CP + waits_CP)[rows, slowest], transfers.link_s)
    one_way_s = transfers.flight_s + transfers.link_s
    extra = np.ceil(2 * one_way_s / period_s - 1e-9).astype(np.int64)

    micro_batches = crossing.num_micro_batches.astype(float)
    inner = _at_slowest(costs, counts_CKP, slowest, one, one + other)
    compute_s = micro_batches * inner[: len(COMPUTE_PARTS)].sum(axis=0)
    near_ramp = sum((n - 1) * near for n, near in zip((one, other), transfers.near_s, strict=True))
    held = _held(crossing, own, extra)
    gradients, optimizer = _after(crossing, held, forward_CP, backward_CP)
    outer = {
        "pp_comm": micro_batches * (period_s - passes_CP[rows, slowest]) + 2 * (near_ramp + one_way_s),
        "dp_comm": gradients,
        "bubble": passes_CP.sum(axis=1) - passes_CP[rows, slowest],
        "optimizer": optimizer,
        "overhead": max(s.step_overhead_s for s in stacks)
        + compute_s * slowest_of(layouts.tp * layouts.cp * layouts.pp * layouts.dp),
    }
    parts = np.stack(
        [micro_batches * inner[INNER_PARTS.index(p)] if p in INNER_PARTS else outer[p] for p in TIME_PARTS]
    )
    memory = np.stack([_peaks(crossing, held, pool, costs[pool], own_pool == bool(pool)) for pool in (0, 1)])
    room = np.array([s.device.memory_bytes * (1.0 - headroom) for s in crossing.settings])[:, None]
    return CrossingTable(
        step_s=parts.sum(axis=0),
        parts_s=parts,
        layers_before=cuts[best],
        pass_s=np.stack([passes_CP[:, :one].max(axis=1), passes_CP[:, one:].max(axis=1)]),
        transfer_s=transfers.link_s,
        link_wait_s=micro_batches * (period_s - near_period_s) + 2 * one_way_s,
        flight_s=transfers.flight_s,
        pipelines=layouts.tp * layouts.cp * layouts.dp,
        sent_bytes=transfers.sent_bytes,
        extra=extra,
        memory_peak_bytes=memory,
        missing_bytes=(memory - room).max(axis=0),
    )


def _both(costs: Costs) -> Array:
    """Forward and backward pass together."""
    return costs.forward_s + costs.backward_s


def _at_slowest(
    costs: tuple[ModelCosts, ModelCosts], counts_CKP: Array, slowest: IntArray, before: int, stages: int
) -> Array:
    """By `INNER_PARTS`, what a micro-batch takes on the slowest stage, (parts, C)."""
    held_CK = counts_CKP[np.arange(len(slowest)), :, slowest]
    one, other = (np.einsum("pkc,ck->pc", c.blocks.parts_s, held_CK) for c in costs)
    inner = np.where(slowest < before, one, other)
    inner += costs[0].first.parts_s[:, 0] * (slowest == 0)
    inner += costs[1].last.parts_s[:, 0] * (slowest == stages - 1)
    return np.asarray(inner)


@dataclass(frozen=True)
class _Held:
    """What the stages hold, (P, C)."""

    dense_parameters: Array
    expert_parameters: Array
    activation_bytes: Array
    """Of one micro-batch."""
    in_flight: Array
    """Micro-batches held at the peak."""
    num_micro_batches: IntArray
    """Per step, (C,)."""


def _held(crossing: Crossing, own: Callable[[str], Array], extra: IntArray) -> _Held:
    layouts, (one, other) = crossing.layouts, crossing.stages
    model = crossing.settings[0].model
    dense = own("dense_parameters").T
    if model.mtp_depths:
        dense[-1] += model.vocab * model.hidden / layouts.tp  # prediction depths embed tokens where they are
    stage = np.arange(one + other)[:, None]
    window = (one + other - stage) + extra * (stage < one)
    micro_batches = crossing.num_micro_batches
    return _Held(
        dense_parameters=dense,
        expert_parameters=own("expert_parameters").T,
        activation_bytes=own("activation_bytes").T,
        in_flight=np.minimum(window, micro_batches).astype(float),
        num_micro_batches=micro_batches,
    )


def _after(crossing: Crossing, held: _Held, forward_CP: Array, backward_CP: Array) -> tuple[Array, Array]:
    """Exposed gradient traffic and optimizer step of the pool that takes longer with both, (C,) each."""
    layouts, (one, _) = crossing.layouts, crossing.stages
    columns = np.arange(len(layouts))
    found = []
    for setting, stages in zip(crossing.settings, (slice(None, one), slice(one, None)), strict=True):
        dense, expert = held.dense_parameters[stages], held.expert_parameters[stages]
        forward, backward = forward_CP.T[stages], backward_CP.T[stages]
        largest, slow = np.argmax(dense + expert, axis=0), np.argmax(forward + backward, axis=0)
        own_dense, own_expert = dense[largest, columns], expert[largest, columns]
        work, links = setting.work, setting.cluster.links
        sent = traffic(layouts, own_dense, own_expert, work.optimizer, setting.stack, links, setting.shard_copies_s)
        exposed, _ = exposed_s(
            layouts, held.num_micro_batches, sent, forward[slow, columns], backward[slow, columns], setting.stack
        )
        updated = optimizer_s(
            layouts, own_dense, own_expert, work.optimizer,
            setting.device.memory_bytes_per_s, setting.cluster.accelerator.host_link_bytes_per_s_one_way,
            setting.eager_optimizer,
        )  # fmt: skip
        found.append((exposed, updated))
    (exposed, updated), (others_exposed, others_updated) = found
    first = exposed + updated >= others_exposed + others_updated
    return np.where(first, exposed, others_exposed), np.where(first, updated, others_updated)


def _peaks(crossing: Crossing, held: _Held, pool: int, costs: ModelCosts, own: Mask) -> Array:
    """Memory of the fullest stage of one pool, in bytes, (C,)."""
    setting, layouts = crossing.settings[pool], crossing.layouts
    each = np.arange(len(layouts))
    stages = _stages(len(own), len(layouts))
    lasts = lasting(
        setting, layouts, stages, costs, each, held.dense_parameters, held.expert_parameters, np.ones(len(layouts))
    )
    passes = passing(
        setting, layouts, stages, held.activation_bytes, costs.blocks.working_bytes.max(axis=0),
        costs.last.working_bytes[0], held.in_flight, held.num_micro_batches,
    )  # fmt: skip
    peaks: Array = StageMemory(setting, lasts, each, passes, each).total[own].max(axis=0)
    return peaks


def _stages(number: int, columns: int) -> Stages:
    """So many stages of each of so many layouts, in both pools together."""
    place = np.repeat(np.arange(number)[:, None], columns, axis=1)
    return Stages(
        kind=place,
        number=place.astype(float),
        times=np.ones(place.shape),
        is_first=(place == 0).astype(float),
        is_last=(place == number - 1).astype(float),
        mirror=number - 1 - place,
    )
