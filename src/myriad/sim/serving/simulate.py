"""Requests that meet a fleet of serving replicas: latencies, throughput, goodput."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from myriad.errors import InfeasibleError
from myriad.sim.serving.arrivals import Arrivals
from myriad.sim.serving.records import NO_WAY, Records, Way, records_of, seen
from myriad.sim.serving.run import run_fleet
from myriad.sim.serving.summary import summary
from myriad.spec.fleet import Fleet
from myriad.spec.iteration import IterationTable
from myriad.spec.serving import Objective
from myriad.spec.serving_simulation import ServingSimulation


class Simulated(NamedTuple):
    """The result, and the requests that it sums up."""

    result: ServingSimulation
    records: Records


def simulate(
    fleet: Fleet,
    tables: tuple[IterationTable, ...],
    arrivals: Arrivals,
    objective: Objective | None = None,
    seed: int = 0,
    warm_up: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
    way: Way = NO_WAY,
) -> Simulated:
    """What the requests meet.

    `tables` has one table per pool of the fleet, in the order of `Fleet.pools`. The seed decides failures alone:
    arrivals are drawn before. `warm_up` is the share of the first requests that no latency counts. `way` is what
    clients wait for beside the engine's iterations: it is in the time to the first token, the time per token, the whole
    request and the goodput, and in no event. Raises SpecError
    if tables, blocks and fleet do not go together, InfeasibleError if no request fits into the cache.

    Left out: the host between iterations other than in the table; output in the prefix cache; where a cache waits that
    has arrived before its decode replica has room; congestion at the receiving end of a link.
    """
    run = run_fleet(fleet, tables, arrivals, seed, progress=progress)
    records = seen(records_of(run), way)
    if records.refused.all():
        tokens = min(table.cache_tokens for table in tables)
        raise InfeasibleError(f"no request fits into the cache of a replica, which holds {tokens} tokens")
    return Simulated(summary(run, records, fleet, objective, seed, warm_up), records)
