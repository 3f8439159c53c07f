"""Training jobs of a plan as campaigns that can be simulated: nodes, work, what breaks, what recovers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from myriad import catalog
from myriad.api.clusters import cluster_of
from myriad.api.expected_goodput import JobGoodput, goodput_of_job
from myriad.api.failures import breakable_of_job, reliability_of, windows_of
from myriad.api.named import at_key, models_of
from myriad.api.plan import trained_model
from myriad.api.spending import spending_on
from myriad.errors import MissingDataError
from myriad.sim.campaign import Campaign
from myriad.sim.campaign.chunks import Question
from myriad.sim.failures import Breakable
from myriad.spec.campaign_result import CheckpointLine
from myriad.spec.cluster import Cluster, Node
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.recovery import Recovery
from myriad.spec.reliability import Reliability
from myriad.spec.result import Band, JobOnPool, Plan
from myriad.spec.system import Pool, System, TrainingJob
from myriad.units import DAY_S, YEAR_S, format_seconds

HORIZON: Final = 1.5
"""Of the expected end: no run is followed further unless told otherwise."""
HORIZON_MORE_S: Final = 30 * DAY_S
"""And so much longer."""
LONGEST_HORIZON_S: Final = 100 * YEAR_S
"""Incidents are drawn until the horizon, whenever a run ends."""


@dataclass(frozen=True)
class Planned:
    """A job where its plan puts it, all names looked up."""

    job: TrainingJob
    model: Model
    pool_name: str
    pool: Pool
    cluster: Cluster
    node: Node
    layout: Layout
    step_s: float
    steps: float
    band: Band | None
    """Of the step."""

    @property
    def nodes(self) -> int:
        return math.ceil(self.layout.world_size / self.node.num_accelerators)

    @property
    def replica(self) -> int:
        """Accelerators of one data-parallel replica."""
        return self.layout.world_size // self.layout.dp

    @property
    def replicas_are_nodes(self) -> bool:
        """Whether replicas fill whole nodes, or nodes whole replicas, so that they can leave by nodes."""
        size = self.node.num_accelerators
        return self.replica % size == 0 or (size % self.replica == 0 and self.layout.world_size % size == 0)

    def usd_per_day(self, accelerators: int, rates: Mapping[str, float]) -> float | None:
        """What so many accelerators of the pool cost a day, in US dollars; `None` without terms."""
        watts = self.cluster.watts_per_accelerator
        costs = spending_on(self.pool_name, self.pool, accelerators, DAY_S, watts, rates).costs
        return sum(line.amount_usd for line in costs) if costs else None


@dataclass(frozen=True)
class PlannedCampaign:
    """One job of a plan, ready to be simulated, and what is said about it beside the simulation."""

    name: str
    number: int
    """Its place among the jobs of the file: which others are simulated changes none of its draws."""
    planned: Planned
    question: Question
    spare_nodes: int
    reliability: str
    checkpoints: tuple[CheckpointLine, ...]
    expected_ettr: float
    expected_range: tuple[float, float] | None
    """With every rate at either end of its published range; `None` where the profile gives no ranges."""
    usd_per_day: float | None
    usd_per_node_day: float | None
    assumed: tuple[str, ...]

    def recovering(self, recovery: Recovery) -> Campaign:
        """The campaign with another recovery."""
        campaign = self.question.campaign
        saved = _expected(self.planned, self.question.breakable, recovery).protected
        return saved.campaign(campaign.work_s, campaign.horizon_s, campaign.windows)


def campaigns_of(
    system: System, plan: Plan, jobs: tuple[str, ...] = (), horizon_s: float | None = None
) -> tuple[tuple[PlannedCampaign, ...], dict[str, str]]:
    """The campaigns of a plan's jobs (of those named, or all), and why others have none, by job.

    Raises SpecError or MissingDataError for wrong names, with the key at fault.
    """
    models, rates = models_of(system), {"USD": 1.0, **catalog.usd_per_currency(), **system.exchange_rates}
    found, missing = [], {}
    for number, (name, job) in enumerate(system.jobs.items()):
        if jobs and name not in jobs:
            continue
        chosen = next(one.chosen for one in plan.jobs if one.name == name)
        try:
            planned = _planned(system, job, models[job.model], chosen)
        except MissingDataError as error:
            missing[name] = str(error)
            continue
        if job.recovery.mode != "restart" and not planned.replicas_are_nodes:
            size = planned.replica
            missing[name] = f"mode {job.recovery.mode} needs replicas of whole nodes; one has {size} accelerators"
            continue
        found.append(_ready(name, number, planned, rates, horizon_s))
    return tuple(found), missing


def _planned(system: System, job: TrainingJob, model: Model, chosen: JobOnPool | None) -> Planned:
    """Raises MissingDataError that says why the job cannot be simulated."""
    if chosen is None:
        raise MissingDataError("no pool can run it")
    if chosen.estimate is None:
        raise MissingDataError(f"planned on {chosen.pool} together; a mix of pools is not simulated")
    if chosen.steps is None:
        raise MissingDataError("its tokens are not given, so it has no end")
    pool = system.pools[chosen.pool]
    if pool.reliability is None:
        raise MissingDataError(f"pools.{chosen.pool}.reliability is not given")
    return Planned(
        job=job,
        model=trained_model(model, job),
        pool_name=chosen.pool,
        pool=pool,
        cluster=cluster_of(chosen.pool, pool),
        node=catalog.node_of(pool),
        layout=chosen.estimate.layout,
        step_s=chosen.estimate.step_s,
        steps=chosen.steps,
        band=chosen.estimate.band,
    )


def _ready(
    name: str, number: int, planned: Planned, rates: Mapping[str, float], horizon_s: float | None
) -> PlannedCampaign:
    pool, spares = planned.pool, planned.pool.spares // planned.node.num_accelerators
    assert pool.reliability is not None
    with at_key(f"pools.{planned.pool_name}.reliability"):
        profile = reliability_of(pool.reliability)
    with at_key(f"pools.{planned.pool_name}.life"):
        breakable = breakable_of_job(profile, pool, planned.node, planned.nodes + spares)
    expected = _expected(planned, breakable, planned.job.recovery)
    if horizon_s is None:
        horizon_s = HORIZON * planned.steps * planned.step_s / max(expected.ettr, 0.1) + HORIZON_MORE_S
        horizon_s = min(max(horizon_s, planned.job.deadline or 0.0), LONGEST_HORIZON_S)
    windows = windows_of(pool.life, planned.nodes + spares, horizon_s)
    campaign = expected.protected.campaign(planned.steps * planned.step_s, horizon_s, windows)
    return PlannedCampaign(
        name=name,
        number=number,
        planned=planned,
        question=Question(campaign, breakable),
        spare_nodes=spares,
        reliability=profile.name,
        checkpoints=expected.protected.lines,
        expected_ettr=expected.ettr,
        expected_range=_range(planned, profile, breakable.num_nodes),
        usd_per_day=planned.usd_per_day(planned.layout.world_size, rates),
        usd_per_node_day=planned.usd_per_day(planned.node.num_accelerators, rates),
        assumed=(*_assumed(planned, campaign, spares), *expected.protected.assumed),
    )


def _range(planned: Planned, profile: Reliability, nodes: int) -> tuple[float, float] | None:
    ends = [profile.at("high"), profile.at("low")]
    if ends == [profile, profile]:
        return None
    low, high = (
        _expected(planned, breakable_of_job(end, planned.pool, planned.node, nodes), planned.job.recovery).ettr
        for end in ends
    )
    return low, high


def _expected(planned: Planned, breakable: Breakable, recovery: Recovery) -> JobGoodput:
    job = planned.job.model_copy(update={"recovery": recovery})
    return goodput_of_job(
        job, planned.model, planned.pool, planned.cluster, planned.node, planned.layout, planned.step_s, breakable,
        planned.steps * planned.step_s,
    )  # fmt: skip


def _assumed(planned: Planned, campaign: Campaign, spares: int) -> tuple[str, ...]:
    """What the file leaves open about a job, and what is taken."""
    pool, name, said = planned.pool, planned.pool_name, []
    given = planned.job.model_fields_set
    if "recovery" not in given:
        said.append("recovery is not given: checkpoints to storage at the best interval, hot spares, whole restarts")
    if "recovery" not in given or "restart" not in planned.job.recovery.model_fields_set:
        said.append(f"restart is not given: {format_seconds(campaign.restart_s)} on {planned.nodes} nodes")
    if not spares:
        said.append(f"pools.{name}.spares are not given: a broken node is waited for")
    if pool.repair_crews is None:
        said.append(f"pools.{name}.repair_crews is not given: every repair begins at once")
    if pool.life.growth:
        said.append(f"accelerators that join pool {name} later do not join this job")
    if not planned.replicas_are_nodes:
        said.append(
            f"replicas of {planned.replica} accelerators are not whole nodes: modes elastic and replica are not tried"
        )
    if planned.layout.ep > 1 and campaign.mode != "restart":
        said.append("replicas leave and return whole: experts are taken not to be spread over several of them")
    said.append("the step takes as long as it was planned with, whatever nodes it runs on")
    return tuple(said)
