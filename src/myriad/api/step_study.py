"""The traffic of one planned training step, run on a network under given conditions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from myriad.api.fabric_ranks import efficiency_of, network_only, ranks_of
from myriad.api.fabric_traffic import Progress, as_it_is, run_on
from myriad.api.named import at_key
from myriad.api.step_change import changed_parts_s
from myriad.estimate.fabric.drawing import draw
from myriad.estimate.fabric.heat import fabric_heat
from myriad.estimate.fabric.network import Network
from myriad.estimate.setting import Setting
from myriad.estimate.step_traffic import StepCollective
from myriad.sim.network.algorithms import phases_of
from myriad.sim.network.flows import Activity, Phase
from myriad.sim.network.ranks import Ranks, full_rate_s, phase
from myriad.spec.cluster import Cluster
from myriad.spec.fabric import Fabric
from myriad.spec.fabric_heat import FabricPictures
from myriad.spec.result import TrainingEstimate
from myriad.spec.traffic import Conditions
from myriad.spec.traffic_result import StepOnFabric, StepTraffic

if TYPE_CHECKING:
    from myriad.sim.network.run import NetworkRun


@dataclass(frozen=True)
class JobOnFabric:
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


def study(
    job: JobOnFabric, name: str, conditions: Conditions, progress: Progress | None = None, draw_it: bool = False
) -> StepOnFabric:
    """The step of a planned job on a fabric under conditions; with `draw_it` drawn, with the heat of all its traffic.

    Heat is over the time that collectives take one after the other, each alone.
    """
    started = time.perf_counter()
    layout = job.estimate.layout
    block = layout.ep * layout.etp if layout.ep > 1 else layout.dp * layout.cp * layout.tp
    ranks = network_only(ranks_of(job.cluster, job.fabric, job.network, conditions, layout.world_size, max(block, 1)))
    rows = []
    carried, network_s = np.zeros(2 * job.network.num_links), 0.0
    for number, one in enumerate(job.traffic):
        row, run = _row(job, one, ranks, conditions)
        rows.append(row)
        if run is not None:
            carried += one.calls * run.link_bytes
            network_s += one.calls * run.makespan_s
        if progress is not None:
            progress(number + 1, len(job.traffic))
    pictures = None
    if draw_it:
        now = as_it_is(job.network, job.fabric, conditions)
        rates = np.repeat(now.bytes_per_s, 2) * network_s
        used = np.divide(carried, rates, out=np.zeros_like(carried), where=rates > 0)
        pictures = FabricPictures(drawing=draw(now, job.fabric.topology, used), heat=fabric_heat(now, used))
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
        pictures=pictures,
    )


def _row(
    job: JobOnFabric, one: StepCollective, ranks: Ranks, conditions: Conditions
) -> tuple[StepTraffic, NetworkRun | None]:
    algorithm, phases = _phases(job, one, ranks, (conditions.routing or job.fabric.routing) == "ecmp")
    line_rate_s = sum(part.repeats * full_rate_s(ranks, part.flows) for part in phases)
    run = None
    if line_rate_s:
        activity = Activity(one.name, phases)
        with at_key(f"traffic of {one.kind.upper()}"):
            efficiency = efficiency_of(job.cluster, conditions)
            run = run_on(job.network, job.fabric, [activity], conditions, efficiency)
    row = StepTraffic(
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
        network_s=0.0 if run is None else run.makespan_s,
    )
    return row, run


def _phases(job: JobOnFabric, one: StepCollective, ranks: Ranks, hashed: bool) -> tuple[str, tuple[Phase, ...]]:
    """The algorithm of a collective and its phases: two levels wherever several ranks of a group share a host."""
    if one.operation == "send":
        return "direct", (phase(ranks, one.groups[:, 0], one.groups[:, 1], one.bytes_),)
    algorithm = "hierarchical"
    if one.operation == "all-to-all" and not job.setting.stack.dispatch_once_per_domain:
        algorithm = "direct"
    return algorithm, phases_of(one.operation, algorithm, ranks, one.groups, one.bytes_, job.network, hashed)


def _slowdown(rows: tuple[StepTraffic, ...]) -> dict[str, float]:
    """By kind of traffic that enters the network."""
    found: dict[str, float] = {}
    for kind in dict.fromkeys(row.kind for row in rows if row.line_rate_s):
        own = [row for row in rows if row.kind == kind and row.line_rate_s]
        planned = sum(row.runs_per_step * row.line_rate_s for row in own)
        found[kind] = sum(row.runs_per_step * row.network_s for row in own) / planned
    return found
