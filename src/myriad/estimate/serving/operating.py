"""Operating points: what a replica does while a given number of sequences decode, and how many requests that takes.

A steady state looks for the batch that belongs to a concurrency, round after round. Who wants all of a replica's states
goes the other way, through batches: one round gives each, and its concurrency follows from Little's law.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.load import Limits, Load, as_seen
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.turn import Room, turn_of
from myriad.spec.model import Model


@dataclass(frozen=True)
class Operating:
    """Operating points of replicas, arrays (U,)."""

    concurrency: Array
    """Requests in the replica at once."""
    requests_per_s: Array
    ttft_s: Array
    tpot_s: Array
    wait_s: Array
    """Of the time to the first token, the mean queue for prefill."""
    wait_share: Array
    deviation_s: Array
    """Standard deviation of the TPOT of one answer."""
    held: npt.NDArray[np.bool_]
    """Whether the requests have room in memory, those that wait for prefill too, and iterations room for prefill."""


def operating_points(
    model: Model, cut: Cut, machine: Machine, load: Load, limits: Limits, room: Room, batch: Array
) -> Operating:
    """The states in which `batch` sequences decode in one stage's turn on one copy, whatever the concurrency of `load`.

    concurrency = rate * (passes * mean + TTFT without request)
    """
    turn = turn_of(model, cut, machine, load, limits, room, batch, batch)
    per_copy = cut.pp * batch / (room.passes * turn.mean_s)
    together = per_copy * turn.worked_s
    seen_s, each_s = as_seen(turn.ready_s, turn.mean_s / limits.tokens_per_pass, load, limits, machine.engine)
    _, deviation_s = as_seen(turn.ready_s, turn.deviation_s / limits.tokens_per_pass, load, limits, machine.engine)
    return Operating(
        concurrency=together * cut.dp,
        requests_per_s=per_copy * cut.dp,
        ttft_s=seen_s,
        tpot_s=each_s,
        wait_s=turn.wait_s,
        wait_share=turn.wait_share,
        deviation_s=deviation_s,
        held=room.fits & (together <= room.most) & (batch <= room.full),
    )
