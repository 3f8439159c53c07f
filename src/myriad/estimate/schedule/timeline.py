"""When every operation of a schedule starts and ends, given its order and the times of its chunks.

A device runs its list in order. An operation starts as soon as the device is free and its input is there:

    forward of chunk k           the forward of chunk k - 1, and the transfer where that is on another device
    backward of chunk k          the backward of chunk k + 1, likewise; of the last chunk its own forward
    gradient of weights          the backward of the same chunk

The result is the earliest that this order allows, and never shorter if any time grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError
from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT, BoolArray, IntArray, Order

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChunkTimes:
    """What one micro-batch takes in each chunk of the model, in seconds, arrays (K,)."""

    forward_s: Array
    input_grad_s: Array
    """The backward pass without the gradients of weights; with recomputation, where there is any."""
    weight_grad_s: Array

    @property
    def backward_s(self) -> Array:
        return np.asarray(self.input_grad_s + self.weight_grad_s)


@dataclass(frozen=True)
class Transfers:
    """What goes from chunk to chunk."""

    boundary_s: Array
    """Time on the way from each chunk to the next, and back, (K - 1,)."""
    holds_fraction: float = 0.0
    """Share of that time for which the sending device can do nothing else."""


@dataclass(frozen=True)
class Timeline:
    """A step from its first forward to its last backward: columns of operations, by device and in its order."""

    order: Order
    device: IntArray
    kind: IntArray
    chunk: IntArray
    micro_batch: IntArray
    start_s: Array
    end_s: Array
    with_next: BoolArray
    """Runs together with the next row: same start, same end."""
    busy_s: Array
    """Seconds of operations of each device, (P,)."""
    held_s: Array
    """Seconds for which sending holds each device."""
    boundary_s: Array
    """Transfer time from each chunk to the next; nothing where both are on one device."""

    @cached_property
    def makespan_s(self) -> float:
        """From the first operation to the end of the last."""
        return float(self.end_s.max())

    @property
    def idle_s(self) -> Array:
        """Seconds for which each device neither computes nor is held by sending: its bubble."""
        return np.asarray(self.makespan_s - self.busy_s - self.held_s)

    @property
    def bubble_fraction(self) -> float:
        """Idle over ideal time, of the busiest device, as Narayanan et al. (arXiv 2104.04473) define it."""
        busiest = int(np.argmax(self.busy_s))
        return float((self.makespan_s - self.busy_s[busiest]) / self.busy_s[busiest])

    @property
    def bubble_rate(self) -> float:
        """Idle over whole time, of the busiest device, as Qi et al. (arXiv 2401.10241) define it."""
        return float(1.0 - self.busy_s.max() / self.makespan_s)

    def transfers(self) -> tuple[IntArray, IntArray, Array, Array]:
        """Every transfer: row of the operation that sends, device that receives, start and end in seconds."""
        step = np.where(self.kind == FORWARD, 1, -1)
        to_chunk = self.chunk + step
        inside = (self.kind != WEIGHT) & (to_chunk >= 0) & (to_chunk < self.order.num_chunks)
        places = self.order.places[self.order.direction[self.micro_batch], np.where(inside, to_chunk, self.chunk)]
        rows = np.flatnonzero(inside & (places != self.device))
        boundary = np.minimum(self.chunk, to_chunk)[rows]
        start = self.end_s[rows]
        return rows, places[rows], start, np.asarray(start + self.boundary_s[boundary])


def timeline(order: Order, times: ChunkTimes, transfers: Transfers | None = None) -> Timeline:
    """The earliest times of all operations of an order.

    About a microsecond an operation. Raises InfeasibleError if the order cannot finish.
    Left out: links have room for every message at once.
    """
    boundary_s = np.zeros(order.num_chunks - 1) if transfers is None else transfers.boundary_s
    holds = 0.0 if transfers is None else transfers.holds_fraction
    rows = [_device_rows(order, device, times, boundary_s, holds) for device in range(order.num_devices)]
    starts, ends = _run(order, rows)
    column = {name: np.concatenate([getattr(d, name) for d in order.devices]) for name in ("kind", "chunk")}
    return Timeline(
        order=order,
        device=np.repeat(np.arange(order.num_devices), [len(d.kind) for d in order.devices]),
        kind=column["kind"],
        chunk=column["chunk"],
        micro_batch=np.concatenate([d.micro_batch for d in order.devices]),
        start_s=starts,
        end_s=ends,
        with_next=np.concatenate([d.with_next for d in order.devices]),
        busy_s=np.array([r.takes_s.sum() for r in rows]),
        held_s=np.array([r.holds_s.sum() for r in rows]),
        boundary_s=boundary_s,
    )


@dataclass(frozen=True)
class _Rows:
    """One device's operations with all that decides when they run."""

    code: IntArray
    needs: IntArray
    """Code of the operation whose end it waits for; -1 for none."""
    after_s: Array
    """Transfer from there."""
    takes_s: Array
    holds_s: Array
    """For which sending holds the device afterwards."""
    with_next: BoolArray


def _device_rows(order: Order, device: int, times: ChunkTimes, boundary_s: Array, holds: float) -> _Rows:
    one = order.devices[device]
    kind, chunk = one.kind, one.chunk
    chunks, batches = order.num_chunks, order.num_micro_batches
    code = order.codes(device)
    direction = order.direction[one.micro_batch]

    def over_s(other: IntArray) -> Array:
        """Seconds between a chunk and its neighbour; none on the same device or past the ends."""
        inside = (other >= 0) & (other < chunks)
        near = np.where(inside, other, chunk)
        elsewhere = inside & (order.places[direction, near] != device)
        padded = np.append(boundary_s, 0.0)
        return np.where(elsewhere, padded[np.minimum(chunk, near)], 0.0)

    is_forward, is_backward = kind == FORWARD, kind == BACKWARD
    needs = np.where(is_forward, np.where(chunk > 0, code - batches, -1), code - chunks * batches)
    needs = np.where(is_backward & (chunk < chunks - 1), code + batches, needs)
    backward_s = times.input_grad_s if order.splits_backward else times.backward_s
    takes = np.stack((times.forward_s, backward_s, times.weight_grad_s))[kind, chunk]
    before, after = over_s(chunk - 1), over_s(chunk + 1)
    return _Rows(
        code=code,
        needs=needs,
        after_s=np.where(is_forward, before, np.where(is_backward, after, 0.0)),
        takes_s=takes,
        holds_s=holds * np.where(is_forward, after, np.where(is_backward, before, 0.0)),
        with_next=one.with_next,
    )


def _run(order: Order, rows: list[_Rows]) -> tuple[Array, Array]:
    """Start and end of all operations, device after device.

    Operations that run together are one slot. Goes over the devices down and up again, each as far as its inputs
    allow: plain lists and one look at every slot, since what may run depends on what has run.
    """
    slots, number = [], 0
    slot_of = np.empty(sum(len(one.code) for one in rows), dtype=np.int64)
    for one in rows:
        slot = number + np.cumsum(np.concatenate(([True], ~one.with_next[:-1]))) - 1
        slot_of[one.code] = slot
        slots.append(slot)
        number = int(slot[-1]) + 1
    devices = [_slots(one, slot, slot_of) for one, slot in zip(rows, slots, strict=True)]
    starts, ends = [0.0] * number, [-1.0] * number  # an end below 0 has not come yet
    at, free = [0] * len(rows), [0.0] * len(rows)
    sweep = [(device, int(slot[0])) for device, slot in enumerate(slots)]
    left = number
    while left:
        before = left
        for device, first in sweep:
            needs, after, also_needs, after_also, takes, holds = devices[device]
            row = at[device]
            now = free[device]
            while row < len(takes):
                need = needs[row]
                if need >= 0:
                    end = ends[need]
                    if end < 0.0:
                        break
                    end += after[row]
                    start = end if end > now else now
                else:
                    start = now
                need = also_needs[row]
                if need >= 0:
                    end = ends[need]
                    if end < 0.0:
                        break
                    end += after_also[row]
                    if end > start:
                        start = end
                starts[first + row] = start
                now = start + takes[row]
                ends[first + row] = now
                now += holds[row]
                row += 1
            left -= row - at[device]
            at[device], free[device] = row, now
        if left == before:
            raise InfeasibleError(_stuck(order, rows, slots, ends))
        sweep.reverse()
    every = np.concatenate(slots)
    return np.array(starts)[every], np.array(ends)[every]


def _slots(one: _Rows, slot: IntArray, slot_of: IntArray) -> tuple[list[Any], ...]:
    """What decides when the slots of a device run, one list each.

    The slot that it waits for (-1: none) and the transfer from there; a second one with its transfer; how long it
    takes; how long its sending holds the device.
    """
    number = slot - slot[0]
    size = int(number[-1]) + 1
    needs = np.where(one.needs < 0, -1, slot_of[one.needs])
    outside = np.flatnonzero((needs >= 0) & (needs != slot))
    is_second = np.concatenate(([False], number[outside][1:] == number[outside][:-1]))
    columns: list[list[Any]] = []
    for rows in (outside[~is_second], outside[is_second]):
        waits_for, after_s = np.full(size, -1), np.zeros(size)
        waits_for[number[rows]], after_s[number[rows]] = needs[rows], one.after_s[rows]
        columns += [waits_for.tolist(), after_s.tolist()]
    sums = (np.bincount(number, weights=values, minlength=size) for values in (one.takes_s, one.holds_s))
    return (*columns, *(values.tolist() for values in sums))


def _stuck(order: Order, rows: list[_Rows], slots: list[IntArray], ends: list[float]) -> str:
    """Why no device can go on: the first that waits, and for what."""
    slot_of = np.concatenate(slots)[np.argsort(np.concatenate([one.code for one in rows]))]
    over = np.array(ends) >= 0.0
    for device, (one, slot) in enumerate(zip(rows, slots, strict=True)):
        first = slot == slot[~over[slot]][:1]
        for code, need in zip(one.code[first].tolist(), one.needs[first].tolist(), strict=True):
            if need >= 0 and not over[slot_of[need]] and slot_of[need] != slot_of[code]:
                return (
                    f"schedule {order.schedule}: no device can go on; device {device} waits with "
                    f"{order.name_of(code)} for {order.name_of(need)}"
                )
    raise AssertionError("every operation has run, or could")
