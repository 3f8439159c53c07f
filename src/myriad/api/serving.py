"""Estimate one deployment of one model; names are looked up here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad import catalog
from myriad.errors import InfeasibleError
from myriad.estimate.serving.cache import cache_room_bytes, sequence_bytes, streamed_bytes, weight_bytes, work_bytes
from myriad.estimate.serving.disaggregated import Side, disaggregated_state
from myriad.estimate.serving.load import Limits, Load
from myriad.estimate.serving.machine import Cut, Machine, machine
from myriad.estimate.serving.steady import Steady, steady_state
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.serving import Deployment, Replicas, Requests, ServingWork
from myriad.spec.serving_engine import ServingEngine
from myriad.spec.serving_result import ReplicaMemory, ServingEstimate
from myriad.units import format_bytes

Array = npt.NDArray[np.float64]


def machine_of(cluster: Cluster, work: ServingWork, engine: ServingEngine | None = None) -> Machine:
    """What `work` runs on: devices, links, and the engine of the catalog unless another is given.

    Raises SpecError for an unknown engine, MissingDataError for a precision that the accelerator lacks.
    """
    kernels, calibrated = catalog.kernels(cluster.accelerator_id)
    kernels_id = catalog.kernels_entry(cluster.accelerator_id).id
    return machine(cluster, kernels, kernels_id, engine or catalog.engine(work.engine), work, calibrated)


def limits_of(work: ServingWork, engine: ServingEngine, rows: int = 1) -> Limits:
    """What bounds a batch: the work's own limits, or the engine's."""
    return Limits(
        batched_tokens=np.full(rows, float(work.max_batched_tokens or engine.max_batched_tokens)),
        sequences=np.full(rows, float(work.max_sequences or engine.max_sequences)),
        memory_fraction=work.memory_fraction,
        speculation=work.speculation,
        stream_interval=float(work.stream_interval),
        balance_iterations=float(work.balance_iterations),
    )


def load_of(requests: Requests, concurrency: float | None, rounds: float = float("inf"), equal: bool = False) -> Load:
    """The load of `concurrency` such requests at once; `None`: as many wait as fit."""
    return Load(
        concurrency=np.array([float("inf") if concurrency is None else float(concurrency)]),
        input_tokens=np.array([float(requests.input_tokens)]),
        output_tokens=np.array([float(requests.output_tokens)]),
        cached_tokens=np.array([requests.cached_fraction * requests.input_tokens]),
        rounds=rounds,
        equal=equal,
    )


def side_of(replicas: Replicas, cluster: Cluster) -> Side:
    """One side of a disaggregated deployment."""
    bound = machine_of(cluster, replicas.work)
    cut = Cut.of([replicas.layout])
    return Side(cut, np.array([float(replicas.count)]), bound, limits_of(replicas.work, bound.engine))


def estimate_serving(
    model: str | Model,
    cluster: str | Cluster,
    deployment: Deployment,
    requests: Requests,
    concurrency: float | None,
    rounds: float = float("inf"),
    equal: bool = False,
) -> ServingEstimate:
    """The steady state of a deployment with `concurrency` requests in it at once, or with as many as fit (`None`).

    `rounds` are the requests per place that a benchmark measures, whose first come all at once; without it the means
    are those of a service that has run for long. `equal` says that all requests have the same lengths. Raises SpecError
    for unknown names, MissingDataError for figures that the catalog lacks, InfeasibleError where weights do not fit.
    """
    found = catalog.model(model) if isinstance(model, str) else model
    machines = catalog.cluster(cluster) if isinstance(cluster, str) else cluster
    replicas = deployment.replicas
    load = load_of(requests, concurrency, rounds, equal)
    decode = side_of(replicas, machines)
    if deployment.prefill is not None:
        steady = disaggregated_state(found, side_of(deployment.prefill, machines), decode, load)
        share = 1.0
    else:
        each = load_of(requests, None if concurrency is None else concurrency / replicas.count, rounds, equal)
        steady = steady_state(found, decode.cut, decode.machine, each, decode.limits)
        share = float(replicas.count)
    memory = _memory(found, decode, load, prefills=deployment.prefill is None)
    if memory.cache_bytes <= 0.0:
        raise InfeasibleError(
            f"{found.name} on {replicas.layout.text()}: {format_bytes(memory.weights_bytes)} of weights and "
            f"{format_bytes(memory.work_bytes)} of work space leave no room in "
            f"{format_bytes(memory.capacity_bytes)} for a cache; cut the model over more accelerators, or narrow its "
            "weights"
        )
    return _result(found, deployment, requests, concurrency, steady, share, decode, memory)


def _memory(model: Model, side: Side, load: Load, prefills: bool) -> ReplicaMemory:
    """Memory of replicas that decode; without prefill on them, no work space for prompts."""
    bound, cut, limits = side.machine, side.cut, side.limits
    batched = limits.batched_tokens if prefills else np.zeros_like(limits.batched_tokens)
    whole = sequence_bytes(model, cut, load.input_tokens + load.output_tokens, bound)
    room = cache_room_bytes(model, cut, batched, limits.memory_fraction, bound)
    return ReplicaMemory(
        capacity_bytes=bound.plain.memory_bytes,
        weights_bytes=float(weight_bytes(model, cut, bound)[0]),
        work_bytes=float(work_bytes(model, batched, bound)[0]),
        cache_bytes=float(room[0]),
        sequence_bytes=float(whole[0]),
    )


def _result(
    model: Model,
    deployment: Deployment,
    requests: Requests,
    concurrency: float | None,
    steady: Steady,
    times: float,
    side: Side,
    memory: ReplicaMemory,
) -> ServingEstimate:
    def one(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> float:
        return float(values[0])

    rate = one(steady.requests_per_s) * times
    accepted = 1.0 if side.limits.speculation is None else side.limits.speculation.accepted_tokens
    bandwidth = side.machine.cluster.accelerator.memory_bytes_per_s
    assert bandwidth is not None  # The device was made of it.
    in_turn = steady.batch / side.cut.pp
    streamed = one(streamed_bytes(model, side.cut, in_turn, np.array([float(requests.input_tokens)]), side.machine))
    ttft_s, tpot_s = one(steady.ttft_s), one(steady.tpot_s)
    return ServingEstimate(
        deployment=deployment,
        requests=requests,
        concurrency=concurrency,
        ttft_s=ttft_s,
        tpot_s=tpot_s,
        request_s=ttft_s + (requests.output_tokens - 1) * tpot_s,
        requests_per_s=rate,
        output_tokens_per_s=rate * requests.output_tokens,
        output_tokens_per_s_per_gpu=rate * requests.output_tokens / deployment.gpus,
        input_tokens_per_s_per_gpu=rate * requests.input_tokens / deployment.gpus,
        batch=one(steady.batch),
        most_sequences=one(steady.most_sequences),
        prefill_share=one(steady.prefill_share),
        decode_s=one(steady.decode_s),
        decode_parts_s={part: one(seconds) for part, seconds in steady.decode.items()},
        prefill_s=one(steady.prefill_s),
        prefill_parts_s={part: one(seconds) for part, seconds in steady.prefill.items()},
        lower_bound_tpot_s=float(streamed / bandwidth / accepted),
        memory=memory,
        fits=bool(steady.fits[0]),
        saturated=bool(steady.saturated[0]),
        binding=_binding(steady),
    )


def _binding(steady: Steady) -> str:
    """What limits: room in memory, prefill where it takes half of all iterations or more, else the largest part."""
    if steady.batch[0] >= 0.99 * steady.most_sequences[0]:
        return "memory"
    if steady.prefill_share[0] >= 0.5:
        return "prefill"
    return max(steady.decode, key=lambda part: float(steady.decode[part][0]))
