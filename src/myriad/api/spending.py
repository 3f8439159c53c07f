"""What a job costs on one pool under the pool's terms, and what its yearly cap says to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from myriad.estimate.money import cost_lines, energy_joules
from myriad.spec.money import CostLine
from myriad.spec.system import Owned, Pool, Rented
from myriad.units import DAY_S, YEAR_S


@dataclass(frozen=True)
class Spending:
    """Energy and money of so many accelerators of one pool over some time."""

    costs: tuple[CostLine, ...]
    energy_joules: float | None
    missing: tuple[str, ...]
    """What could not be said, and for want of what."""


def spending_on(
    name: str, pool: Pool, num_gpus: int, seconds: float, watts: float | None, rates: Mapping[str, float]
) -> Spending:
    """What the accelerators draw and cost; `watts` is the power of each, where it is known."""
    missing = []
    if watts is None:
        missing.append(f"power of the nodes in {name} is unknown: no energy, no electricity")
    pue = pool.terms.pue if isinstance(pool.terms, Owned) else 1.0
    costs: tuple[CostLine, ...] = ()
    if pool.terms is None:
        missing.append(f"pools.{name}.terms are not given: no money")
    else:
        costs = cost_lines(pool.terms, num_gpus, seconds, watts, rates)
    energy = None if watts is None else energy_joules(num_gpus, seconds, watts, pue)
    return Spending(costs, energy, tuple(missing))


def within_a_year_usd(cost_usd: float | None, days: float | None) -> float:
    """What so much money over so many days comes to in the first year at most."""
    if cost_usd is None or not days:
        return 0.0
    return cost_usd * min(1.0, YEAR_S / DAY_S / days)


def over_cap(name: str, pool: Pool, cost_usd: float | None, days: float | None, rates: Mapping[str, float]) -> str:
    """Why the yearly cap of a pool rules out spending so much on it; empty if it does not."""
    if not isinstance(pool.terms, Rented) or pool.terms.yearly_cap is None:
        return ""
    cap, in_a_year = pool.terms.yearly_cap.usd(rates), within_a_year_usd(cost_usd, days)
    if in_a_year <= cap:
        return ""
    return f"costs {in_a_year / 1e6:,.1f} M USD within a year; the cap of {name} is {cap / 1e6:,.1f} M USD"
