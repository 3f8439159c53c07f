"""Checkpoints of a job with all their times: given, from the model's state, or sought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from myriad.estimate.goodput.best import best_intervals, with_interval
from myriad.estimate.goodput.checkpoint_cost import (
    HOST_LINK_BYTES_PER_S,
    STORAGE_BYTES_PER_S,
    CheckpointCost,
    SavingMachines,
    checkpoint_cost,
)
from myriad.estimate.goodput.expected import Gang, expected
from myriad.estimate.goodput.interruptions import Interruption
from myriad.estimate.goodput.intervals import daly_s, young_s
from myriad.estimate.goodput.lost import CheckpointTimes
from myriad.sim.campaign import Campaign, Level, Windows
from myriad.spec.campaign_result import CheckpointLine
from myriad.spec.cluster import Cluster
from myriad.spec.recovery import Recovery, Storage
from myriad.units import HOUR_S, format_si

USUAL_INTERVAL_S = HOUR_S
"""Where no interval is given and nothing is known to fail, so that none is best."""


@dataclass(frozen=True)
class Protected:
    """A job with its checkpoints."""

    gang: Gang
    lines: tuple[CheckpointLine, ...]
    assumed: tuple[str, ...]
    """What was left open, and what was taken."""

    def campaign(self, work_s: float, horizon_s: float, windows: Windows | None = None) -> Campaign:
        """So much work of the job, to be simulated."""
        gang = self.gang
        return Campaign(
            nodes=round(gang.nodes),
            work_s=work_s,
            horizon_s=horizon_s,
            step_s=gang.step_s,
            levels=tuple(
                Level(one.to, float(one.interval_s), float(one.blocking_s), float(one.write_s), one.read_s)
                for one in gang.levels
            ),
            mode=gang.mode,
            restart_s=gang.restart_s,
            swap_s=gang.swap_s,
            replica_nodes=gang.replica_nodes,
            replica_stall_s=gang.replica_stall_s,
            heal_s=gang.heal_s,
            repair_crews=gang.repair_crews,
            windows=windows,
        )


def saving_machines(
    cluster: Cluster, accelerators: int, accelerators_per_node: int, storage: Storage | None
) -> SavingMachines:
    """The machines of a job that save its state."""
    network = next((link for link in cluster.links if link.tier == "scale-out"), None)
    return SavingMachines(
        nodes=accelerators / accelerators_per_node,
        accelerators_per_node=accelerators_per_node,
        host_link_bytes_per_s=cluster.accelerator.host_link_bytes_per_s_one_way,
        scale_out_bytes_per_s=None if network is None else network.bytes_per_s_one_way,
        storage_write_bytes_per_s=STORAGE_BYTES_PER_S if storage is None else storage.write,
        storage_read_bytes_per_s=STORAGE_BYTES_PER_S if storage is None else storage.read,
    )


def protected(
    recovery: Recovery,
    state_bytes: float | None,
    machines: SavingMachines,
    gang: Gang,
    causes: Sequence[Interruption],
    storage_given: bool = True,
) -> Protected:
    """The gang with the checkpoints of a recovery, all times known.

    Times that are not given come from the state's size, intervals that are not given are those with the largest
    expected ETTR for these causes. `gang` has everything but its levels.
    """
    assumed: list[str] = []
    timed = [_timed(recovery, number, state_bytes, machines) for number in range(len(recovery.checkpoints))]
    gang = replace(gang, levels=tuple(timed))
    free = [number for number, one in enumerate(recovery.checkpoints) if one.interval is None]
    for number, interval_s in zip(free, _sought(gang, causes, free), strict=True):
        gang = with_interval(gang, number, interval_s)
    mtti_s = expected(gang, causes).mtti_s
    lines = tuple(
        CheckpointLine(
            to=one.to,
            interval_s=float(one.interval_s),
            chosen=number in free,
            blocking_s=float(one.blocking_s),
            write_s=float(one.write_s),
            read_s=one.read_s,
            young_s=float(young_s(one.blocking_s, min(mtti_s, 1e12))),
            daly_s=float(daly_s(one.blocking_s, min(mtti_s, 1e12))),
            state_bytes=state_bytes,
        )
        for number, one in enumerate(gang.levels)
    )
    computed = [one for one in recovery.checkpoints if None in (one.blocking, one.write, one.read)]
    if computed and state_bytes and machines.host_link_bytes_per_s is None:
        assumed.append(f"host link {format_si(HOST_LINK_BYTES_PER_S, 'B/s')} per accelerator")
    if not storage_given and any(one.to == "storage" and None in (one.write, one.read) for one in recovery.checkpoints):
        assumed.append(f"storage {format_si(STORAGE_BYTES_PER_S, 'B/s')} each way")
    return Protected(gang, lines, tuple(assumed))


def _sought(gang: Gang, causes: Sequence[Interruption], free: Sequence[int]) -> list[float]:
    if not free:
        return []
    found = best_intervals(gang, causes, free)
    return [found[number] for number in free]


def _timed(recovery: Recovery, number: int, state_bytes: float | None, machines: SavingMachines) -> CheckpointTimes:
    """One level; its interval is `USUAL_INTERVAL_S` until it is sought."""
    one = recovery.checkpoints[number]
    cost = checkpoint_cost(one.to, state_bytes or 0.0, machines, recovery.asynchronous)
    given = CheckpointCost(
        blocking_s=_blocking_s(recovery, one.blocking, one.write, cost),
        write_s=cost.write_s if one.write is None else one.write,
        read_s=cost.read_s if one.read is None else one.read,
    )
    return CheckpointTimes(
        to=one.to,
        interval_s=USUAL_INTERVAL_S if one.interval is None else one.interval,
        blocking_s=given.blocking_s,
        write_s=max(given.write_s, given.blocking_s),
        read_s=given.read_s,
    )


def _blocking_s(recovery: Recovery, blocking: float | None, write: float | None, cost: CheckpointCost) -> float:
    """As given; else a synchronous checkpoint blocks for its whole write, an asynchronous one no longer than that."""
    if blocking is not None:
        return blocking
    if write is None:
        return cost.blocking_s
    return min(cost.blocking_s, write) if recovery.asynchronous else write
