"""A planned job joined with what its plan says of it: where it lies, what is promised of it, what starts it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import TypeAdapter

from myriad import catalog
from myriad.api.clusters import cluster_of, with_network_of
from myriad.api.expected_goodput import JobGoodput, goodput_of_job
from myriad.api.fabric import hosts_of, network_of, switches_of
from myriad.api.failures import breakable_of_job
from myriad.api.named import at_key
from myriad.api.plan import setting_of_job
from myriad.api.spending import spending_on
from myriad.errors import InfeasibleError, SpecError, unknown_name
from myriad.estimate.fabric.growth import scalable_unit_hosts
from myriad.estimate.fabric.parts import cuts_of
from myriad.estimate.setting import Setting
from myriad.spec.campaign_result import CheckpointLine
from myriad.spec.cluster import Cluster, Node
from myriad.spec.model import Model
from myriad.spec.result import JobOnPool, TrainingEstimate
from myriad.spec.serving_launch import LONGEST_NAME
from myriad.spec.system import Pool, System, TrainingJob
from myriad.spec.training_launch import SCHEDULERS, Promise, Scheduler
from myriad.units import DAY_S

_SCHEDULER: Final[TypeAdapter[Scheduler]] = TypeAdapter(Scheduler)


@dataclass(frozen=True)
class LaunchedJob:
    """A job where its plan puts it, all names looked up."""

    system: System
    name: str
    job: TrainingJob
    chosen: JobOnPool
    estimate: TrainingEstimate
    pool: Pool
    cluster: Cluster
    node: Node
    setting: Setting
    steps: int

    @property
    def nodes(self) -> int:
        return math.ceil(self.estimate.world_size / self.node.num_accelerators)

    @property
    def ranks_per_node(self) -> int:
        """Raises SpecError where ranks do not lie evenly on nodes, or tensor parallel groups would be cut."""
        ranks, rest = divmod(self.estimate.world_size, self.nodes)
        tp = self.estimate.layout.tp
        if rest or (ranks % tp and tp % ranks):
            raise SpecError(
                f"jobs.{self.name}: {self.estimate.world_size:,} ranks of layout {self.estimate.layout.text()} do not "
                f"lie evenly on nodes of {self.node.num_accelerators}"
            )
        return ranks

    @property
    def held_spares(self) -> int:
        """Nodes that stand by within the job: spares of its pool that need not boot first."""
        hot = self.job.recovery.swap == 0.0
        return self.pool.spares // self.node.num_accelerators if hot else 0

    @cached_property
    def goodput(self) -> JobGoodput | None:
        """What failures are expected to leave; `None` where the pool does not say how it breaks."""
        pool = self.pool
        if pool.reliability is None:
            return None
        nodes = self.nodes + pool.spares // self.node.num_accelerators
        with at_key(f"pools.{self.chosen.pool}"):
            breakable = breakable_of_job(pool.reliability, pool, self.node, nodes)
        return goodput_of_job(
            self.job, self.setting.model, pool, self.cluster, self.node, self.estimate.layout, self.estimate.step_s,
            breakable, self.steps * self.estimate.step_s,
        )  # fmt: skip

    @property
    def saved(self) -> CheckpointLine | None:
        """The checkpoints that a restart on other nodes reads: those in storage, else the safest that there are."""
        if self.goodput is None:
            return None
        lines = self.goodput.protected.lines
        return next((line for line in lines if line.to == "storage"), lines[-1])

    @property
    def interval_s(self) -> float | None:
        """Between checkpoints: as given, or the best; `None` where nobody says."""
        if self.saved is not None:
            return self.saved.interval_s
        return next((one.interval for one in self.job.recovery.checkpoints if one.interval is not None), None)

    def nodes_per_group(self) -> tuple[int, ...]:
        """Nodes that are joined more closely than others, nearest first, fewer than the pool has."""
        pool, size = self.pool, self.node.num_accelerators
        sites = 1 if pool.sites is None else pool.sites.number
        number = pool.count // sites
        groups = {self.node.scale_up_domain // size, number // size}
        if pool.fabric is not None:
            fabric = catalog.fabric(pool.fabric) if isinstance(pool.fabric, str) else pool.fabric
            node = with_network_of(self.node, self.cluster)
            hosts, network = hosts_of(fabric, node, number), network_of(fabric, node, number)
            groups |= {int(cut.hosts) for cut in cuts_of(fabric, network, network)}
            unit = scalable_unit_hosts(fabric.topology, hosts.nics_per_host, hosts.nic_bytes_per_s, switches_of(fabric))
            groups |= {unit} if unit is not None else set()
        return tuple(sorted(one for one in groups if 1 < one < pool.count // size))

    def promise(self, usd_per_currency: dict[str, float]) -> Promise:
        """What the plan says about a run of so many steps."""
        estimate, goodput, saved = self.estimate, self.goodput, self.saved
        band = estimate.band
        kept = self.chosen.goodput if self.chosen.goodput_from == "given" else goodput and goodput.ettr
        watts = self.cluster.watts_per_accelerator
        day = spending_on(self.chosen.pool, self.pool, estimate.world_size, DAY_S, watts, usd_per_currency).costs
        interrupted_s = math.inf if goodput is None else goodput.expected.mtti_s
        return Promise(
            step_s=estimate.step_s,
            step_low_s=None if band is None else band.low_step_s,
            step_high_s=None if band is None else band.high_step_s,
            tokens_per_step=estimate.tokens_per_step,
            model_flops_per_token=estimate.model_flops_per_token,
            peak_flops_per_s=estimate.peak_flops_per_s,
            memory_peak_bytes=estimate.memory_peak_bytes,
            mfu=estimate.mfu,
            ettr=kept,
            ledger={} if goodput is None else {key: float(one) for key, one in goodput.expected.parts.items()},
            mean_time_to_interruption_s=interrupted_s if math.isfinite(interrupted_s) else None,
            checkpoint_interval_s=self.interval_s,
            checkpoint_blocking_s=None if saved is None else saved.blocking_s,
            restart_s=None if goodput is None or saved is None else goodput.protected.gang.restart_s + saved.read_s,
            wall_s=self.steps * estimate.step_s / (kept or 1.0),
            usd_per_day=sum(line.amount_usd for line in day) if day else None,
        )

    def scheduler(self, on: str | None) -> Scheduler:
        """The scheduler of this kind: the pool's own where it is of this kind, else with usual settings."""
        own = self.pool.scheduler
        if on is None:
            if own is None:
                raise SpecError(
                    f"on: missing, and pools.{self.chosen.pool}.scheduler is not given; expected one of "
                    + ", ".join(SCHEDULERS)
                )
            return own
        if on not in SCHEDULERS:
            raise SpecError(f"on: {unknown_name('scheduler', on, SCHEDULERS)}")
        return own if own is not None and own.kind == on else _SCHEDULER.validate_python({"kind": on})


def chosen_of(job: str, chosen: JobOnPool | None, others: tuple[JobOnPool, ...]) -> tuple[JobOnPool, TrainingEstimate]:
    """Where the plan puts a job. Raises InfeasibleError where no pool can do it, or several do it together."""
    if chosen is None:
        reasons = "; ".join(f"{one.pool}: {one.reason}" for one in others)
        raise InfeasibleError(f"jobs.{job}: no pool can do it ({reasons})")
    if chosen.estimate is None:
        raise InfeasibleError(
            f"jobs.{job}: planned on {chosen.pool} together, and no scheduler starts a job on several"
        )
    return chosen, chosen.estimate


def job_on_pool(
    system: System, name: str, model: Model, chosen: JobOnPool, estimate: TrainingEstimate, steps: int | None
) -> LaunchedJob:
    """A job where its plan puts it. Raises SpecError where nobody says how many steps it has."""
    job, pool = system.jobs[name], system.pools[chosen.pool]
    if steps is None:
        if job.steps is None:
            raise SpecError(f"steps: missing, and jobs.{name}.tokens are not given either")
        steps = math.ceil(job.steps)
    cluster = cluster_of(chosen.pool, pool)
    return LaunchedJob(
        system=system,
        name=name,
        job=job,
        chosen=chosen,
        estimate=estimate,
        pool=pool,
        cluster=cluster,
        node=catalog.node_of(pool),
        setting=setting_of_job(job, model, cluster),
        steps=steps,
    )


def run_name(job: str) -> str:
    """The job's name as schedulers take it.

    >>> run_name("Flagship pretrain_2")
    'flagship-pretrain-2'
    """
    name = re.sub(r"[^a-z0-9]+", "-", job.lower()).strip("-")
    name = name if name[:1].isalpha() else f"job-{name}".rstrip("-")
    return name[:LONGEST_NAME].rstrip("-")
