"""What a fabric, whole or broken, makes of the traffic of a planned training step, and of the step."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from myriad import catalog
from myriad.api.fabric import fabric_of, network_of
from myriad.api.fabric_ranks import efficiency_of, network_only, ranks_of
from myriad.api.fabric_traffic import Progress, run_on
from myriad.api.named import at_key, models_of
from myriad.api.plan import plan, setting_of_job
from myriad.api.step_change import changed_parts_s
from myriad.errors import InfeasibleError, SpecError, unknown_name
from myriad.estimate.fabric.network import Network
from myriad.estimate.setting import Setting
from myriad.estimate.step_traffic import StepCollective, step_traffic
from myriad.estimate.training import estimate_layout
from myriad.sim.network.algorithms import phases_of
from myriad.sim.network.flows import Activity, Phase
from myriad.sim.network.ranks import Ranks, full_rate_s, phase
from myriad.spec.cluster import Cluster
from myriad.spec.fabric import Damage, Fabric, LinkFault, SwitchFault
from myriad.spec.layout import Layout
from myriad.spec.result import Plan, TrainingEstimate
from myriad.spec.system import System
from myriad.spec.traffic import Conditions
from myriad.spec.traffic_result import StepOnFabric, StepTraffic

STUDIES: Final[Mapping[str, Conditions]] = MappingProxyType(
    {
        "whole": Conditions(routing="spray"),
        "1 % of the links between switches down": Conditions(
            routing="spray", damage=Damage(links=(LinkFault(share=0.01),))
        ),
        "one spine down": Conditions(routing="spray", damage=Damage(switches=(SwitchFault(tier="spine"),))),
        "ECMP, 1 flow per pair": Conditions(routing="ecmp", flows_per_pair=1),
        "ECMP, 4 flows per pair": Conditions(routing="ecmp", flows_per_pair=4),
        "ECMP, 16 flows per pair": Conditions(routing="ecmp", flows_per_pair=16),
        "random hosts": Conditions(routing="spray", placement="random"),
    }
)
"""What `fabric_studies` looks at."""


@dataclass(frozen=True)
class _Job:
    """A planned job on the fabric of its pool."""

    system: str
    name: str
    pool: str
    setting: Setting
    cluster: Cluster
    """The whole pool, which the fabric joins."""
    estimate: TrainingEstimate
    fabric_name: str
    fabric: Fabric
    network: Network
    traffic: tuple[StepCollective, ...]


def step_on_fabric(
    fabric: str,
    system: Path,
    job: str,
    conditions: Conditions | None = None,
    planned: Plan | None = None,
    progress: Progress | None = None,
) -> StepOnFabric:
    """The traffic of a job's planned step on a fabric that joins its whole pool, and the step time that follows.

    Each collective of `estimate.step_traffic` runs alone, all its groups at once; its time in the network over that at
    the cards' line rate slows down the traffic of its kind in the estimate (`changed_parts_s`). Tensor parallelism is
    taken to stay inside hosts. `planned` is the plan of the file, else it is made. Raises SpecError for wrong names,
    InfeasibleError where nothing was planned, or the traffic finds no path.
    """
    found = _job(fabric, system, job, planned)
    return _study(found, "", conditions or Conditions(), progress)


def fabric_studies(
    fabric: str,
    system: Path,
    job: str,
    studies: Mapping[str, Conditions] = STUDIES,
    planned: Plan | None = None,
    progress: Progress | None = None,
) -> tuple[StepOnFabric, ...]:
    """The same step under each of several conditions, see `step_on_fabric`."""
    found = _job(fabric, system, job, planned)
    results = []
    for number, (name, conditions) in enumerate(studies.items()):
        results.append(_study(found, name, conditions, None))
        if progress is not None:
            progress(number + 1, len(studies))
    return tuple(results)


def _job(fabric: str, path: Path, job: str, planned: Plan | None) -> _Job:
    described = fabric_of(fabric)
    system = catalog.read_spec(path, System)
    if job not in system.jobs:
        raise SpecError(unknown_name("job", job, system.jobs))
    pool, layout = _chosen(plan(path) if planned is None else planned, system, job)
    cluster = catalog.cluster_of(pool, system.pools[pool])
    setting = setting_of_job(system.jobs[job], models_of(system)[system.jobs[job].model], cluster)
    estimate = estimate_layout(setting, layout)
    slowest = max(estimate.stages, key=lambda stage: stage.micro_batch_s)
    node, number = catalog.counted_node(
        f"{system.pools[pool].node or system.pools[pool].accelerator}:{cluster.num_accelerators}"
    )
    network = network_of(described, node, number)
    traffic = step_traffic(setting, layout, slowest)
    return _Job(system.name, job, pool, setting, cluster, estimate, fabric, described, network, traffic)


def _chosen(planned: Plan, system: System, job: str) -> tuple[str, Layout]:
    """Pool and layout that the plan chose for a job."""
    found = next((one for one in planned.jobs if one.name == job), None)
    if planned.system != system.name or found is None:
        raise SpecError(f"plan: it is of {planned.system!r}, and has no job {job!r} of {system.name!r}")
    if found.chosen is None or found.chosen.estimate is None:
        raise InfeasibleError(f"jobs.{job}: the plan has no layout on one pool for it")
    if found.chosen.pool not in system.pools:
        raise SpecError(f"plan: pool {found.chosen.pool!r} is not in the file")
    return found.chosen.pool, found.chosen.estimate.layout


def _study(job: _Job, name: str, conditions: Conditions, progress: Progress | None) -> StepOnFabric:
    started = time.perf_counter()
    layout = job.estimate.layout
    block = layout.ep * layout.etp if layout.ep > 1 else layout.dp * layout.cp * layout.tp
    ranks = network_only(ranks_of(job.cluster, job.fabric, job.network, conditions, layout.world_size, max(block, 1)))
    rows = []
    for number, one in enumerate(job.traffic):
        rows.append(_row(job, one, ranks, conditions))
        if progress is not None:
            progress(number + 1, len(job.traffic))
    slowdown = _slowdown(tuple(rows))
    parts = changed_parts_s(job.setting, layout, slowdown)
    return StepOnFabric(
        study=name,
        fabric=job.fabric_name,
        system=job.system,
        job=job.name,
        layout=layout.text(),
        pool=job.pool,
        num_accelerators=layout.world_size,
        conditions=conditions,
        traffic=tuple(rows),
        slowdown=slowdown,
        planned_step_s=job.estimate.step_s,
        step_s=sum(parts.values()),
        parts_s=parts,
        simulated_s=time.perf_counter() - started,
    )


def _row(job: _Job, one: StepCollective, ranks: Ranks, conditions: Conditions) -> StepTraffic:
    algorithm, phases = _phases(job, one, ranks)
    line_rate_s = sum(part.repeats * full_rate_s(ranks, part.flows) for part in phases)
    network_s = 0.0
    if line_rate_s:
        activity = Activity(one.name, phases)
        with at_key(f"traffic of {one.kind.upper()}"):
            efficiency = efficiency_of(job.cluster, conditions)
            network_s = run_on(job.network, job.fabric, [activity], conditions, efficiency).makespan_s
    return StepTraffic(
        kind=one.kind,
        name=one.name,
        block=one.block,
        operation=one.operation,
        algorithm=algorithm,
        group=one.groups.shape[1],
        stride=abs(int(one.groups[0, 1] - one.groups[0, 0])),
        groups=len(one.groups),
        bytes_per_run=one.bytes_,
        runs_per_step=one.calls,
        sent_bytes_per_step=one.sent_bytes,
        line_rate_s=line_rate_s,
        network_s=network_s,
    )


def _phases(job: _Job, one: StepCollective, ranks: Ranks) -> tuple[str, tuple[Phase, ...]]:
    """The algorithm of a collective and its phases: two levels wherever several ranks of a group share a host."""
    if one.operation == "send":
        return "direct", (phase(ranks, one.groups[:, 0], one.groups[:, 1], one.bytes_),)
    algorithm = "hierarchical"
    if one.operation == "all-to-all" and not job.setting.stack.dispatch_once_per_domain:
        algorithm = "direct"
    return algorithm, phases_of(one.operation, algorithm, ranks, one.groups, one.bytes_, job.network)


def _slowdown(rows: tuple[StepTraffic, ...]) -> dict[str, float]:
    """By kind of traffic that enters the network."""
    found: dict[str, float] = {}
    for kind in dict.fromkeys(row.kind for row in rows if row.line_rate_s):
        own = [row for row in rows if row.kind == kind and row.line_rate_s]
        planned = sum(row.runs_per_step * row.line_rate_s for row in own)
        found[kind] = sum(row.runs_per_step * row.network_s for row in own) / planned
    return found
