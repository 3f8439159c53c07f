"""A job of a plan on several pools together: days, energy and money, each pool under its own terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from myriad.api.mixed import mix_training
from myriad.api.plan_goodput import Goodputs, Kept
from myriad.api.spending import over_cap, spending_on
from myriad.errors import InfeasibleError, MissingDataError
from myriad.estimate.setting import Setting
from myriad.search.rank import Progress
from myriad.spec.cluster import Cluster
from myriad.spec.mixed import Mix
from myriad.spec.money import CostLine
from myriad.spec.result import JobOnPool
from myriad.spec.system import System, TrainingJob
from myriad.units import DAY_S, HOUR_S


def mixed_option(
    system: System,
    job: TrainingJob,
    mix: Mix,
    setting: Setting,
    clusters: Mapping[str, Cluster],
    rates: Mapping[str, float],
    goodputs: Goodputs,
    progress: Callable[[str], Progress | None] | None,
) -> JobOnPool:
    """The job on the pools of its mix together, or why they cannot do it.

    The mix is searched for the shortest step, whatever the job's objective. A step needs all pools, so that their
    goodputs multiply.
    """
    name = mixed_name(mix)
    pools = {pool: system.pools[pool] for pool in mix.pools}
    deadline_days = None if job.deadline is None else job.deadline / DAY_S
    try:
        result = mix_training(
            setting.model, {pool: clusters[pool] for pool in mix.pools}, setting.work, mix.link,
            join=mix.join, memory_headroom=job.memory_headroom, progress=progress,
        )  # fmt: skip
    except (InfeasibleError, MissingDataError) as error:
        return JobOnPool(pool=name, feasible=False, reason=str(error))
    best = result.best
    base = JobOnPool(pool=name, feasible=True, num_gpus=best.num_gpus, mix=result, deadline_days=deadline_days)
    try:
        kept = [goodputs.kept(job, part.pool, part.num_gpus, best.step_s) for part in best.parts]
    except InfeasibleError as error:
        return base.model_copy(update={"feasible": False, "reason": str(error)})
    base = base.model_copy(update=_together(kept))
    goodput = math.prod(one.share for one in kept)
    if job.tokens is None:
        return base.model_copy(update={"missing": ("tokens are not given: no days, energy or money",)})
    seconds = job.tokens / best.tokens_per_step * best.step_s / goodput
    days = seconds / DAY_S
    costs: list[CostLine] = []
    missing: list[str] = []
    joules: list[float | None] = []
    reasons = []
    for part in best.parts:
        pool = pools[part.pool]
        watts = clusters[part.pool].watts_per_accelerator
        spent = spending_on(part.pool, pool, part.num_gpus, seconds, watts, rates)
        costs += [line.model_copy(update={"pool": part.pool}) for line in spent.costs]
        missing += spent.missing
        joules.append(spent.energy_joules)
        reasons.append(over_cap(part.pool, pool, sum(line.amount_usd for line in spent.costs), days, rates))
    known = [energy for energy in joules if energy is not None]
    all_priced = all(pool.terms is not None for pool in pools.values())
    return base.model_copy(
        update={
            "feasible": not any(reasons),
            "reason": next(filter(None, reasons), ""),
            "steps": job.tokens / best.tokens_per_step,
            "days": days,
            "meets_deadline": None if deadline_days is None else days <= deadline_days,
            "gpu_hours": best.num_gpus * seconds / HOUR_S,
            "energy_joules": sum(known) if len(known) == len(joules) else None,
            "costs": tuple(costs),
            "cost_usd": sum(line.amount_usd for line in costs) if all_priced else None,
            "missing": tuple(missing),
        }
    )


def _together(kept: Sequence[Kept]) -> dict[str, object]:
    """Goodput of the mix, and where it is from: nobody where no pool says it, expected where any is."""
    sources = {one.source for one in kept} - {"none"}
    each = [one.expected for one in kept]
    known = [one for one in each if one is not None]
    return {
        "goodput": math.prod(one.share for one in kept),
        "goodput_from": "none" if not sources else "expected" if "expected" in sources else "given",
        "expected_goodput": math.prod(known) if len(known) == len(each) else None,
    }


def mixed_name(mix: Mix) -> str:
    """What the pools of a mix are called together."""
    return " + ".join(mix.pools)


def used_of(option: JobOnPool, pool: str) -> tuple[float, float | None] | None:
    """Accelerator-hours and money that an option takes from one pool; `None` if it does not use it."""
    if option.mix is None:
        return (option.gpu_hours or 0.0, option.cost_usd) if option.pool == pool else None
    for part in option.mix.best.parts:
        if part.pool == pool:
            lines = [line.amount_usd for line in option.costs if line.pool == pool]
            return part.num_gpus * (option.days or 0.0) * DAY_S / HOUR_S, sum(lines) if lines else None
    return None
