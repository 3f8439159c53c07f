"""A policy as small functions: what comes first, where it goes, who may pass, who must leave.

Each can be replaced from Python by one of the user's own:

    rules = rules_of(policy, submissions)
    mine = dataclasses.replace(rules, order=lambda jobs: jobs.accelerators, place=my_placement)
    simulate_jobs(submissions, machines, mine, horizon_s=30 * 86400.0)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from myriad.sim.jobs.backfill import Backfill, conservative, easy
from myriad.sim.jobs.cluster import NEVER, Cluster
from myriad.sim.jobs.described import FloatArray, Submissions
from myriad.sim.jobs.placement import Placement, fewest_leaves, first_fit, packed, spread
from myriad.sim.jobs.preemption import Victims, borrowers, lower_priority
from myriad.spec.jobs import Policy, Quota

Order: TypeAlias = "Callable[[Submissions], FloatArray | tuple[FloatArray, ...]]"
"""One number for each job, or several with the most important first; the smallest comes first, then the oldest."""
Favour: TypeAlias = Callable[[Cluster, int, int], float]
"""`(cluster, tenant, accelerators) -> number`, asked each time anew; the smallest comes first, before the order."""


@dataclass(frozen=True)
class Rules:
    """How a scheduler decides."""

    order: Order
    place: Placement
    backfill: Backfill | None = None
    """Called when the first job does not fit: starts others that may pass it. `None`: all wait."""
    victims: Victims | None = None
    """Running jobs that may be stopped for the first one, the most expendable first."""
    favour: Favour | None = None
    most: tuple[float, ...] | None = None
    """By tenant: share of the cluster that it may hold."""
    preempt_after_s: float = 0.0
    requeue: bool = True
    longest_s: float = NEVER

    @property
    def by_tenant(self) -> bool:
        """Whether tenants queue apart."""
        return self.favour is not None or self.most is not None


def first_come(jobs: Submissions) -> FloatArray:
    """Time of submission."""
    return jobs.submitted_s


def highest_priority(jobs: Submissions) -> tuple[FloatArray, ...]:
    """Priority, then time of submission."""
    return -jobs.priority.astype(np.float64), jobs.submitted_s


def least_work(jobs: Submissions) -> FloatArray:
    """Accelerator-seconds asked for."""
    return jobs.accelerators * jobs.limit_s


_PLACEMENTS: Final[dict[str, Placement]] = {
    "packed": packed,
    "first-fit": first_fit,
    "spread": spread,
    "topology": fewest_leaves,
}
_ORDERS: Final[dict[str, Order]] = {
    "fifo": first_come,
    "priority": highest_priority,
    "shortest": least_work,
    "fair": highest_priority,
}
_BACKFILLS: Final[dict[str, Backfill | None]] = {"none": None, "easy": easy, "conservative": conservative}


def rules_of(policy: Policy, jobs: Submissions) -> Rules:
    """The functions that a described policy names, with its quotas by tenant of these jobs.

    Where it preempts by quota and names none, all tenants are guaranteed the same.
    """
    quotas = [policy.quotas.get(tenant, Quota()) for tenant in jobs.tenants]
    if policy.preemption == "quota" and not policy.quotas:
        quotas = [Quota(guaranteed=1.0 / len(jobs.tenants))] * len(jobs.tenants)
    guaranteed = tuple(quota.guaranteed for quota in quotas)
    favour: Favour | None = None
    if policy.order == "fair":
        favour = _least_held(guaranteed if any(guaranteed) else (1.0,) * len(quotas))
    elif any(guaranteed):
        favour = _within_guarantee(guaranteed)
    victims: Victims | None = None
    if policy.preemption == "priority":
        victims = lower_priority
    elif policy.preemption == "quota":
        victims = borrowers(guaranteed)
    return Rules(
        order=_ORDERS[policy.order],
        place=_PLACEMENTS[policy.placement],
        backfill=_BACKFILLS[policy.backfill],
        victims=victims,
        favour=favour,
        most=tuple(quota.most for quota in quotas) if any(quota.most < 1.0 for quota in quotas) else None,
        preempt_after_s=policy.preempt_after,
        requeue=policy.requeue,
        longest_s=NEVER if policy.longest is None else policy.longest,
    )


def _within_guarantee(guaranteed: tuple[float, ...]) -> Favour:
    def favour(cluster: Cluster, tenant: int, accelerators: int) -> float:
        return float(cluster.held_by[tenant] + accelerators > guaranteed[tenant] * cluster.total)

    return favour


def _least_held(guaranteed: tuple[float, ...]) -> Favour:
    def favour(cluster: Cluster, tenant: int, _accelerators: int) -> float:
        share = guaranteed[tenant]
        # Without a guarantee one comes after all who have one.
        return cluster.held_by[tenant] / share if share else NEVER

    return favour
