"""What a search over deployments gives: the best under the promised latency, those behind it, the Pareto front."""

from __future__ import annotations

from typing import Literal

from myriad.spec.base import Spec
from myriad.spec.serving import Deployment, Objective, Requests
from myriad.spec.serving_result import ServingEstimate

Limit = Literal["ttft", "tpot", "memory", "prefill", "load"]
"""What keeps a deployment from answering more: a promise, room for cached tokens, iterations or replicas full of
prefill; `load`: nothing, it answers all that is asked for."""


PrefillPlace = Literal["any", "beside", "apart"]
"""Where prompts are prefilled: beside decoding on the same replicas, apart on others, or wherever it is better."""


class DeploymentPoint(Spec):
    """One deployment under one load."""

    deployment: Deployment
    concurrency: float
    """Requests in the deployment at once, of all replicas together."""
    requests_per_s: float
    output_tokens_per_s: float
    output_tokens_per_s_per_gpu: float
    tokens_per_s_per_user: float
    """Rate at which one user sees tokens: one over the mean TPOT."""
    ttft_s: float
    """Mean."""
    ttft_at_percentile_s: float
    """At the percentile of the objective."""
    tpot_s: float
    """Mean."""
    tpot_at_percentile_s: float
    """At the percentile of the objective."""

    @property
    def gpus(self) -> int:
        """Accelerators of all replicas."""
        return self.deployment.gpus


class RankedDeployment(DeploymentPoint):
    """A deployment that keeps the promises, with its place."""

    rank: int
    limit: Limit
    """What keeps it from answering more."""
    gpu_time_parts_s: dict[str, float]
    """Accelerator-seconds per output token by what they go to: kinds of time of decoding, and prefill. Their sum is one
    over the rate per accelerator."""
    loses_by: str
    """What takes more accelerator time per token than in the best, largest first; empty for it."""


class ServingSearch(Spec):
    """What a search over deployments looked at and what it found."""

    version: str
    """Of Myriad."""
    model: str
    """Catalog id."""
    accelerator: str
    """Catalog id."""
    num_gpus: int
    """Accelerators that there are."""
    requests: Requests
    objective: Objective
    requests_per_s: float | None = None
    """Rate asked for; then the best has the fewest accelerators that answer it."""
    concurrency: float | None = None
    """Requests at once asked for; then the best has the highest rate per accelerator."""
    prefill: PrefillPlace = "any"
    """What the ranking holds; the fronts show both."""
    layouts_enumerated: int
    """Layouts of a replica, whether an engine runs them or not."""
    configurations_evaluated: int
    """Deployments under a load whose latency and rate were computed."""
    configurations_fitting: int
    """Of these, those that keep every promise."""
    rejected: dict[str, int]
    """Reason -> count, of layouts and of configurations."""
    search_s: float
    configurations_per_s: float
    best: ServingEstimate
    ranked: tuple[RankedDeployment, ...]
    """The best first; each deployment once, under the most load at which it keeps the promises or what is asked."""
    pareto: tuple[DeploymentPoint, ...]
    """Not beaten in output tokens per second per accelerator and per user at once, the fastest for a user first. Every
    point keeps the promised TTFT, if there is one, but not the promised TPOT."""
    curves: dict[str, tuple[DeploymentPoint, ...]]
    """The same within each kind of deployment: `aggregated TP8`, `disaggregated`."""
