"""Machines under repair, and whether enough are left: a birth-death chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Repairs:
    """One kind of repair in a pool."""

    per_s: float
    """Repairs that begin, with all machines in service."""
    repair_s: float
    """Mean time of one, given a free crew."""
    nodes: int
    """Machines that are out together."""


def under_repair(pool_nodes: float, repairs: Sequence[Repairs], crews: int | None, most: int) -> FloatArray:
    """Probability that 0, 1, ... `most` machines are out of service. Shape (most + 1,).

    A birth-death chain of repairs: births fall with the machines left, deaths are those of the crews at work
    (`None`: one for each). Each repair holds as many machines as its kind, drawn by rate times length. Exact where all
    repairs are exponential and alike (k-out-of-n with n - k spares and c crews); without a limit on crews also for any
    law of repair times (M/G/inf), as far as the pool is large; else repair times are taken as exponential with their
    mean. Source: any text on queues, for example D. Gross et al., "Fundamentals of Queueing Theory", 4th edition, 2.8.
    """
    offered = [kind.per_s * kind.repair_s for kind in repairs]
    load = sum(offered)
    if load <= 0.0:
        return _none_of(most)
    mean_nodes = sum(a * kind.nodes for a, kind in zip(offered, repairs, strict=True)) / load
    rate = sum(kind.per_s for kind in repairs)
    repair_s = load / rate
    largest = max(1, int(pool_nodes / mean_nodes))
    jobs = _birth_death(largest, rate, repair_s, crews)
    sizes = np.zeros(most + 1)
    for a, kind in zip(offered, repairs, strict=True):
        if kind.nodes <= most:
            sizes[kind.nodes] += a / load
    if all(kind.nodes == 1 for kind in repairs):
        return np.pad(jobs[: most + 1], (0, max(0, most + 1 - len(jobs))))
    found, of_jobs = np.zeros(most + 1), _none_of(most)
    last = int(np.searchsorted(np.cumsum(jobs), 1.0 - 1e-12)) + 1
    for chance in jobs[:last]:
        found += chance * of_jobs
        of_jobs = np.convolve(of_jobs, sizes)[: most + 1]
        if not of_jobs.any():
            break
    return found


def _none_of(most: int) -> FloatArray:
    chances = np.zeros(most + 1)
    chances[0] = 1.0
    return chances


def _birth_death(largest: int, rate: float, repair_s: float, crews: int | None) -> FloatArray:
    """Probability of 0, 1, ... repairs under way, in logarithms until the end."""
    count = np.arange(largest)
    births = rate * (1.0 - count / largest)
    deaths = np.minimum(count + 1, math.inf if crews is None else crews) / repair_s
    log = np.concatenate([[0.0], np.cumsum(np.log(births / deaths))])
    weights = np.exp(log - log.max())
    total: FloatArray = weights / weights.sum()
    return total


def waiting_fraction(pool_nodes: float, spare_nodes: int, repairs: Sequence[Repairs], crews: int | None) -> float:
    """Share of the time in which more machines are out of service than there are spares."""
    return max(0.0, 1.0 - float(under_repair(pool_nodes, repairs, crews, spare_nodes).sum()))


def missing_nodes(
    pool_nodes: float, spare_nodes: int, replica_nodes: int, repairs: Sequence[Repairs], crews: int | None
) -> float:
    """Mean machines that a job lacks: those out of service beyond the spares, in whole replicas."""
    offered = sum(kind.per_s * kind.repair_s * kind.nodes for kind in repairs)
    if offered <= 0.0:
        return 0.0
    widest = max(kind.nodes for kind in repairs)
    most = int(min(pool_nodes, spare_nodes + 20.0 + 10.0 * widest + 4.0 * offered))
    chances = under_repair(pool_nodes, repairs, crews, most)
    beyond = np.maximum(np.arange(most + 1) - spare_nodes, 0)
    whole = -(-beyond // replica_nodes) * replica_nodes
    return float((chances * whole).sum() + max(0.0, 1.0 - chances.sum()) * whole[-1])
