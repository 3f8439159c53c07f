"""What the plan of a service gives: on which pool, with how many accelerators, for how much, with what left."""

from __future__ import annotations

from myriad.spec.base import Spec
from myriad.spec.money import CostLine
from myriad.spec.serving import Objective, Requests
from myriad.spec.serving_money import ServingCost
from myriad.spec.serving_result import ServingEstimate


class ServiceOnPool(Spec):
    """One service planned on one pool."""

    pool: str
    feasible: bool
    reason: str = ""
    """Why it is not feasible."""
    num_gpus: int = 0
    """Accelerators that it holds, for its peak, in whole scale-up domains."""
    estimate: ServingEstimate | None = None
    """Of the deployment under as much load as its promise lets it have."""
    utilisation: float | None = None
    """Mean rate over what these accelerators could answer within the promise."""
    cost: ServingCost | None = None
    """Per million tokens, at the utilisation and under the pool's terms."""
    costs: tuple[CostLine, ...] = ()
    """Of one year."""
    usd_per_year: float | None = None
    revenue_usd_per_year: float | None = None
    energy_joules_per_year: float | None = None
    missing: tuple[str, ...] = ()
    """Figures that the file or catalog lacks, and what could not be said without them."""


class ServicePlan(Spec):
    """One service: the chosen pool, and the others beside it."""

    name: str
    model: str
    model_name: str
    requests: Requests
    promise: Objective
    requests_per_s: float
    """Mean over the day."""
    peak_requests_per_s: float
    chosen: ServiceOnPool | None
    others: tuple[ServiceOnPool, ...]
    caveats: tuple[str, ...] = ()
