"""Who must leave for the first job: functions `(cluster, job)` that name running jobs, the most expendable first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from myriad.sim.jobs.cluster import Cluster

Victims: TypeAlias = "Callable[[Cluster, int], Iterable[int]]"


def lower_priority(cluster: Cluster, job: int) -> list[int]:
    """Jobs of lower priority: the lowest first, of equal ones those that started last."""
    mine = cluster.priority[job]
    found = [other for _expected, other in cluster.running if cluster.priority[other] < mine]
    return sorted(found, key=lambda other: (cluster.priority[other], -cluster.began_s[other], other))


def borrowers(guaranteed: tuple[float, ...]) -> Victims:
    """For a job within its tenant's guarantee: jobs of tenants that hold more than theirs, the latest start first.

    No tenant is taken below its own guarantee.
    """

    def victims(cluster: Cluster, job: int) -> list[int]:
        shares = [share * cluster.total for share in guaranteed]
        tenant = cluster.tenant[job]
        if cluster.held_by[tenant] + cluster.taken[job] > shares[tenant]:
            return []
        over = [held - share for held, share in zip(cluster.held_by, shares, strict=True)]
        found = []
        for _expected, other in sorted(cluster.running, key=lambda entry: (-cluster.began_s[entry[1]], entry[1])):
            owner, taken = cluster.tenant[other], cluster.taken[other]
            if owner != tenant and over[owner] >= taken:
                over[owner] -= taken
                found.append(other)
        return found

    return victims


def make_room(cluster: Cluster, job: int) -> float:
    """Stops as few of the rules' victims as needed for the job, and starts it.

    The result is 0 where it runs now; else when the next victim will have run long enough, infinite where none will.
    """
    rules, nodes = cluster.rules, cluster.nodes
    assert rules.victims is not None
    expendable, later = [], math.inf
    for other in rules.victims(cluster, job):
        # The very sum that is looked at again later: another one might be late by a rounding, over and over.
        ready_s = cluster.began_s[other] + rules.preempt_after_s
        if ready_s <= cluster.now:
            expendable.append(other)
        else:
            later = min(later, ready_s)
    if not expendable:
        return later
    ask, size = max(cluster.ask[job], 1), nodes.per_node
    wanted, each = -(-ask // size), min(ask, size)
    allowed = cluster.allowed(job)
    usable = {node for node in range(nodes.num_nodes) if nodes.free[node] >= each and _may(cluster, node, allowed)}
    freed: dict[int, int] = {}
    on_node: dict[int, list[int]] = {}
    for other in expendable:
        gives = min(max(cluster.ask[other], 0), size)
        for node in cluster.where[other]:
            if not _may(cluster, node, allowed):
                continue
            freed[node] = freed.get(node, nodes.free[node]) + gives
            on_node.setdefault(node, []).append(other)
            if freed[node] >= each:
                usable.add(node)
        if len(usable) >= wanted:
            # Nodes that are free anyway come first, then those that were freed by the most expendable.
            chosen = [node for node in usable if node not in freed] + [node for node in freed if node in usable]
            chosen = chosen[:wanted]
            for victim in sorted({one for node in chosen for one in on_node.get(node, ())}):
                cluster.preemptions[victim] += 1
                cluster.stop(victim)
            cluster.start(job, chosen)
            return 0.0
    return later


def _may(cluster: Cluster, node: int, allowed: int) -> bool:
    return cluster.nodes.up(node) and bool(allowed & cluster.nodes.bit[node])
