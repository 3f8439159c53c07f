"""Deployments of given layouts: how much they answer within a promise, and how many replicas a rate needs."""

from __future__ import annotations

import math

from myriad.api.serving import estimate_serving
from myriad.errors import InfeasibleError
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.service import FixedDeployment, FixedReplicas
from myriad.spec.serving import Deployment, Objective, Replicas, Requests, ServingWork
from myriad.spec.serving_result import ServingEstimate

HALVINGS = 12
"""Steps of the search for the load: it is found to a part in four thousand of its logarithm."""
MOST_TRIES = 30
"""Times that a side is made a twentieth larger before its size is given up."""
WAITS_FROM = 0.6
"""Share of prefill in use from which decoding replicas may wait for it."""


def keeps(estimate: ServingEstimate, objective: Objective) -> bool:
    """Whether a deployment has room for its requests and keeps the promise, held against means."""
    late = objective.ttft is not None and estimate.ttft_s > objective.ttft
    slow = objective.tpot is not None and estimate.tpot_s > objective.tpot
    return estimate.fits and not late and not slow


def at_promise(
    model: Model, cluster: Cluster, deployment: Deployment, requests: Requests, objective: Objective
) -> ServingEstimate:
    """The deployment with as many requests at once as its promise lets it have.

    Raises InfeasibleError where it does not keep the promise even with one request on each replica.
    """

    def at(concurrency: float | None) -> ServingEstimate:
        return estimate_serving(model, cluster, deployment, requests, concurrency)

    most = at(None)
    copies = deployment.replicas.layout.dp * deployment.replicas.count
    if not most.fits:
        raise InfeasibleError(f"{deployment.replicas.layout.text()} has no room for one request of {model.name}")
    low, high = float(deployment.replicas.count), max(most.batch * copies, float(deployment.replicas.count))
    best = at(low)
    if not keeps(best, objective):
        raise InfeasibleError(
            f"{deployment.replicas.layout.text()} does not keep the promised latency: {best.ttft_s:.3g} s to the first "
            f"token, {1e3 * best.tpot_s:.3g} ms per token after it with one request on each replica"
        )
    whole = at(high)
    if keeps(whole, objective):
        return whole
    for _ in range(HALVINGS):
        middle = math.sqrt(low * high)
        found = at(middle)
        if keeps(found, objective):
            low, best = middle, found
        else:
            high = middle
    return best


def sized(
    model: Model,
    model_id: str,
    cluster: Cluster,
    fixed: FixedDeployment,
    work: ServingWork,
    requests: Requests,
    objective: Objective,
    requests_per_s: float,
) -> ServingEstimate:
    """The deployment with as many replicas of each side as a rate needs; counts that are given stay.

    `work` is that of replicas that name none. Raises InfeasibleError where the promise cannot be kept, or where given
    counts answer less than the rate.
    """

    def at(replicas: int, prefill: int) -> ServingEstimate:
        deployment = Deployment(
            model=model_id,
            accelerator=cluster.accelerator_id,
            replicas=_counted(fixed.replicas, replicas, work),
            prefill=None if fixed.prefill is None else _counted(fixed.prefill, prefill, work),
        )
        return at_promise(model, cluster, deployment, requests, objective)

    free = fixed.replicas.count is None
    free_prefill = fixed.prefill is not None and fixed.prefill.count is None
    replicas = fixed.replicas.count or 1
    prefill = fixed.prefill.count or 1 if fixed.prefill is not None else 0
    found = at(replicas, prefill)
    while free_prefill and found.prefill_share > WAITS_FROM:
        prefill *= 2
        found = at(replicas, prefill)
    if free_prefill:
        prefill = math.ceil(requests_per_s / (found.requests_per_s / found.prefill_share / prefill))
    if free:
        replicas = math.ceil(requests_per_s / (found.requests_per_s / replicas))
    for _ in range(MOST_TRIES):
        found = at(replicas, prefill)
        if found.requests_per_s >= requests_per_s or not (free or free_prefill):
            break
        if free_prefill and (found.prefill_share > WAITS_FROM or not free):
            prefill += math.ceil(prefill / 20)
        else:
            replicas += math.ceil(replicas / 20)
    if found.requests_per_s < requests_per_s * (1.0 - 1e-9):
        raise InfeasibleError(
            f"{replicas} replicas{f' behind {prefill} that prefill' if prefill else ''} answer "
            f"{found.requests_per_s:.3g} requests/s within the promise; the peak has {requests_per_s:.3g}"
        )
    return found


def _counted(fixed: FixedReplicas, count: int, work: ServingWork) -> Replicas:
    return Replicas(layout=fixed.layout, work=fixed.work or work, count=count)
