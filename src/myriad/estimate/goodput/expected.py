"""Expected effective training time of one job, and where the rest of its time goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from myriad.estimate.goodput.interruptions import Interruption, survives
from myriad.estimate.goodput.lost import CheckpointTimes, blocked_fraction, blocked_s, lost_s
from myriad.estimate.goodput.spares import Repairs, waiting_fraction
from myriad.estimate.operations import Array

PARTS: Final = (
    "productive", "checkpoint", "lost_work", "detection", "diagnosis", "restart", "waiting", "degraded",
)  # fmt: skip
"""Where the time of a job goes: the categories of a simulated campaign, but for maintenance."""

MOST_SPARES: Final = 10
"""Times the nodes of a job: more are not sought."""


@dataclass(frozen=True)
class Gang:
    """A job as its failures see it."""

    nodes: float
    """That it needs."""
    spare_nodes: int
    """That stand by beside them."""
    levels: tuple[CheckpointTimes, ...]
    restart_s: float
    """Without reading a checkpoint."""
    swap_s: float = 0.0
    """Until a spare stands in for a machine taken out."""
    mode: Literal["restart", "elastic", "replica"] = "restart"
    replica_nodes: float = 1.0
    """Of one data-parallel replica."""
    replica_stall_s: float = 0.0
    heal_s: float = 0.0
    """Until a replica that has its machines back has copied the state and counts again."""
    step_s: float = 0.0
    repair_crews: int | None = None


@dataclass(frozen=True)
class Expected:
    """Shares of wall time; arrays where intervals are."""

    parts: dict[str, Array]
    """By `PARTS`; they sum to 1."""
    mtti_s: float
    """Mean running time between events that stop the job."""

    @property
    def ettr(self) -> Array:
        """Effective training time ratio: productive over wall time."""
        return self.parts["productive"]


def expected(gang: Gang, causes: Sequence[Interruption]) -> Expected:
    """The expected effective training time ratio of a long job, and its other parts.

    Renewal: a run starts from a snapshot, is stopped after an exponential time with the summed rate r of all causes,
    found, diagnosed and restarted; what breaks in the time S that this takes begins it anew, so that it takes
    (exp(r S) - 1) / r in all. Then

        ETTR = [1/r - lost] (1 - blocked) (1 - slowed) (1 - waiting) / [1/r + stop]

    with `lost` by `lost.lost_s`, `stop` the expected time from the interruption to the next run, and `waiting` the
    share of time in which more machines are under repair than there are spares (`spares`). With one cause that stops,
    one level and spares enough this is exact (Daly 2006 for synchronous checkpoints); several causes of different
    restart or lost work, slow and corrupt ones are first order in what each costs; so is waiting. Modes `elastic` and
    `replica` are approximate: see `_elastic` and `_replica`.
    """
    stops = [cause for cause in causes if cause.stops_per_s > 0.0]
    rate = sum(cause.stops_per_s for cause in stops)
    waiting = _waiting(gang, causes)
    if rate <= 0.0:
        blocked = np.minimum(blocked_fraction(gang.levels), 1.0)
        return Expected(_parts(productive=1.0 - blocked, checkpoint=blocked), np.inf)
    run_s = 1.0 / rate
    lost = sum((cause.stops_per_s / rate * lost_work_s(gang, cause, stops) for cause in stops), start=np.asarray(0.0))
    lost = np.minimum(lost, run_s)
    productive = (run_s - lost) * np.maximum(1.0 - blocked_fraction(gang.levels), 0.0)
    checkpoint = blocked_s(gang.levels, rate)
    lost_work = np.maximum(run_s - productive - checkpoint, 0.0)
    slowed = min(1.0, sum(cause.per_s * cause.slow_s * (1.0 - cause.speed) for cause in causes))
    stopped = _stopped(gang, stops, rate)
    parts = {
        "productive": productive * (1.0 - slowed), "degraded": productive * slowed, "checkpoint": checkpoint,
        "lost_work": lost_work, **stopped,
    }  # fmt: skip
    whole = sum(parts.values(), start=np.asarray(0.0))
    shares = {name: value / whole * (1.0 - waiting) for name, value in parts.items()}
    return Expected(_parts(**shares, waiting=np.asarray(waiting)), run_s)


def _parts(**shares: Array) -> dict[str, Array]:
    shape = np.broadcast_shapes(*(np.shape(value) for value in shares.values()))
    return {name: np.broadcast_to(np.asarray(shares.get(name, 0.0), dtype=float), shape) for name in PARTS}


def lost_work_s(gang: Gang, cause: Interruption, stops: Sequence[Interruption]) -> Array:
    """Lost by one cause. Only those that need the same or a safer place start the clock of its checkpoints anew."""
    left = _left(gang, cause)
    places = {level.to for level in left}
    resets = sum(one.stops_per_s for one in stops if places.issuperset(level.to for level in _left(gang, one)))
    unseen = cause.detection_s if cause.effect == "corrupt" else 0.0
    return lost_s(left, resets) + unseen


def _left(gang: Gang, cause: Interruption) -> tuple[CheckpointTimes, ...]:
    return tuple(level for level in gang.levels if survives(level.to, cause.nodes))


def restart_s(gang: Gang, cause: Interruption) -> float:
    """From knowing what to take out to the first step, in seconds: swap, restart, reading the fastest copy left."""
    left = _left(gang, cause)
    read_s = min((level.read_s for level in left), default=0.0)
    return gang.restart_s + read_s + (gang.swap_s * cause.repaired if cause.nodes else 0.0)


def _stopped(gang: Gang, stops: Sequence[Interruption], rate: float) -> dict[str, Array]:
    """Detection, diagnosis and restart from one run to the next; what breaks meanwhile begins all of it anew.

    Of three phases of fixed lengths in a row, each lasts (1 - exp(-r length)) / r as far as it is reached.
    """
    share = np.array([cause.stops_per_s / rate for cause in stops])
    lengths = np.array([stop_phases_s(gang, cause) for cause in stops])
    ends = np.cumsum(lengths, axis=1)
    attempts = 1.0 / float((share * np.exp(-rate * ends[:, -1])).sum())
    lasted = np.exp(-rate * (ends - lengths)) * -np.expm1(-rate * lengths) / rate
    means = attempts * (share[:, None] * lasted).sum(axis=0)
    return {name: np.asarray(value) for name, value in zip(("detection", "diagnosis", "restart"), means, strict=True)}


def stop_phases_s(gang: Gang, cause: Interruption) -> tuple[float, float, float]:
    """For how long a cause keeps a job from training, in seconds: detection, diagnosis and restart.

    Jobs that are slow or spoiled train on until that is found.
    """
    detection_s = cause.detection_s if cause.effect == "stop" else 0.0
    diagnosis_s = cause.diagnosis_s if cause.effect != "slow" else 0.0
    return detection_s, diagnosis_s, restart_s(gang, cause)


def _repairs(gang: Gang, causes: Sequence[Interruption]) -> tuple[float, list[Repairs]]:
    """Machines of the pool, and the repairs that they need: spares break too."""
    pool_nodes = gang.nodes + gang.spare_nodes
    scale = pool_nodes / gang.nodes
    return pool_nodes, [
        Repairs(cause.stops_per_s * cause.repaired * scale, cause.repair_s, cause.nodes)
        for cause in causes
        if cause.nodes and cause.repaired and cause.repair_s and cause.stops_per_s
    ]


def _waiting(gang: Gang, causes: Sequence[Interruption]) -> float:
    pool_nodes, repairs = _repairs(gang, causes)
    return waiting_fraction(pool_nodes, gang.spare_nodes, repairs, gang.repair_crews)


def spares_for(gang: Gang, causes: Sequence[Interruption], waiting: float) -> int | None:
    """The least spare nodes with which the job waits for no more than a share of the time; `None` without repairs."""
    if not _repairs(gang, causes)[1]:
        return None
    low, high = -1, 1
    while _waiting(replace(gang, spare_nodes=high), causes) > waiting:
        low, high = high, 2 * high
        if high > MOST_SPARES * gang.nodes:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _waiting(replace(gang, spare_nodes=middle), causes) <= waiting else (middle, high)
    return high
