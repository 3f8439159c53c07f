"""What a plan warns of: pools that are asked for more than they have or may cost, layouts that cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping

from myriad.api.plan_mixed import used_of
from myriad.api.spending import within_a_year_usd
from myriad.spec.result import JobPlan
from myriad.spec.service_result import ServicePlan
from myriad.spec.system import Rented, System


def warnings_of(
    system: System,
    services: tuple[ServicePlan, ...],
    jobs: tuple[JobPlan, ...],
    left: Mapping[str, int],
    rates: Mapping[str, float],
) -> tuple[str, ...]:
    """All of them, as English sentences; `left` are the accelerators of pools that services leave."""
    return (
        *_unserved(services),
        *_taken(system, jobs, left),
        *_overbooked(system, jobs, left),
        *_overspent(system, services, jobs, rates),
        *_not_compared(system, jobs),
    )


def _unserved(services: tuple[ServicePlan, ...]) -> tuple[str, ...]:
    """Services that no pool can run beside those before them."""
    return tuple(f"service {one.name}: no pool can run it" for one in services if one.chosen is None)


def _taken(system: System, jobs: tuple[JobPlan, ...], left: Mapping[str, int]) -> tuple[str, ...]:
    """Pools that jobs may use and that services take from."""
    asked = {pool for job in system.jobs.values() for pool in (job.pools or tuple(system.pools)) if pool in left}
    return tuple(
        f"pool {name}: services hold {system.pools[name].planned - left[name]:,} of its {system.pools[name].count:,} "
        f"accelerators; jobs get {left[name]:,}"
        for name in system.pools
        if name in asked and jobs
    )


def _overbooked(system: System, jobs: tuple[JobPlan, ...], left: Mapping[str, int]) -> tuple[str, ...]:
    """Pools whose jobs, each planned alone, need more accelerator-days than there are before the last deadline."""
    warnings = []
    for name, pool in system.pools.items():
        on_pool = [job.chosen for job in jobs if job.chosen is not None and used_of(job.chosen, name)]
        needed = sum(hours / 24 for option in on_pool for hours, _ in [used_of(option, name) or (0.0, None)])
        horizon = max((option.deadline_days or 0.0 for option in on_pool), default=0.0)
        free = left.get(name, pool.planned)
        if len(on_pool) > 1 and horizon and needed > free * horizon:
            warnings.append(
                f"pool {name}: its jobs need {needed:,.0f} accelerator-days; "
                f"{free:,} accelerators have {free * horizon:,.0f} until the last deadline"
            )
    return tuple(warnings)


def _overspent(
    system: System, services: tuple[ServicePlan, ...], jobs: tuple[JobPlan, ...], rates: Mapping[str, float]
) -> tuple[str, ...]:
    """Rented pools whose services and jobs, each within the yearly cap, together cost more within one year."""
    warnings = []
    for name, pool in system.pools.items():
        if not isinstance(pool.terms, Rented) or pool.terms.yearly_cap is None:
            continue
        cap = pool.terms.yearly_cap.usd(rates)
        on_pool = [job.chosen for job in jobs if job.chosen is not None and used_of(job.chosen, name)]
        usd = [(used_of(option, name) or (0.0, None))[1] for option in on_pool]
        spent = sum(within_a_year_usd(cost, option.days) for cost, option in zip(usd, on_pool, strict=True))
        serving = [one.chosen.usd_per_year or 0.0 for one in services if one.chosen and one.chosen.pool == name]
        spent += sum(serving)
        if len(on_pool) + len(serving) > 1 and spent > cap:
            both = "services and jobs" if serving and on_pool else "services" if serving else "jobs"
            warnings.append(
                f"pool {name}: its {both} together cost {spent / 1e6:,.1f} M USD within a year; "
                f"the cap is {cap / 1e6:,.1f} M USD"
            )
    return tuple(warnings)


def _not_compared(system: System, jobs: tuple[JobPlan, ...]) -> tuple[str, ...]:
    """Jobs whose given layout cannot stand beside what was chosen: too large for the pool, or of one of several."""
    warnings = []
    for job in jobs:
        given = system.jobs[job.name].compare_with
        if given is None or job.chosen is None or job.comparison is not None:
            continue
        if job.chosen.mix is not None:
            warnings.append(f"job {job.name}: the layout to compare with is of one pool, not of {job.chosen.pool}")
        else:
            warnings.append(
                f"job {job.name}: the layout to compare with needs {given.world_size:,} accelerators, "
                f"more than {job.chosen.pool} has"
            )
    return tuple(warnings)
