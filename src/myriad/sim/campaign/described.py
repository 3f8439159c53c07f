"""One training job on one cluster, and what became of it: what a simulated campaign takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from myriad.spec.recovery import CheckpointPlace

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

EVENT_KINDS: Final = (
    "failure", "detected", "restart", "running", "waiting", "shrunk", "grown", "slow", "recovered", "repaired",
    "maintenance", "finished",
)  # fmt: skip
"""What the codes of `CampaignRun.event_kind` mean."""


@dataclass(frozen=True)
class Level:
    """Checkpoints in one place, all times known."""

    to: CheckpointPlace
    interval_s: float
    blocking_s: float
    write_s: float
    read_s: float


@dataclass(frozen=True)
class Windows:
    """Times at which a cluster is slower or smaller by plan: sorted, not overlapping."""

    start_s: FloatArray
    end_s: FloatArray
    speed: FloatArray
    """Of the job; 1 where only nodes are missing."""
    nodes_out: IntArray
    """The first so many nodes of the pool are out."""


@dataclass(frozen=True)
class Campaign:
    """A gang of nodes that has so much work to do. The pool's other nodes are its spares."""

    nodes: int
    """That the job needs, of the `num_nodes` of its `Breakable`."""
    work_s: float
    """Productive time at full speed until it is finished; infinite where the horizon ends it."""
    horizon_s: float
    """No run is followed further."""
    step_s: float
    """Of one training step: what is lost at least when one is broken off."""
    levels: tuple[Level, ...]
    mode: Literal["restart", "elastic", "replica"]
    restart_s: float
    """Without reading a checkpoint."""
    swap_s: float
    replica_nodes: int
    """Nodes of one data-parallel replica: the unit by which elastic and replica jobs shrink."""
    replica_stall_s: float
    heal_s: float
    """Mode `replica`: until a replica that has its nodes back has copied the state and counts again."""
    repair_crews: int | None
    """Repairs at a time, first come first served; `None`: no limit."""
    windows: Windows | None = None


@dataclass(frozen=True)
class CampaignRun:
    """What became of one campaign."""

    ledger_s: FloatArray
    """By `spec.ledger.CATEGORIES`; sums to `wall_s`."""
    wall_s: float
    """Until it was finished, or the horizon."""
    finished: bool
    interruptions: IntArray
    """By cause: events that stopped, slowed or corrupted this job."""
    cost_s: FloatArray
    """By cause: wall time that its events took from the job, all categories but checkpoint and maintenance."""
    event_s: FloatArray
    event_kind: IntArray
    """Index into `EVENT_KINDS`."""
    event_cause: IntArray
    """Index into the causes, or -1."""
    event_node: IntArray
    """Or -1."""
    event_lost_s: FloatArray
    """Work lost at the event, else 0."""
