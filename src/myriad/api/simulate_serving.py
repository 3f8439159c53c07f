"""Simulate a deployment of one model under requests; names are looked up here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from myriad import __version__, catalog
from myriad.api.serving import machine_of
from myriad.errors import InfeasibleError, MissingDataError
from myriad.estimate.serving.table import iteration_table
from myriad.spec.cluster import Cluster
from myriad.spec.fleet import Fleet, Link, ReplicaPool
from myriad.spec.model import Model
from myriad.spec.serving import Deployment, Objective, Replicas

if TYPE_CHECKING:
    from myriad.sim.serving import Arrivals, Simulated


def fleet_of(
    cluster: Cluster, deployment: Deployment, like: ReplicaPool | None = None, link: Link | None = None
) -> Fleet:
    """The fleet of a deployment: its layouts, counts and limits, all else as in `like`.

    Without a link, caches travel over the farthest links that one prefill replica has, all its accelerators together.
    Raises MissingDataError where the cluster has none.
    """
    like = like or ReplicaPool()

    def pool(replicas: Replicas) -> ReplicaPool:
        engine = catalog.engine(replicas.work.engine)
        limits = {
            "replicas": replicas.count,
            "copies": replicas.layout.dp,
            "gpus": replicas.layout.gpus,
            "batching": "chunked" if engine.mixing == "mixed" else "prefill-first",
            "max_batched_tokens": replicas.work.max_batched_tokens or engine.max_batched_tokens,
            "max_sequences": replicas.work.max_sequences or engine.max_sequences,
        }
        return like.model_copy(update=limits)

    if deployment.prefill is None:
        return Fleet(replicas=pool(deployment.replicas))
    if link is None and not cluster.links:
        raise MissingDataError(f"{cluster.name} has no link over which caches travel; name its bandwidth")
    if link is None:
        far = cluster.links[-1]
        bandwidth = far.bytes_per_s_one_way * far.efficiency * deployment.prefill.layout.gpus
        link = Link(bandwidth=bandwidth, latency=far.latency_s)
    return Fleet(replicas=pool(deployment.replicas), prefill=pool(deployment.prefill), link=link)


def simulate_serving(
    model: str | Model,
    cluster: str | Cluster,
    deployment: Deployment,
    arrivals: Arrivals,
    objective: Objective | None = None,
    fleet: Fleet | None = None,
    seed: int = 0,
    warm_up: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Simulated:
    """What requests meet in a deployment: latencies, throughput, goodput, and each request.

    Times to the first token, per token and of the whole request are those of a client: beside what is simulated they
    have the engine's `request_s` and `request_token_s` and the work's `stream_interval` (of replicas that decode), as
    an estimate has them.

    `fleet` says what a deployment does not: routing, batching, scaling, failures; without it, `fleet_of`. Raises
    SpecError for unknown names, MissingDataError for figures that the catalog lacks, InfeasibleError where weights
    leave no room for a cache or no request fits.
    """
    from myriad.sim.serving import Simulated, Way, simulate  # loads numba, where that is installed

    found = catalog.model(model) if isinstance(model, str) else model
    machines = catalog.cluster(cluster) if isinstance(cluster, str) else cluster
    fleet = fleet or fleet_of(machines, deployment)
    sides = [deployment.replicas] if deployment.prefill is None else [deployment.prefill, deployment.replicas]
    longest = int((arrivals.input_tokens + arrivals.output_tokens).max(initial=2))
    tables = []
    for replicas, pool in zip(sides, fleet.pools, strict=True):
        work = replicas.work
        table = iteration_table(
            found, replicas.layout, machine_of(machines, work), pool.max_batched_tokens, pool.max_sequences,
            work.memory_fraction, longest, work.speculation,
        )  # fmt: skip
        if table.cache_tokens < table.block_tokens:
            raise InfeasibleError(f"{found.name} on {replicas.layout.text()}: weights leave no room for a cache")
        tables.append(table)
    engine, interval = catalog.engine(deployment.replicas.work.engine), deployment.replicas.work.stream_interval
    way = Way(engine.request_s, engine.request_token_s, interval)
    result, records = simulate(fleet, tuple(tables), arrivals, objective, seed, warm_up, progress, way)
    return Simulated(result.model_copy(update={"version": __version__}), records)
