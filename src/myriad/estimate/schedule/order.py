"""The order of operations on every device of a pipeline, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.errors import InfeasibleError

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FORWARD, BACKWARD, WEIGHT = range(3)
"""Kinds of operations. Where a schedule splits the backward pass, BACKWARD is the gradient of the inputs alone and
WEIGHT that of the weights; elsewhere BACKWARD is both."""
KIND_NAMES = ("forward", "backward", "weight gradient")


@dataclass(frozen=True)
class DeviceOrder:
    """What one device does, first to last: columns of equal length."""

    kind: IntArray
    chunk: IntArray
    """Position in the model, 0 first."""
    micro_batch: IntArray
    with_next: BoolArray
    """Runs together with the next operation, as one: both start when both can, and both end at once."""

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]], joined: Sequence[int] = ()) -> DeviceOrder:
        """From (kind, chunk, micro-batch), and the rows that run together with the next."""
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        with_next = np.zeros(len(table), dtype=bool)
        with_next[list(joined)] = True
        return cls(table[:, 0], table[:, 1], table[:, 2], with_next)


@dataclass(frozen=True)
class Order:
    """A schedule for given numbers of stages, chunks and micro-batches."""

    schedule: str
    num_micro_batches: int
    places: IntArray
    """Device of every chunk of the model, one row per direction in which micro-batches travel; (D, K)."""
    direction: IntArray
    """Row of `places` that each micro-batch follows."""
    splits_backward: bool
    devices: tuple[DeviceOrder, ...]

    def __post_init__(self) -> None:
        self._check_complete()

    @property
    def num_chunks(self) -> int:
        return int(self.places.shape[1])

    @property
    def num_devices(self) -> int:
        return len(self.devices)

    def codes(self, device: int) -> IntArray:
        """A number for every operation of a device: (kind, chunk, micro-batch), the last fastest."""
        one = self.devices[device]
        return (one.kind * self.num_chunks + one.chunk) * self.num_micro_batches + one.micro_batch

    def _check_complete(self) -> None:
        """Every operation of every micro-batch once, on the device that holds the chunk."""
        kinds = 3 if self.splits_backward else 2
        times = np.zeros(kinds * self.num_chunks * self.num_micro_batches, dtype=np.int64)
        for device, one in enumerate(self.devices):
            times += np.bincount(self.codes(device), minlength=len(times))
            if (self.places[self.direction[one.micro_batch], one.chunk] != device).any():
                raise InfeasibleError(f"schedule {self.schedule}: device {device} has an operation of another device")
        if (times != 1).any():
            code = int(np.flatnonzero(times != 1)[0])
            raise InfeasibleError(f"schedule {self.schedule}: {self.name_of(code)} runs {times[code]} times")

    def name_of(self, code: int) -> str:
        """An operation in words: `forward of micro-batch 3, chunk 1`."""
        rest, micro_batch = divmod(code, self.num_micro_batches)
        kind, chunk = divmod(rest, self.num_chunks)
        return f"{KIND_NAMES[kind]} of micro-batch {micro_batch}, chunk {chunk}"
