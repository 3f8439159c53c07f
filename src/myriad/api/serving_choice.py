"""The deployment that answers requests of one kind with the fewest accelerators, within a promised latency."""

from __future__ import annotations

import numpy as np

from myriad.api.serving import estimate_serving, limits_of, machine_of
from myriad.errors import InfeasibleError
from myriad.estimate.serving.load import Limits, Load
from myriad.estimate.serving.machine import Array, Cut
from myriad.estimate.serving.steady import steady_state
from myriad.spec.cluster import Cluster
from myriad.spec.model import MixtureOfExperts, Model
from myriad.spec.serving import Deployment, Objective, Replicas, Requests, ServingLayout, ServingWork
from myriad.spec.serving_result import ServingEstimate

REQUESTS_PER_GPU = tuple(2.0 ** (step / 4) for step in range(-8, 45))
"""Loads that are tried: requests at once per accelerator."""


def cheapest(
    model: Model, model_id: str, cluster: Cluster, requests: Requests, objective: Objective, work: ServingWork
) -> ServingEstimate:
    """One replica, with as many requests at once as its promise lets it have, that serves most per accelerator.

    Looks at replicas that do both prefill and decode: tensor parallelism within the scale-up domain, and
    data-parallel attention with experts spread over all accelerators, with and without two batches. Promises are held
    against means. Raises InfeasibleError where no replica keeps them, MissingDataError for a precision that the
    accelerator lacks.
    """
    found: list[tuple[float, ServingLayout, ServingWork, float]] = []
    for each in (work, work.model_copy(update={"two_batches": True})):
        layouts = _layouts(model, cluster, wide=each.two_batches)
        if layouts:
            found += _best_of(model, cluster, requests, objective, each, layouts)
    if not found:
        raise InfeasibleError(
            f"no replica on up to {cluster.num_accelerators:,} accelerators keeps the promised latency"
        )
    _, layout, chosen, concurrency = max(found, key=lambda one: one[0])
    deployment = Deployment(
        model=model_id, accelerator=cluster.accelerator_id, replicas=Replicas(layout=layout, work=chosen)
    )
    return estimate_serving(model, cluster, deployment, requests, concurrency)


def _layouts(model: Model, cluster: Cluster, wide: bool) -> list[ServingLayout]:
    sizes = [2**power for power in range(12) if 2**power <= cluster.num_accelerators]
    experts = [b.feed_forward.experts for b in model.blocks.values() if isinstance(b.feed_forward, MixtureOfExperts)]
    spread = [ServingLayout(dp=size, ep=size) for size in sizes if size > 1 and experts and size <= min(experts)]
    if wide:
        return spread
    within = [size for size in sizes if size <= min(cluster.links[0].domain, 16)]
    tensor = [ServingLayout(tp=size, ep=ep) for size in within for ep in {1, size if experts else 1}]
    return tensor + spread


def _best_of(
    model: Model, cluster: Cluster, requests: Requests, objective: Objective, work: ServingWork,
    layouts: list[ServingLayout],
) -> list[tuple[float, ServingLayout, ServingWork, float]]:  # fmt: skip
    """The best of the layouts at its best load: requests per second and accelerator, and what that takes."""
    rows = np.repeat(np.arange(len(layouts)), len(REQUESTS_PER_GPU))
    cut = Cut.of(layouts).take(rows)
    concurrency: Array = np.maximum(np.tile(np.array(REQUESTS_PER_GPU), len(layouts)) * cut.gpus, 1.0)
    bound = machine_of(cluster, work)
    limits: Limits = limits_of(work, bound.engine, len(rows))
    like = np.ones(len(rows))
    load = Load(
        concurrency=concurrency,
        input_tokens=like * requests.input_tokens,
        output_tokens=like * requests.output_tokens,
        cached_tokens=like * requests.input_tokens * requests.cached_fraction,
    )
    steady = steady_state(model, cut, bound, load, limits)
    kept = steady.fits & ~steady.saturated
    if objective.ttft is not None:
        kept &= steady.ttft_s <= objective.ttft
    if objective.tpot is not None:
        kept &= steady.tpot_s <= objective.tpot
    if not kept.any():
        return []
    score = np.where(kept, steady.requests_per_s / cut.gpus, -1.0)
    best = int(np.argmax(score))
    return [(float(score[best]), layouts[int(rows[best])], work, float(concurrency[best]))]
