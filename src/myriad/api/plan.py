"""Plans a whole system file: every job on every pool that it may use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from myriad import __version__, catalog
from myriad.api.clusters import clusters_of, fabric_text, sites_text
from myriad.api.compare import compare, sensitivities
from myriad.api.domain import model_caveats
from myriad.api.named import at_key, check_names, models_of
from myriad.api.plan_fabrics import fabrics_of
from myriad.api.plan_goodput import Goodputs, Kept
from myriad.api.plan_mixed import mixed_name, mixed_option
from myriad.api.plan_warnings import warnings_of
from myriad.api.services import ServicePlanner, free_clusters, left_for_jobs
from myriad.api.sources import sources_of
from myriad.api.spending import over_cap, spending_on
from myriad.api.split import refined
from myriad.api.step_timeline import shortened, step_timeline
from myriad.api.training import (
    Searched,
    check_divides,
    nothing_fits,
    open_up,
    result_of,
    search_layouts,
    setting_of,
    usual_least_gpus,
)
from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.estimate.money import cost_lines
from myriad.estimate.parameters import model_parameters
from myriad.estimate.setting import Setting
from myriad.search.rank import Progress
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.mixed import Mix
from myriad.spec.model import Model
from myriad.spec.result import (
    JobOnPool,
    JobPlan,
    Plan,
    Sensitivity,
    TrainingEstimate,
)
from myriad.spec.system import Pool, System, TrainingJob
from myriad.spec.timeline import StepTimeline
from myriad.units import DAY_S, HOUR_S, format_si

MOST_OPERATIONS = 3_000
"""Of a job's timeline in a plan: more make the report slow to open."""

StepProgress = Callable[[str], Progress | None]
"""Called with `job on pool` before each search; gives the search its own progress, or none."""


def plan(system: System | Path, progress: StepProgress | None = None) -> Plan:
    """The plan of a system: for each service and job what runs it on the best of its pools, time, energy and money.

    A pool is best if it meets the deadline at the least cost; where costs are unknown, at the earliest
    end. If no pool meets the deadline, the earliest end wins. A job that names a mix of pools may win on
    all of them together in the same way. Services take their accelerators first. Each job is planned alone
    on what they leave; `warnings` says where the jobs of one pool do not fit into its time together.
    """
    if not isinstance(system, Path):
        return _plan(system, progress)
    described = catalog.read_spec(system, System)
    try:
        return _plan(described, progress)
    except (SpecError, MissingDataError) as error:
        raise type(error)(catalog.located(system, str(error))) from None


def _plan(system: System, progress: StepProgress | None) -> Plan:
    start = time.perf_counter()
    rates = {"USD": 1.0, **catalog.usd_per_currency(), **system.exchange_rates}
    if system.currency not in rates:
        raise SpecError(f"currency: no exchange rate for {system.currency}; add it under exchange_rates")
    models = models_of(system)
    check_names(system)
    clusters = clusters_of(system)
    services = ServicePlanner(system, models, clusters, rates, progress).plans()
    left = left_for_jobs(system, services)
    free = free_clusters(system, clusters, left)
    planner = _Planner(system, models, free, rates, progress, Goodputs(system, models, free))
    jobs = tuple(planner.job(name, job) for name, job in system.jobs.items())

    def setting_on(job: str, cluster: Cluster) -> Setting:
        return setting_of_job(system.jobs[job], models[system.jobs[job].model], cluster)

    return Plan(
        system=system.name,
        description=system.description,
        version=__version__,
        currency=system.currency,
        usd_per_currency=rates[system.currency],
        pools={name: _pool_line(system.pools[name], cluster) for name, cluster in clusters.items()},
        fabrics=fabrics_of(system, jobs, setting_on, rates, progress),
        services=services,
        jobs=jobs,
        for_jobs=left,
        total_cost_usd=_together([job.chosen.cost_usd if job.chosen is not None else None for job in jobs]),
        services_usd_per_year=_together(
            [one.chosen.usd_per_year if one.chosen is not None else None for one in services]
        ),
        warnings=warnings_of(system, services, jobs, left, rates),
        sources=sources_of(system, clusters, jobs, services),
        plan_s=time.perf_counter() - start,
        described=system,
    )


def _together(amounts: list[float | None]) -> float | None:
    """The sum; `None` where there are none, or one is unknown."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known and len(known) == len(amounts) else None


def trained_model(model: Model, job: TrainingJob) -> Model:
    """The model as the job trains it. Raises SpecError if it has fewer prediction depths than asked for."""
    if job.mtp_depths is None:
        return model
    if job.mtp_depths > model.mtp_depths:
        raise SpecError(f"mtp_depths: {model.name} has {model.mtp_depths}, found {job.mtp_depths}")
    return model.model_copy(update={"mtp_depths": job.mtp_depths})


def setting_of_job(job: TrainingJob, model: Model, cluster: Cluster) -> Setting:
    """The job on the accelerators of a cluster that it may use, with all names looked up."""
    if job.max_gpus is not None and job.max_gpus < cluster.num_accelerators:
        cluster = cluster.model_copy(update={"num_accelerators": job.max_gpus})
    work = TrainingWork(
        seq_len=job.seq_len,
        global_batch=job.global_batch,
        precision=job.precision,
        optimizer=job.optimizer,
        stack=job.stack,
        switches=job.switches,
        expert_imbalance=job.expert_imbalance,
    )
    return setting_of(trained_model(model, job), cluster, work)


def _pool_line(pool: Pool, cluster: Cluster) -> str:
    tiers = ", ".join(
        f"{link.tier} {link.domain:,} at {format_si(link.bytes_per_s_one_way, 'B/s')}" for link in cluster.links
    )
    held = pool.terms.kind if pool.terms is not None else "no terms given"
    joined = [] if pool.fabric is None else [fabric_text(pool.fabric)]
    if pool.sites is not None:
        joined.append(sites_text(pool.sites))
    return "; ".join((f"{cluster.num_accelerators:,} x {cluster.accelerator.name}", tiers, held, *joined))


@dataclass(frozen=True)
class _Planner:
    system: System
    models: Mapping[str, Model]
    clusters: Mapping[str, Cluster]
    rates: Mapping[str, float]
    progress: StepProgress | None
    goodputs: Goodputs

    def job(self, name: str, job: TrainingJob) -> JobPlan:
        model = self.models[job.model]
        counts = model_parameters(model)
        options = [self._on_pool(name, job, pool) for pool in job.pools or tuple(self.system.pools)]
        if job.mix is not None:
            options.append((self._mixed(name, job, job.mix), None))
        if job.layout is not None and all(option.estimate is None for option, _ in options):
            raise SpecError(f"jobs.{name}.layout: {options[0][0].reason}")
        ranked = sorted(options, key=lambda option: _preference(option[0]))
        chosen, searched = ranked[0]
        best = chosen if chosen.feasible else None
        comparison = timeline = None
        sensitivity: tuple[Sensitivity, ...] = ()
        if best is not None and best.estimate is not None:
            setting = self._setting(job, best.pool)
            timeline = _timeline(name, setting, best.estimate.layout)
            sensitivity = sensitivities(setting, best.estimate, searched)
            given = job.compare_with
            if given is not None and given.world_size <= setting.cluster.num_accelerators:
                with at_key(f"jobs.{name}.compare_with"):
                    comparison = compare(setting, given, job.compare_with_source, best.estimate, searched)
        return JobPlan(
            name=name,
            model=job.model,
            model_name=model.name,
            total_parameters=counts.total,
            active_parameters=counts.active,
            tokens=job.tokens,
            seq_len=job.seq_len,
            global_batch=job.global_batch,
            precision=job.precision,
            stack=job.stack,
            chosen=best,
            others=tuple(option for option, _ in (ranked[1:] if best else ranked)),
            comparison=comparison,
            sensitivity=sensitivity,
            timeline=timeline,
            caveats=_caveats(best, model),
        )

    def _mixed(self, name: str, job: TrainingJob, mix: Mix) -> JobOnPool:
        for pool in mix.pools:
            if not self.clusters[pool].num_accelerators:
                return JobOnPool(pool=mixed_name(mix), feasible=False, reason=f"services take all of {pool}")
        progress = self.progress
        step = None if progress is None else lambda label: progress(f"{name}: {label}")
        first = self._setting(job, mix.pools[0])
        return mixed_option(self.system, job, mix, first, self.clusters, self.rates, self.goodputs, step)

    def _setting(self, job: TrainingJob, pool: str) -> Setting:
        return setting_of_job(job, self.models[job.model], self.clusters[pool])

    def _on_pool(self, name: str, job: TrainingJob, pool_name: str) -> tuple[JobOnPool, Searched | None]:
        pool = self.system.pools[pool_name]
        if not self.clusters[pool_name].num_accelerators:
            return JobOnPool(pool=pool_name, feasible=False, reason=f"services take all of {pool_name}"), None
        try:
            setting = self._setting(job, pool_name)
            if job.layout is not None:
                try:
                    check_divides(setting, job.layout)
                except SpecError as error:
                    return JobOnPool(pool=pool_name, feasible=False, reason=str(error)), None
                return self._judged(job, pool_name, open_up(setting, job.layout)), None
            progress = self.progress(f"{name} on {pool_name}") if self.progress else None
            limit_s = self._step_limit_s(job, pool_name, setting.cluster.num_accelerators)
            searched = search_layouts(
                setting,
                objective=job.objective,
                least_gpus=usual_least_gpus(setting.cluster, job.objective),
                step_limit_s=limit_s,
                memory_headroom=job.memory_headroom,
                progress=progress,
            )
            searched = refined(searched, job.objective, limit_s)
            if not len(searched.ranking.order):
                return JobOnPool(pool=pool_name, feasible=False, reason=nothing_fits(searched)), None
        except (InfeasibleError, MissingDataError) as error:
            return JobOnPool(pool=pool_name, feasible=False, reason=str(error)), None

        def job_usd(num_gpus: int, step_s: float) -> float:
            kept = self.goodputs.kept(job, pool_name, num_gpus)
            seconds = _seconds(job, step_s, kept)
            assert seconds is not None
            assert pool.terms is not None
            watts = setting.cluster.watts_per_accelerator
            return sum(line.amount_usd for line in cost_lines(pool.terms, num_gpus, seconds, watts, self.rates))

        priced = job.tokens is not None and pool.terms is not None
        result = result_of(searched, job.objective, job_usd=job_usd if priced else None)
        judged = self._judged(job, pool_name, result.best)
        return judged.model_copy(update={"search": result}), searched

    def _step_limit_s(self, job: TrainingJob, pool_name: str, accelerators: int) -> float | None:
        """How long a step may take for the job to end by its deadline, with what it keeps on all of them."""
        if job.steps is None or job.deadline is None:
            return None
        kept = self.goodputs.kept(job, pool_name, accelerators)
        return job.deadline * kept.share / job.steps

    def _judged(self, job: TrainingJob, pool_name: str, estimate: TrainingEstimate) -> JobOnPool:
        """Days, energy and money of an estimate under the pool's terms."""
        pool, cluster = self.system.pools[pool_name], self.clusters[pool_name]
        deadline_days = None if job.deadline is None else job.deadline / DAY_S
        base = JobOnPool(
            pool=pool_name, feasible=True, num_gpus=estimate.world_size, estimate=estimate, deadline_days=deadline_days
        )
        if not estimate.fits:
            short = -estimate.headroom_bytes
            return base.model_copy(
                update={"feasible": False, "reason": f"lacks {short / 2**30:.1f} GiB per accelerator"}
            )
        try:
            kept = self.goodputs.kept(job, pool_name, estimate.world_size, estimate.step_s, estimate.layout)
        except InfeasibleError as error:
            return base.model_copy(update={"feasible": False, "reason": str(error)})
        base = base.model_copy(
            update={"goodput": kept.share, "goodput_from": kept.source, "expected_goodput": kept.expected}
        )
        seconds = _seconds(job, estimate.step_s, kept)
        if seconds is None or job.tokens is None:
            return base.model_copy(update={"missing": ("tokens are not given: no days, energy or money",)})
        spent = spending_on(pool_name, pool, estimate.world_size, seconds, cluster.watts_per_accelerator, self.rates)
        days, cost_usd = seconds / DAY_S, sum(line.amount_usd for line in spent.costs) if spent.costs else None
        reason = over_cap(pool_name, pool, cost_usd, days, self.rates)
        return base.model_copy(
            update={
                "feasible": not reason,
                "reason": reason,
                "steps": job.tokens / estimate.tokens_per_step,
                "days": days,
                "meets_deadline": None if deadline_days is None else days <= deadline_days,
                "gpu_hours": estimate.world_size * seconds / HOUR_S,
                "energy_joules": spent.energy_joules,
                "costs": spent.costs,
                "cost_usd": cost_usd,
                "missing": spent.missing,
            }
        )


def _timeline(job: str, setting: Setting, layout: Layout) -> StepTimeline | None:
    """The step of a layout with several stages, or of a schedule that does not exist for it none."""
    if layout.pp == 1:
        return None
    try:
        return shortened(step_timeline(job, setting, layout), MOST_OPERATIONS)
    except InfeasibleError:
        return None


def _seconds(job: TrainingJob, step_s: float, kept: Kept) -> float | None:
    """Wall time of the whole job: steps, over the goodput."""
    return None if job.steps is None else job.steps * step_s / kept.share


def _caveats(best: JobOnPool | None, model: Model) -> tuple[str, ...]:
    if best is not None and best.mix is not None:
        return best.mix.caveats
    return best.estimate.caveats if best and best.estimate else model_caveats(model)


def _preference(option: JobOnPool) -> tuple[bool, bool, float, float]:
    """Sorts options: feasible, then in time, then by cost if in time, then by days (or step time)."""
    late = option.meets_deadline is False
    step_s = option.step_s if option.step_s is not None else float("inf")
    cost = option.cost_usd if option.cost_usd is not None and not late else float("inf")
    return (not option.feasible, late, cost, option.days if option.days is not None else step_s)
