"""What collectives get from a fabric, flow by flow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from myriad import catalog
from myriad.api.fabric import fabric_of, network_of
from myriad.api.fabric_ranks import domain_size, efficiency_of, num_free, ranks_of
from myriad.errors import InfeasibleError, SpecError, unknown_name
from myriad.estimate.collectives import send_recv_s
from myriad.estimate.fabric.damage import damaged
from myriad.estimate.fabric.drawing import draw
from myriad.estimate.fabric.heat import fabric_heat
from myriad.estimate.fabric.network import Network
from myriad.estimate.nccl_tests import NAMED, TIMES, bus_factor
from myriad.estimate.tiers import place
from myriad.sim.network.algorithms import phases_of
from myriad.sim.network.flows import Activity, IntArray
from myriad.sim.network.ranks import groups_of
from myriad.spec.cluster import Cluster
from myriad.spec.fabric import LINK_CLASSES, TIERS, Damage, Fabric
from myriad.spec.fabric_heat import FabricPictures
from myriad.spec.fabric_result import FabricComparison
from myriad.spec.traffic import CollectiveTraffic, Conditions
from myriad.spec.traffic_result import HotLink, Run, TierUse, TrafficResult

if TYPE_CHECKING:
    from myriad.sim.network.run import NetworkRun

COMPARED: Final[Mapping[str, CollectiveTraffic]] = MappingProxyType(
    {
        "all-reduce": CollectiveTraffic(collective="all-reduce", size=2.0**30),
        "all-to-all of 64": CollectiveTraffic(collective="all-to-all", size=2.0**30, group=64),
    }
)
"""1 GiB each: summed over all accelerators; sent by each to those of its group of neighbours."""
Progress = Callable[[int, int], None]
MOST_HOT = 8
"""Links named as the hottest."""
MOST_FLOWS = 1 << 24
"""Rows of flows in all phases; more would take minutes."""


def simulate_collective(
    fabric: str,
    cluster: str,
    traffic: CollectiveTraffic,
    conditions: Conditions | None = None,
    progress: Progress | None = None,
    draw_it: bool = False,
) -> TrafficResult:
    """Time and bandwidth of a collective on a fabric for the cluster `NAME:COUNT`, and how busy its links are.

    `fabric` is a name of the catalog or a file; conditions come on top of its own damage. All free hosts are used;
    ranks beyond the last whole block of groups stay idle. With `draw_it` the result has the fabric drawn, and its heat.
    Raises SpecError for wrong names and groups, InfeasibleError where the fabric cannot join the cluster, or damage
    cuts off what the traffic needs.
    """
    conditions = conditions or Conditions()
    described = fabric_of(fabric)
    node, number = catalog.counted_node(cluster)
    joined = catalog.cluster(cluster)
    network = network_of(described, node, number)
    _check_reduces(described, traffic)
    domain, _ = domain_size(joined, network)
    each = num_free(joined, network, conditions) // domain // traffic.jobs * domain
    groups = _groups(traffic, each)
    size = groups.shape[1]
    ranks = ranks_of(joined, described, network, conditions, each * traffic.jobs, size * traffic.stride)
    started = time.perf_counter()
    hashed = (conditions.routing or described.routing) == "ecmp"
    way = traffic.collective, traffic.way
    activities = [
        Activity(f"job {job}", phases_of(*way, ranks, groups + job * each, traffic.size, network, hashed))
        for job in range(traffic.jobs)
    ]
    run = run_on(network, described, activities, conditions, efficiency_of(joined, conditions), progress)
    now = as_it_is(network, described, conditions)
    pictures = None
    if draw_it:
        used = run.link_utilisation
        pictures = FabricPictures(drawing=draw(now, described.topology, used), heat=fabric_heat(now, used))
    factor, ideal_s = float(bus_factor(NAMED[traffic.collective], size)), _ideal_s(traffic, joined, size)
    return TrafficResult(
        fabric=fabric,
        cluster=cluster,
        num_accelerators=number,
        num_hosts=network.num_hosts,
        num_endpoints=network.num_endpoints,
        num_switches=network.num_switches,
        num_links=network.num_links,
        traffic=traffic,
        group=size,
        groups=len(groups) * traffic.jobs,
        conditions=conditions,
        routing=conditions.routing or described.routing,
        flows_per_pair=conditions.flows_per_pair or described.flows_per_pair,
        efficiency=efficiency_of(joined, conditions),
        run=summary(now, activities, run, time.perf_counter() - started),
        algorithm_bytes_per_s=traffic.size / run.makespan_s,
        bus_bytes_per_s=factor * traffic.size / run.makespan_s,
        ideal_s=ideal_s,
        ideal_bus_bytes_per_s=factor * traffic.size / ideal_s,
        pictures=pictures,
    )


def with_traffic(comparison: FabricComparison, progress: Progress | None = None) -> FabricComparison:
    """The comparison with times of `COMPARED` on each fabric, packed, routed as the fabric says.

    A time that cannot be had is left out: flows hashed one by one may be too many, for example.
    """
    rows = []
    for number, row in enumerate(comparison.rows):
        times_s: dict[str, float] = {}
        for name, traffic in COMPARED.items() if row.description is not None else ():
            with suppress(InfeasibleError, SpecError):
                times_s[name] = simulate_collective(row.name, comparison.cluster, traffic).run.makespan_s
        rows.append(row.model_copy(update={"collectives_s": times_s}))
        if progress is not None:
            progress(number + 1, len(comparison.rows))
    return comparison.model_copy(update={"rows": tuple(rows)})


def run_on(
    network: Network,
    fabric: Fabric,
    activities: Sequence[Activity],
    conditions: Conditions,
    efficiency: float,
    progress: Progress | None = None,
) -> NetworkRun:
    """The simulation on the network as the fabric and the conditions break it."""
    from myriad.sim.network.run import simulate  # loads numba, where it is installed

    _check_damage(fabric, conditions.damage)
    rows = sum(len(phase.flows) for one in activities for phase in one.phases)
    if rows > MOST_FLOWS:
        raise InfeasibleError(f"{rows:,} flows in all phases; at most {MOST_FLOWS:,}: choose another algorithm")
    if progress is not None:
        progress(0, 1)
    run = simulate(
        as_it_is(network, fabric, conditions),
        activities,
        conditions.routing or fabric.routing,
        flows_per_pair=conditions.flows_per_pair or fabric.flows_per_pair,
        seed=conditions.seed,
        efficiency=efficiency,
    )
    if progress is not None:
        progress(1, 1)
    return run


def as_it_is(network: Network, fabric: Fabric, conditions: Conditions) -> Network:
    """The network with the damage of the fabric and of the conditions."""
    return damaged(damaged(network, fabric.damage), conditions.damage)


def summary(network: Network, activities: Sequence[Activity], run: NetworkRun, simulated_s: float) -> Run:
    """What a simulation says of links and times."""
    used = run.link_utilisation
    classes = [(name, network.links(name)) for name in network.link_classes]
    live = {name: links[network.bytes_per_s[links] > 0] for name, links in classes}
    hottest = np.argsort(-used, kind="stable")[:MOST_HOT]
    return Run(
        makespan_s=run.makespan_s,
        activity_s={one.name: one.end_s for one in run.activities},
        use=tuple(
            TierUse(
                link_class=name,
                direction=direction,
                links=len(links),
                mean_fraction=float(used[2 * live[name] + way].mean()) if len(live[name]) else 0.0,
                max_fraction=float(used[2 * links + way].max()),
            )
            for name, links in classes
            if len(links)
            for way, direction in enumerate(("up", "down"))
        ),
        hottest=tuple(
            _hot(network, int(directed), float(used[directed])) for directed in hottest if used[directed] > 0
        ),
        flows=sum(len(phase.flows) for one in activities for phase in one.phases),
        solves=run.num_solves,
        simulated_s=simulated_s,
    )


def _hot(network: Network, directed: int, used: float) -> HotLink:
    link, way = divmod(directed, 2)
    return HotLink(
        link_class=network.link_classes[network.link_class[link]],
        lower=_name(network, int(network.lower[link])),
        upper=_name(network, int(network.upper[link])),
        direction="down" if way else "up",
        used_fraction=used,
    )


def _name(network: Network, vertex: int) -> str:
    """`host 3 card 1`, or a switch by its place within its tier."""
    if vertex < network.num_endpoints:
        host, card = divmod(vertex, network.nics_per_host)
        return f"host {host} card {card}"
    tier = network.tiers[network.switch_tier[vertex - network.num_endpoints]]
    return f"{tier} {int(np.searchsorted(network.switches(tier), vertex))}"


def _groups(traffic: CollectiveTraffic, ranks: int) -> IntArray:
    """All groups of one job. Raises SpecError where not even one fits."""
    size = traffic.group or ranks // traffic.stride
    if size * traffic.stride > ranks or size < 2:
        raise SpecError(
            f"group: {size:,} ranks, {traffic.stride:,} apart, found; a job of {ranks:,} needs at least 2 within it"
        )
    return groups_of(ranks, size, traffic.stride)


def _check_reduces(fabric: Fabric, traffic: CollectiveTraffic) -> None:
    """Raises SpecError where switches are asked to sum and cannot."""
    if traffic.way != "in-switch":
        return
    name = getattr(fabric.topology, "switch", None)
    if name is None or not catalog.switch(name).reduces:
        raise SpecError(f"algorithm: in-switch asks for switches that sum (SHARP); {name or 'this fabric'} does not")


def _check_damage(fabric: Fabric, damage: Damage) -> None:
    """Raises SpecError for classes of links and tiers of switches that no such topology has."""
    kind = fabric.topology.kind
    named = [("class of links", one.tier, LINK_CLASSES[kind]) for one in damage.links if one.tier]
    named += [("tier", one.tier, TIERS[kind]) for one in damage.switches]
    for what, name, known in named:
        if name not in known:
            raise SpecError(f"damage: {unknown_name(what, name, known)}")


def _ideal_s(traffic: CollectiveTraffic, cluster: Cluster, size: int) -> float:
    """Time by the formulas of `estimate.collectives`, in seconds."""
    if traffic.collective == "send-recv":
        return float(send_recv_s(traffic.size, traffic.stride * max(size / 2, 1.0), cluster.links))
    return float(TIMES[NAMED[traffic.collective]](traffic.size, place(size, traffic.stride, cluster.links)))
