"""Activations that every device holds over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT
from myriad.estimate.schedule.timeline import Timeline

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class HeldOverTime:
    """What one device holds: `level` from each of the times to the next, zero after the last."""

    time_s: Array
    level: Array

    @property
    def peak(self) -> float:
        return float(self.level.max())


def held_over_time(timeline: Timeline, chunk_activation: Array) -> tuple[HeldOverTime, ...]:
    """Activations that each device holds over time, in the unit of `chunk_activation`, (K,): one micro-batch's.

    A chunk's activations count in full from the start of its forward, which allocates as it goes, to the end of its
    last backward operation: where the backward pass is split, the products for the gradients of weights still need
    the inputs of the layers. Memory that is let go at a moment is there for what starts at that moment. Left out:
    what the gradient of inputs alone could let go, such as the activation functions' inputs.
    """
    last = WEIGHT if timeline.order.splits_backward else BACKWARD
    begins, ends = timeline.kind == FORWARD, timeline.kind == last
    change = chunk_activation[timeline.chunk] * (begins.astype(float) - ends)
    when = np.where(begins, timeline.start_s, timeline.end_s)
    found = []
    for device in range(timeline.order.num_devices):
        own = (timeline.device == device) & (begins | ends)
        rows = np.flatnonzero(own)
        order = np.lexsort((begins[rows], when[rows]))  # at one moment first what ends
        times = when[rows][order]
        level = np.maximum(np.cumsum(change[rows][order]), 0.0)
        distinct = np.append(np.diff(times) > 0, True)
        found.append(HeldOverTime(times[distinct], level[distinct]))
    return tuple(found)
