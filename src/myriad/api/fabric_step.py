"""What a fabric, whole or broken, makes of the traffic of a planned training step, and of the step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from myriad import catalog
from myriad.api.fabric import fabric_of, network_of
from myriad.api.fabric_traffic import Progress
from myriad.api.named import models_of
from myriad.api.plan import plan, setting_of_job
from myriad.api.step_study import JobOnFabric, study
from myriad.errors import InfeasibleError, SpecError, unknown_name
from myriad.estimate.step_traffic import step_traffic
from myriad.estimate.training import estimate_layout
from myriad.spec.fabric import Damage, LinkFault, SwitchFault
from myriad.spec.layout import Layout
from myriad.spec.result import Plan
from myriad.spec.system import System
from myriad.spec.traffic import Conditions
from myriad.spec.traffic_result import StepOnFabric

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


def step_on_fabric(
    fabric: str,
    system: Path,
    job: str,
    conditions: Conditions | None = None,
    planned: Plan | None = None,
    progress: Progress | None = None,
    draw_it: bool = False,
) -> StepOnFabric:
    """The traffic of a job's planned step on a fabric that joins its whole pool, and the step time that follows.

    Each collective of `estimate.step_traffic` runs alone, all its groups at once; its time in the network over that at
    the cards' line rate slows down the traffic of its kind in the estimate (`changed_parts_s`). Tensor parallelism is
    taken to stay inside hosts. `planned` is the plan of the file, else it is made; with
    `draw_it` the result has the fabric drawn, and the heat of all traffic of a step. Raises SpecError for wrong names,
    InfeasibleError where nothing was planned, or the traffic finds no path.
    """
    found = _job(fabric, system, job, planned)
    return study(found, "", conditions or Conditions(), progress, draw_it)


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
        results.append(study(found, name, conditions))
        if progress is not None:
            progress(number + 1, len(studies))
    return tuple(results)


def _job(fabric: str, path: Path, job: str, planned: Plan | None) -> JobOnFabric:
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
    return JobOnFabric(system.name, job, pool, setting, cluster, estimate, fabric, described, network, traffic)


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
