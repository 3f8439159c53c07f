"""What breaks in a pool, as one of its jobs meets it: rates and mean times by cause."""

from __future__ import annotations

import math
from typing import Final

from myriad.estimate.goodput.interruptions import Interruption
from myriad.sim.failures import Breakable, expected_incidents
from myriad.sim.failures.units import span
from myriad.spec.reliability import FailureCause
from myriad.units import YEAR_S

STILL_DOWN_S: Final = 600.0
"""About as long as a job is down: events of a burst that come sooner after the one before interrupt nothing more."""


def interruptions_of(
    breakable: Breakable, job_nodes: int, start_s: float = 0.0, end_s: float = YEAR_S
) -> tuple[Interruption, ...]:
    """The causes of a pool as a job on its first `job_nodes` nodes meets them: mean rates between two times.

    Causes that reach groups of nodes meet the job where a group has one of its nodes. Events of a burst after the
    first count where their machine goes on and they come late enough to interrupt the job once more.
    """
    counts = expected_incidents(breakable, start_s, end_s)
    return tuple(
        _met(name, cause, float(count) / (end_s - start_s), breakable, job_nodes)
        for (name, cause), count in zip(breakable.causes, counts, strict=True)
    )


def _met(name: str, cause: FailureCause, pool_per_s: float, breakable: Breakable, job_nodes: int) -> Interruption:
    reached = 0 if cause.reach == "none" else min(span(breakable, cause.reach), breakable.num_nodes)
    group = max(reached, 1)
    met = min(1.0, math.ceil(job_nodes / group) * group / breakable.num_nodes)
    return Interruption(
        name=name,
        per_s=pool_per_s * met * _distinct(cause),
        effect=cause.effect,
        detection_s=cause.detection.mean,
        diagnosis_s=cause.diagnosis.mean,
        repair_s=cause.repair.mean,
        repaired=cause.repaired if reached and cause.repair.mean else 0.0,
        nodes=reached,
        everybodys=not reached and cause.unit == "pool",
        speed=cause.speed,
        lasts_s=math.inf if cause.lasts is None else cause.lasts.mean,
    )


def _distinct(cause: FailureCause) -> float:
    """Share of the events of bursts that interrupt a job of their own."""
    if cause.burst == 1.0:
        return 1.0
    late = math.exp(-STILL_DOWN_S / cause.burst_within) if cause.burst_within else 0.0
    return (1.0 + (cause.burst - 1.0) * (1.0 - cause.repaired) * late) / cause.burst
