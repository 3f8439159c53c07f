"""Policies under names that operators know."""

from __future__ import annotations

from typing import Final

from myriad.errors import SpecError, unknown_name
from myriad.spec.jobs import Policy

POLICIES: Final = {
    policy.name: policy
    for policy in (
        # Strictly by time of submission: nobody passes.
        Policy(name="fifo", order="fifo", backfill="none", placement="first-fit"),
        # Slurm with sched/backfill, priorities and topology/tree.
        Policy(name="slurm-backfill", order="priority", backfill="easy", placement="topology"),
        # Every waiting job keeps its place in the plan.
        Policy(name="conservative", order="priority", backfill="conservative", placement="topology"),
        # Least accelerator-seconds asked for first; what is large waits while small ones come.
        Policy(name="shortest", order="shortest", backfill="easy", placement="packed"),
        # Kueue or Volcano: gangs, tenants in turn by what they hold, guarantees taken back from those who borrowed.
        # Without quotas of the user all tenants are guaranteed the same.
        Policy(name="quota-preempt", order="fair", backfill="easy", placement="packed", preemption="quota"),
        # Research clusters with quality of service: high priority stops low.
        Policy(name="priority-preempt", order="priority", backfill="easy", placement="topology", preemption="priority"),
    )
}
"""By name."""


def policy_named(name: str) -> Policy:
    """The shipped policy of this name. Raises SpecError with the nearest."""
    if name not in POLICIES:
        raise SpecError(unknown_name("policy", name, POLICIES))
    return POLICIES[name]
