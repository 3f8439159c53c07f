"""Expected effective training time of one job, and where the rest of its time goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from myriad.estimate.goodput.interruptions import Interruption, parted, survives
from myriad.estimate.goodput.lost import CheckpointTimes, blocked_fraction, blocked_s, lost_s
from myriad.estimate.goodput.spares import Repairs, missing_nodes, waiting_fraction
from myriad.estimate.operations import Array

PARTS: Final = (
    "productive", "checkpoint", "lost_work", "detection", "diagnosis", "restart", "waiting", "degraded",
)  # fmt: skip
"""Where the time of a job goes: the categories of a simulated campaign, but for maintenance."""
MOST_SPARES: Final = 10
"""Times the nodes of a job: more are not sought."""

NEVER: Final = 1e-200
"""A chance, or a rate per second, so small that nothing is divided by less."""


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
    replica_nodes: int = 1
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
    """Mean running time between events that interrupt the job."""

    @property
    def ettr(self) -> Array:
        """Effective training time ratio: productive over wall time."""
        return self.parts["productive"]


@dataclass(frozen=True)
class Event:
    """What one event of a cause takes from a job; means, in seconds."""

    per_s: float
    detection_s: float
    diagnosis_s: float
    restart_s: float
    """Swapping, restarting and reading; the stalls of the others where one replica leaves and joins."""
    lost_s: Array
    saving_s: Array
    """A last checkpoint before a stop that can be planned."""

    @property
    def down_s(self) -> float:
        """From the event to the first step after it."""
        return self.detection_s + self.diagnosis_s + self.restart_s


def expected(gang: Gang, causes: Sequence[Interruption]) -> Expected:
    """The expected effective training time ratio of a long job, and its other parts.

    Renewal: a run starts from a snapshot, is stopped after an exponential time with the summed rate r of all causes,
    found, diagnosed and restarted; what breaks in the time S that this takes begins it anew, so that it takes
    (exp(r S) - 1) / r in all. Then

        ETTR = [1/r - lost] (1 - blocked) (1 - slowed) (1 - waiting) / [1/r + stop]

    with `lost` by `lost.lost_s`, `stop` the expected time from the interruption to the next run, and `waiting` the
    share of time in which more machines are under repair than there are spares (`spares`). With one cause that stops,
    one level and spares enough this is exact (Daly 2006 for synchronous checkpoints). First order are: causes of unlike
    restarts and losses, slow and corrupt ones, waiting. Approximate are the modes `elastic`, which runs on without the
    machines that it lacks in place of waiting, its growing taken as free (it happens at restarts), and `replica`, of
    which an event stalls the others twice and holds one replica out until it has healed.
    """
    parts_of = parted(causes)
    alone = [cause for cause in parts_of if _one_replica(gang, cause)]
    stopping = [cause for cause in parts_of if not _one_replica(gang, cause)]
    events = [_stop(gang, cause, stopping) for cause in stopping if cause.stops_per_s > 0.0]
    run = _run(gang, events)
    slowed = sum(cause.per_s * cause.slow_s * (1.0 - cause.speed) for cause in parts_of)
    leaving = [(cause, leave(gang, cause)) for cause in alone if cause.stops_per_s > 0.0]
    for cause, event in leaving:
        slowed += event.per_s * out_s(gang, cause) * _replicas_hit(gang, cause) * gang.replica_nodes / gang.nodes
    waiting, lacking = _without_nodes(gang, parts_of)
    slowed = min(1.0, slowed + lacking)
    stalled = min(1.0, sum(event.per_s * event.restart_s for _, event in leaving))
    again = min(1.0, sum(event.per_s * float(event.lost_s) for _, event in leaving))
    trained = run["productive"]
    run["degraded"] = trained * slowed
    run["restart"] = run["restart"] + trained * (1.0 - slowed) * stalled
    run["lost_work"] = run["lost_work"] + trained * (1.0 - slowed) * (1.0 - stalled) * again
    run["productive"] = trained * (1.0 - slowed) * (1.0 - stalled) * (1.0 - again)
    whole = sum(run.values(), start=np.asarray(0.0))
    shares = {name: value / whole * (1.0 - waiting) for name, value in run.items()}
    shares["waiting"] = np.asarray(waiting)
    shape = np.broadcast_shapes(*(np.shape(value) for value in shares.values()))
    rate = sum(cause.stops_per_s for cause in parts_of)
    mtti_s = 1.0 / rate if rate > NEVER else math.inf
    return Expected({name: np.broadcast_to(shares[name], shape) for name in PARTS}, mtti_s)


def _run(gang: Gang, events: Sequence[Event]) -> dict[str, Array]:
    """One cycle, from the start of a run to that of the next, in seconds by part; shares where nothing stops it."""
    blocked = np.minimum(blocked_fraction(gang.levels), 1.0)
    rate = sum(event.per_s for event in events)
    nothing = np.asarray(0.0)
    if rate <= NEVER:
        whole = {"productive": 1.0 - blocked, "checkpoint": blocked}
        return {name: whole.get(name, nothing) for name in PARTS if name != "waiting"}
    run_s = 1.0 / rate
    share = np.array([event.per_s / rate for event in events])
    lost = sum((p * event.lost_s for p, event in zip(share, events, strict=True)), start=nothing)
    saving = sum((p * event.saving_s for p, event in zip(share, events, strict=True)), start=nothing)
    productive = (run_s - np.minimum(lost, run_s)) * (1.0 - blocked)
    checkpoint = blocked_s(gang.levels, rate)
    lengths = np.array([(event.detection_s, event.diagnosis_s, event.restart_s) for event in events])
    ends = np.cumsum(lengths, axis=1)
    # Of three phases of fixed lengths in a row, each lasts (1 - exp(-r length)) / r as far as it is reached.
    attempts = 1.0 / max(float((share * np.exp(-rate * ends[:, -1])).sum()), NEVER)
    lasted = np.exp(-rate * (ends - lengths)) * -np.expm1(-rate * lengths) / rate
    stopped = attempts * (share[:, None] * lasted).sum(axis=0)
    return {
        "productive": productive,
        "checkpoint": checkpoint + saving,
        "lost_work": np.maximum(run_s - productive - checkpoint, 0.0),
        "detection": np.asarray(stopped[0]),
        "diagnosis": np.asarray(stopped[1]),
        "restart": np.asarray(stopped[2]),
        "degraded": nothing,
    }


def events_of(gang: Gang, causes: Sequence[Interruption]) -> list[tuple[Interruption, Event]]:
    """What one event of each cause takes, causes `parted`."""
    parts_of = parted(causes)
    stopping = [cause for cause in parts_of if not _one_replica(gang, cause)]
    return [
        (cause, leave(gang, cause) if _one_replica(gang, cause) else _stop(gang, cause, stopping)) for cause in parts_of
    ]


def _stop(gang: Gang, cause: Interruption, others: Sequence[Interruption]) -> Event:
    """Of a cause that stops the whole job.

    Only causes that need the same or a safer place start the clock of its checkpoints anew. A slow machine is taken
    out by plan: the work since the last checkpoint is saved first, or done again where that is sooner.
    """
    left = [level for level in gang.levels if survives(level.to, cause)]
    places = {level.to for level in left}
    resets = sum(
        one.stops_per_s
        for one in others
        if places.issuperset(level.to for level in gang.levels if survives(level.to, one))
    )
    lost = lost_s(left, resets)
    saving = np.asarray(0.0)
    if cause.effect == "slow" and left:
        write_s = np.min([np.min(level.write_s) for level in left])
        lost, saving = np.where(lost < write_s, lost, 0.0), np.where(lost < write_s, 0.0, write_s)
    if cause.effect == "corrupt":
        lost = lost + cause.detection_s
    read_s = min((level.read_s for level in left), default=0.0)
    return Event(
        per_s=cause.stops_per_s,
        detection_s=cause.detection_s if cause.effect == "stop" else 0.0,
        diagnosis_s=cause.diagnosis_s if cause.effect != "slow" else 0.0,
        restart_s=gang.restart_s + read_s + (gang.swap_s if cause.gone else 0.0),
        lost_s=lost,
        saving_s=saving,
    )


def _one_replica(gang: Gang, cause: Interruption) -> bool:
    """Whether the other replicas go on without those that a cause reaches."""
    hit = _replicas_hit(gang, cause) * gang.replica_nodes
    return gang.mode == "replica" and not cause.everybodys and cause.effect != "corrupt" and hit < gang.nodes


def _replicas_hit(gang: Gang, cause: Interruption) -> int:
    return math.ceil(max(cause.nodes, 1) / gang.replica_nodes)


def leave(gang: Gang, cause: Interruption) -> Event:
    """Of a cause after which the other replicas go on: they stall twice, and lose a step where it came unplanned."""
    lost = np.asarray(gang.step_s if cause.effect == "stop" else 0.0)
    return Event(cause.stops_per_s, 0.0, 0.0, 2.0 * gang.replica_stall_s, lost, np.asarray(0.0))


def out_s(gang: Gang, cause: Interruption) -> float:
    """For how long a replica is out, in seconds, where nodes are at hand."""
    found_s = cause.detection_s + cause.diagnosis_s if cause.effect == "stop" else 0.0
    return found_s + (gang.swap_s if cause.gone else 0.0) + gang.restart_s + gang.heal_s


def _repairs(gang: Gang, causes: Sequence[Interruption]) -> tuple[float, list[Repairs]]:
    """Machines of the pool, and the repairs that they need: spares break too."""
    pool_nodes = gang.nodes + gang.spare_nodes
    scale = pool_nodes / gang.nodes
    found = [
        Repairs(cause.stops_per_s * scale, cause.repair_s, min(cause.nodes, math.ceil(pool_nodes)))
        for cause in causes
        if cause.gone and cause.stops_per_s
    ]
    return pool_nodes, found


def _without_nodes(gang: Gang, causes: Sequence[Interruption]) -> tuple[float, float]:
    """Share of the time that waits for nodes, and share of the speed that is lacking for want of them."""
    pool_nodes, repairs = _repairs(gang, causes)
    if gang.mode == "restart":
        return waiting_fraction(pool_nodes, gang.spare_nodes, repairs, gang.repair_crews), 0.0
    missing = missing_nodes(pool_nodes, gang.spare_nodes, gang.replica_nodes, repairs, gang.repair_crews)
    return 0.0, min(1.0, missing / gang.nodes)


def spares_for(gang: Gang, causes: Sequence[Interruption], waiting: float) -> int | None:
    """The least spare nodes with which the job lacks any for no more than a share of the time.

    `None` without repairs, and where no number helps: crews that repair too little.
    """
    parts_of = parted(causes)
    if not _repairs(gang, parts_of)[1]:
        return None

    def enough(spares: int) -> bool:
        pool_nodes, repairs = _repairs(replace(gang, spare_nodes=spares), parts_of)
        return waiting_fraction(pool_nodes, spares, repairs, gang.repair_crews) <= waiting

    low, high = -1, 1
    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_SPARES * gang.nodes + 64:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
