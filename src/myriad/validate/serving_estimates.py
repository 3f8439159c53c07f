"""Estimates of many measured cases at once: those of one model and machine as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from myriad.errors import InfeasibleError, MissingDataError
from myriad.estimate.serving.disaggregated import Side, disaggregated_state
from myriad.estimate.serving.load import Limits, Load
from myriad.estimate.serving.machine import Cut, Machine
from myriad.estimate.serving.steady import Steady, steady_state
from myriad.spec.cluster import Cluster
from myriad.spec.serving import Replicas, ServingWork
from myriad.validate.serving_cases import ServingCase

MachineOf = Callable[[Cluster, ServingWork], Machine]
"""Binds accelerators and a way to run; raises MissingDataError or SpecError."""


@dataclass(frozen=True)
class CaseEstimate:
    """What the estimate says of one case."""

    ttft_s: float
    tpot_s: float
    output_tokens_per_s_per_gpu: float
    """Of prefill alone, prompt tokens."""
    fits: bool
    saturated: bool


Outcome = CaseEstimate | InfeasibleError | MissingDataError


def groups_of(cases: Sequence[ServingCase]) -> list[list[int]]:
    """Places of the cases that one call can estimate together: all but layout, load and lengths are the same."""
    found: dict[object, list[int]] = {}
    for place, case in enumerate(cases):
        replicas, prefill = case.deployment.replicas, case.deployment.prefill
        alike = (
            case.model.name, case.cluster.accelerator_id, replicas.work, prefill.work if prefill else None,
            case.varied_lengths, case.rounds, case.mode == "prefill", case.mode == "decode",
        )  # fmt: skip
        found.setdefault(alike, []).append(place)
    return list(found.values())


def estimate_cases(
    cases: Sequence[ServingCase], machine_of: MachineOf, progress: Callable[[int, int], None] | None = None
) -> list[Outcome]:
    """The estimate of every case, or why there is none, in the order of the cases.

    `progress` is called with the number of cases estimated and that of all.
    """
    found: list[Outcome] = [MissingDataError("no estimate")] * len(cases)
    done = 0
    for places in groups_of(cases):
        own = [cases[place] for place in places]
        try:
            estimates: Sequence[Outcome] = estimate_group(own, machine_of)
        except (InfeasibleError, MissingDataError) as reason:
            estimates = [reason] * len(own)
        for place, estimate in zip(places, estimates, strict=True):
            found[place] = estimate
        done += len(places)
        if progress is not None:
            progress(done, len(cases))
    return found


def estimate_group(cases: Sequence[ServingCase], machine_of: MachineOf) -> list[CaseEstimate]:
    """The estimates of cases that `groups_of` put together. Raises what `machine_of` raises."""
    first = cases[0]
    # Links are the same whatever the count; the largest cluster has all of their tiers.
    cluster = max((case.cluster for case in cases), key=lambda one: one.num_accelerators)
    decode = _side([case.deployment.replicas for case in cases], cluster, machine_of)
    gpus = np.array([float(case.deployment.gpus) for case in cases])
    output = np.array([float(case.requests.output_tokens) for case in cases])
    if first.deployment.prefill is not None:
        prefill = _side([c.deployment.prefill for c in cases if c.deployment.prefill], cluster, machine_of)
        steady = disaggregated_state(first.model, prefill, decode, _load(cases, np.ones_like(gpus)))
        rate = steady.requests_per_s
    elif first.mode == "decode":
        steady = _decode_alone(cases, decode)
        rate = steady.requests_per_s * decode.replicas
    else:
        steady = steady_state(first.model, decode.cut, decode.machine, _load(cases, decode.replicas), decode.limits)
        rate = steady.requests_per_s * decode.replicas
        if first.mode == "prefill":
            output = np.array([float(case.requests.input_tokens) for case in cases])
    columns = (steady.ttft_s, steady.tpot_s, rate * output / gpus, steady.fits, steady.saturated)
    return [
        CaseEstimate(float(ttft), float(tpot), float(tokens), bool(fits), bool(saturated))
        for ttft, tpot, tokens, fits, saturated in zip(*columns, strict=True)
    ]


def _decode_alone(cases: Sequence[ServingCase], decode: Side) -> Steady:
    """Decoding of sequences whose prompts were prefilled before: a prompt of which all but one token is cached."""
    load = _load(cases, decode.replicas)
    cached = Load(
        load.concurrency, load.input_tokens, load.output_tokens, load.input_tokens - 1.0, load.rounds, load.equal
    )
    return steady_state(cases[0].model, decode.cut, decode.machine, cached, decode.limits)


def _side(replicas: Sequence[Replicas], cluster: Cluster, machine_of: MachineOf) -> Side:
    work = replicas[0].work
    machine = machine_of(cluster, work)
    rows = len(replicas)
    limits = Limits(
        batched_tokens=np.full(rows, float(work.max_batched_tokens or machine.engine.max_batched_tokens)),
        sequences=np.full(rows, float(work.max_sequences or machine.engine.max_sequences)),
        memory_fraction=work.memory_fraction,
        speculation=work.speculation,
        stream_interval=float(work.stream_interval),
        balance_iterations=float(work.balance_iterations),
    )
    counts = np.array([float(one.count) for one in replicas])
    return Side(Cut.of([one.layout for one in replicas]), counts, machine, limits)


def _load(cases: Sequence[ServingCase], replicas: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Load:
    requests = [case.requests for case in cases]
    concurrency = np.array([np.inf if case.concurrency is None else float(case.concurrency) for case in cases])
    return Load(
        concurrency=concurrency / replicas,
        input_tokens=np.array([float(one.input_tokens) for one in requests]),
        output_tokens=np.array([float(one.output_tokens) for one in requests]),
        cached_tokens=np.array([one.cached_fraction * one.input_tokens for one in requests]),
        rounds=cases[0].rounds,
        equal=not cases[0].varied_lengths,
    )
