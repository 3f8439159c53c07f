"""The deployment that answers requests of one kind with the fewest accelerators, within a promised latency."""

from __future__ import annotations

from collections.abc import Sequence

from myriad.api.serving_search import search_serving
from myriad.errors import InfeasibleError, MissingDataError
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.serving import Objective, Requests, ServingPrecision, ServingWork
from myriad.spec.serving_result import ServingEstimate


def cheapest(
    model: Model,
    model_id: str,
    cluster: Cluster,
    requests: Requests,
    objective: Objective,
    work: ServingWork,
    precisions: Sequence[ServingPrecision] = (),
    requests_per_s: float | None = None,
) -> ServingEstimate:
    """The deployment on up to all accelerators of the cluster that has most requests per second and accelerator.

    With a rate, the one with the fewest accelerators that answers it. The deployment calls the model `model_id`.
    Precisions are those of `work`, or `precisions` in place of its own, of which those that the accelerator lacks are
    passed over. Models with experts are looked at with and without two batches. Raises InfeasibleError where nothing
    keeps the promise, MissingDataError where the accelerator lacks all precisions.
    """
    ways = [work.model_copy(update={"precision": precision}) for precision in precisions or (work.precision,)]
    if model.routed_experts() and not work.two_batches:
        ways += [way.model_copy(update={"two_batches": True}) for way in ways]
    found: list[ServingEstimate] = []
    reasons: list[InfeasibleError | MissingDataError] = []
    for way in ways:
        try:
            searched = search_serving(
                model, cluster, requests, objective, requests_per_s=requests_per_s, work=way,
                precisions=(way.precision,), kv_precisions=(way.kv_precision,), top=1,
            )  # fmt: skip
        except (InfeasibleError, MissingDataError) as error:
            reasons.append(error)
            continue
        named = searched.best.deployment.model_copy(update={"model": model_id})
        found.append(searched.best.model_copy(update={"deployment": named}))
    if not found:
        raise reasons[0]
    if requests_per_s is not None:
        return min(found, key=lambda one: one.deployment.gpus)
    return max(found, key=lambda one: one.requests_per_s / one.deployment.gpus)
