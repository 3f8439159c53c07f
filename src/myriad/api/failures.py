"""A pool as its failures see it: profile, node, network and life looked up and counted."""

from __future__ import annotations

import numpy as np

from myriad import catalog
from myriad.api.fabric import hosts_of, network_of, switches_of
from myriad.errors import SpecError
from myriad.estimate.fabric.counts import switches_by_tier
from myriad.estimate.fabric.growth import scalable_unit_hosts
from myriad.sim.campaign import Windows
from myriad.sim.failures import Breakable
from myriad.spec.cluster import Node
from myriad.spec.fabric import Fabric, FatTree
from myriad.spec.life import Life, Maintenance, PowerCap
from myriad.spec.reliability import Reliability
from myriad.spec.system import Pool

NEW = Life()


def reliability_of(named: str | Reliability) -> Reliability:
    """The profile of the catalog with this name, or the one that is written out. Raises SpecError with near names."""
    return catalog.reliability(named) if isinstance(named, str) else named


def breakable_of(
    reliability: str | Reliability, node: Node, num_nodes: int, life: Life = NEW, fabric: Fabric | None = None
) -> Breakable:
    """A pool that has so many nodes at the start and grows as its life says.

    Nodes that join later are numbered behind the first ones, in the order in which they join. All have been under test
    for the burn-in when they enter service, the first ones also as old as the life says. A fabric, built for all of
    them, counts switches, ports and the nodes that share a leaf; without one each accelerator has a port, and the
    profile says the rest.
    Raises SpecError for wrong names and for growth by parts of nodes, InfeasibleError where the fabric is too small.
    """
    profile = reliability_of(reliability)
    joined, age = [np.zeros(num_nodes)], [np.full(num_nodes, life.age + life.burn_in)]
    for step in sorted(life.growth, key=lambda one: one.at):
        more, part = divmod(step.count, node.num_accelerators)
        if part:
            raise SpecError(
                f"life.growth: {step.count} accelerators are not a whole number of nodes of {node.num_accelerators}"
            )
        joined.append(np.full(more, step.at))
        age.append(np.full(more, life.burn_in))
    joined_s, age_s = np.concatenate(joined), np.concatenate(age)
    links, switches, per_leaf = _network(profile, node, len(joined_s), fabric)
    return Breakable(
        num_nodes=len(joined_s),
        accelerators_per_node=node.num_accelerators,
        links_per_node=links,
        switches=switches,
        causes=tuple(profile.causes.items()),
        nodes_per_leaf=per_leaf,
        nodes_per_rack=profile.nodes_per_rack,
        nodes_per_power_domain=profile.nodes_per_power_domain,
        lemon_share=profile.lemons.share,
        lemon_times=profile.lemons.times,
        joined_s=joined_s,
        age_s=age_s,
    )


def breakable_of_job(reliability: str | Reliability, pool: Pool, node: Node, num_nodes: int) -> Breakable:
    """So many nodes of a pool, those of a job and its spares: what joins the pool later is not for this job."""
    fabric = catalog.fabric(pool.fabric) if isinstance(pool.fabric, str) else pool.fabric
    return breakable_of(reliability, node, num_nodes, pool.life.model_copy(update={"growth": ()}), fabric)


def _network(profile: Reliability, node: Node, num_nodes: int, fabric: Fabric | None) -> tuple[int, float, int]:
    """Ports of a node, switches of all nodes, and nodes that share a leaf."""
    if fabric is None:
        return node.num_accelerators, profile.switches_per_node * num_nodes, profile.nodes_per_leaf
    number = num_nodes * node.num_accelerators
    hosts = hosts_of(fabric, node, number)
    topology = fabric.topology
    planes = topology.planes if isinstance(topology, FatTree) else 1
    unit = scalable_unit_hosts(topology, hosts.nics_per_host, hosts.nic_bytes_per_s, switches_of(fabric))
    switches = sum(switches_by_tier(network_of(fabric, node, number)).values())
    return hosts.nics_per_host * planes, float(switches), unit or profile.nodes_per_leaf


def windows_of(life: Life, num_nodes: int, horizon_s: float) -> Windows | None:
    """Power caps and maintenance until the horizon, joined: the slowest speed, the most nodes out; `None` without any.

    A share of the nodes is rounded up to whole ones.
    """
    caps = [(*_times(cap, horizon_s), cap.speed) for cap in life.power_caps]
    works = [(*_times(one, horizon_s), -(-one.share * num_nodes // 1)) for one in life.maintenance]
    edges = np.unique(np.concatenate([np.empty(0), *(side for one in (*caps, *works) for side in one[:2])]))
    if len(edges) < 2:
        return None
    speed, out = np.ones(len(edges) - 1), np.zeros(len(edges) - 1, dtype=np.int64)
    for start, end, cap in caps:
        speed = np.where(_within(edges, start, end), np.minimum(speed, cap), speed)
    for start, end, nodes in works:
        out = np.where(_within(edges, start, end), np.maximum(out, int(nodes)), out)
    changes = np.flatnonzero((np.diff(speed, prepend=-1.0) != 0.0) | (np.diff(out, prepend=-1) != 0))
    starts, ends = edges[changes], np.append(edges[changes[1:]], edges[-1])
    speed, out = speed[changes], out[changes]
    some = (speed < 1.0) | (out > 0)
    return Windows(starts[some], ends[some], speed[some], out[some]) if some.any() else None


def _times(window: PowerCap | Maintenance, horizon_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of a window and its repetitions, up to the horizon."""
    number = 1 if window.every is None else int(max(horizon_s - window.start, 0.0) // window.every) + 1
    starts = window.start + (window.every or 0.0) * np.arange(number)
    starts = starts[starts < horizon_s]
    return starts, np.minimum(starts + window.lasts, horizon_s)


def _within(edges: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """For the times between neighbouring edges, whether they lie in one of the windows."""
    last = np.searchsorted(start, edges[:-1], side="right") - 1
    result: np.ndarray = (last >= 0) & (edges[:-1] < end[last])
    return result
