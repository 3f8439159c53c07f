"""Proves a plan: the training jobs of a system file, each lived through many times on the pool that breaks under it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from myriad import __version__, catalog
from myriad.api.campaign_changes import Change, changes_of
from myriad.api.campaign_results import life_of, result_of
from myriad.api.campaign_runs import Runs, runs_of
from myriad.api.campaigns import PlannedCampaign, campaigns_of
from myriad.api.plan import StepProgress, plan
from myriad.engine import Engine, Local
from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.sim.campaign.statistics import ranked, spread_of
from myriad.spec.campaign_result import CampaignResult, Improvement, LifeEvent, SimulatedPlan
from myriad.spec.result import Plan
from myriad.spec.system import System
from myriad.units import DAY_S

RUNS: Final = 200
IMPROVEMENT_RUNS: Final = 60
"""Runs that each improvement is judged by: the first of all, with the draws that they had without it."""

RunProgress = Callable[[str], Callable[[int, int], None]]
"""Called with the name of a job before its runs; gives what is called with those finished, and of how many."""


@dataclass(frozen=True)
class Simulation:
    """What `simulate` answers, and the runs themselves where their events were asked for."""

    result: SimulatedPlan
    kept: tuple[tuple[PlannedCampaign, Runs], ...] = ()

    def events(self) -> dict[str, Iterator[tuple[LifeEvent, ...]]]:
        """By job, the events of every run that was kept."""
        return {one.name: (life_of(run, one) for run in runs.events) for one, runs in self.kept}


def simulate(
    system: System | Path,
    planned: Plan | None = None,
    *,
    jobs: tuple[str, ...] = (),
    runs: int = RUNS,
    seed: int = 0,
    horizon_s: float | None = None,
    improvements: bool = True,
    engine: Engine | None = None,
    keep_events: bool = False,
    plan_progress: StepProgress | None = None,
    progress: RunProgress | None = None,
) -> Simulation:
    """When training jobs really finish: their ends, goodput, causes of loss and what would help, from many lives.

    `planned` is the plan of the system, else it is made; `jobs` are those to simulate, else all. The same seed gives
    the same result on any engine (this machine unless given). Jobs that cannot be simulated are listed with the
    reason. Raises SpecError for wrong names, a plan of another system, or fewer than two runs; InfeasibleError or
    MissingDataError where the planning does.
    """
    start = time.perf_counter()
    described = catalog.read_spec(system, System) if isinstance(system, Path) else system
    for job in jobs:
        if job not in described.jobs:
            raise SpecError(unknown_name("job", job, described.jobs))
    if runs < 2:
        raise SpecError(f"runs: found {runs}, expected 2 or more: an interval needs them")
    if planned is not None:
        check_plan(planned, described)
    try:
        whole = planned if planned is not None else plan(described, plan_progress)
        campaigns, missing = campaigns_of(described, whole, jobs, horizon_s)
    except (SpecError, MissingDataError) as error:
        raise type(error)(catalog.located(system, str(error)) if isinstance(system, Path) else str(error)) from None
    kept = []
    results = []
    for one in campaigns:
        found, result = _simulated(one, runs, seed, improvements, engine or Local(), keep_events, progress)
        results.append(result)
        if keep_events:
            kept.append((one, found))
    return Simulation(
        SimulatedPlan(
            system=described.name,
            version=__version__,
            currency=whole.currency,
            usd_per_currency=whole.usd_per_currency,
            campaigns=tuple(results),
            missing=missing,
            simulate_s=time.perf_counter() - start,
        ),
        tuple(kept),
    )


def check_plan(planned: Plan, system: System) -> None:
    """Raises SpecError for a plan that is not of the system: another name, jobs, pools, or figures of its jobs."""
    other = f"plan: it is of {planned.system!r}, not of {system.name!r}"
    if planned.system != system.name:
        raise SpecError(other)
    if {job.name for job in planned.jobs} != {*system.jobs} or {*planned.pools} != {*system.pools}:
        raise SpecError(f"plan: its jobs or pools are not those of the file; plan {system.name!r} again")
    for job in planned.jobs:
        described = system.jobs[job.name]
        for key in ("model", "tokens", "seq_len", "global_batch", "precision", "stack"):
            if getattr(job, key) != getattr(described, key):
                found, expected = getattr(job, key), getattr(described, key)
                raise SpecError(f"plan: jobs.{job.name}.{key}: planned with {found}, the file says {expected}")
        if job.chosen is not None and job.chosen.pool in system.pools:
            pool = system.pools[job.chosen.pool]
            if job.chosen.num_gpus > pool.planned:
                raise SpecError(
                    f"plan: jobs.{job.name}: planned on {job.chosen.num_gpus:,} accelerators of {job.chosen.pool}, "
                    f"the file leaves {pool.planned:,}"
                )


def _simulated(
    planned: PlannedCampaign,
    runs: int,
    seed: int,
    improvements: bool,
    engine: Engine,
    keep_events: bool,
    progress: RunProgress | None,
) -> tuple[Runs, CampaignResult]:
    tried = min(runs, IMPROVEMENT_RUNS)
    finished, total = 0, runs + (tried if improvements else 0)
    report = None if progress is None else progress(planned.name)

    def step(number: int) -> None:
        nonlocal finished
        finished += number
        if report is not None:
            report(finished, total)

    (base,) = runs_of((planned.question,), planned.number, seed, runs, engine, step, keep_events)
    gains: tuple[Improvement, ...] = ()
    notes: tuple[str, ...] = ()
    if improvements:
        changes = changes_of(planned, base)
        questions = tuple(change.question for change in changes)
        found = runs_of(questions, planned.number, seed, tried, engine, step)
        gains = _gains(planned, base, changes, found)
        if tried < runs:
            notes = (f"improvements are judged by the first {tried} runs",)
    return base, result_of(planned, base, seed, gains, notes)


def _gains(
    planned: PlannedCampaign, base: Runs, changes: tuple[Change, ...], found: tuple[Runs, ...]
) -> tuple[Improvement, ...]:
    """What each change saves, run by run, those that surely do first."""
    gains = []
    for change, with_it in zip(changes, found, strict=True):
        days = (base.wall_s[: len(with_it.wall_s)] - with_it.wall_s) / DAY_S
        usd = None if planned.usd_per_day is None else spread_of(days * planned.usd_per_day)
        wall_days = float(np.mean(with_it.wall_s)) / DAY_S
        cost = None if change.usd_cost_per_day is None else change.usd_cost_per_day * wall_days
        gains.append(
            Improvement(
                name=change.name, detail=change.detail, days_saved=spread_of(days), usd_saved=usd, usd_cost=cost
            )
        )
    order = ranked((gain.days_saved.mean, gain.days_saved.low) for gain in gains)
    return tuple(gains[index] for index in order)
