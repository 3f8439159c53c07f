"""A fleet of serving replicas, as a simulation sees it: pools, batching, routing, scaling, failures, the link."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from myriad.spec.base import BytesPerS, Count, Seconds, Spec

PositiveSeconds = Annotated[Seconds, Field(gt=0)]

Batching = Literal["chunked", "prefill-first"]
"""`chunked`: decode goes first, pieces of prompts fill the rest of `max_batched_tokens`. `prefill-first`: whole
prompts, up to `max_batched_tokens` together, run before any decode."""
Router = Literal["round-robin", "least-loaded", "prefix-aware"]
"""`least-loaded`: the fewest prompt tokens of unfinished requests. `prefix-aware`: the fewest of these and of the
request's own tokens that are not cached there, together."""
Order = Literal["fcfs", "priority"]
"""Order of service: arrival, or priority (the lowest number first) and then arrival."""


class Autoscaling(Spec):
    """As many replicas as unfinished requests call for, between two limits."""

    least: Count = 1
    most: Count
    target_requests: float = Field(gt=0)
    """Unfinished requests per replica that are aimed at: below the slots of a replica it is a utilisation, above a
    queue."""
    interval: PositiveSeconds = 15.0
    """Between two decisions. Each starts what is missing, or takes one replica out of service."""
    start_up: Seconds = 120.0
    """From a decision until a new replica answers."""

    @model_validator(mode="after")
    def _ordered(self) -> Autoscaling:
        if self.least > self.most:
            raise ValueError(f"least={self.least} is above most={self.most}")
        return self


class Failures(Spec):
    """Replicas that fail and are repaired; times between failures are exponential, repairs constant."""

    mtbf: PositiveSeconds
    """Mean time of one replica until it fails."""
    repair: Seconds
    """Until it answers again, with empty caches."""


class Link(Spec):
    """What carries keys and values from prefill to decode: one per prefill replica, first come, first sent."""

    bandwidth: BytesPerS
    """Of one prefill replica, one way."""
    latency: Seconds = 0.0


class ReplicaPool(Spec):
    """Equal replicas behind one router."""

    replicas: Count = 1
    """At the start; with autoscaling they change."""
    copies: Count = 1
    """Copies of attention of a replica (data-parallel attention): own requests and cache, iterations together."""
    gpus: Count = 1
    """Accelerators of one replica."""
    batching: Batching = "chunked"
    max_batched_tokens: Count = 8192
    """Most new tokens of one iteration of one copy."""
    max_sequences: Count = 256
    """Most requests that run at once on one copy."""
    prefix_cache: bool = True
    router: Router = "least-loaded"
    autoscaling: Autoscaling | None = None
    failures: Failures | None = None

    @model_validator(mode="after")
    def _starts_within_limits(self) -> ReplicaPool:
        scaling = self.autoscaling
        if scaling is not None and not scaling.least <= self.replicas <= scaling.most:
            raise ValueError(f"replicas={self.replicas} is not within autoscaling's {scaling.least} to {scaling.most}")
        return self

    @property
    def most_replicas(self) -> int:
        """Replicas that there can be at once."""
        return self.autoscaling.most if self.autoscaling is not None else self.replicas


class Fleet(Spec):
    """Replicas that do all the work; with `prefill`, those that decode, and others that prefill before."""

    replicas: ReplicaPool
    prefill: ReplicaPool | None = None
    link: Link | None = None
    order: Order = "fcfs"

    @model_validator(mode="after")
    def _linked(self) -> Fleet:
        if (self.prefill is None) != (self.link is None):
            raise ValueError("prefill and link go together: caches travel from prefill to decode replicas")
        return self

    @property
    def pools(self) -> tuple[ReplicaPool, ...]:
        """In the order in which a request meets them."""
        return (self.replicas,) if self.prefill is None else (self.prefill, self.replicas)
