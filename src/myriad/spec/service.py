"""The service: a model that answers requests, how many of them, what it promises, and what its tokens sell for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from myriad.spec.base import Count, Spec, Tokens
from myriad.spec.price import TokenPrices
from myriad.spec.serving import Objective, Requests, ServingLayout, ServingPrecision, ServingWork
from myriad.units import DAY_S


class FixedReplicas(Spec):
    """Replicas whose layout is given."""

    layout: ServingLayout
    work: ServingWork | None = None
    """How they run, where it differs from the service's own."""
    count: Count | None = None
    """`None`: as many as the peak needs."""


class FixedDeployment(Spec):
    """A deployment that is judged, not searched."""

    replicas: FixedReplicas
    """Replicas that do all the work; with `prefill`, those that decode."""
    prefill: FixedReplicas | None = None


class Service(Spec):
    """A model that answers requests of one kind, day and night."""

    model: str
    """A name from `models` of this file, or a catalog id."""
    pools: tuple[str, ...] = ()
    """Pools it may use, each tried alone; empty means all."""
    requests: Requests
    requests_per_s: Annotated[float, Field(gt=0)] | None = None
    """Mean over the day; or give `tokens_per_day`."""
    tokens_per_day: Tokens | None = None
    """Input and output tokens of a day together, in place of `requests_per_s`."""
    peak_over_mean: float = Field(default=1.0, ge=1)
    """Rate of the busiest time of the day over the mean: what accelerators are held for."""
    promise: Objective = Objective()
    work: ServingWork = ServingWork()
    """Engine, precisions and limits; what a search is free to choose it chooses."""
    precisions: tuple[ServingPrecision, ...] = ()
    """Precisions that are tried in place of that of `work`; those that an accelerator lacks are passed over."""
    list_prices: str | TokenPrices | None = None
    """What its tokens sell for: a token price of the catalog by name, or written out."""
    deployment: FixedDeployment | None = None
    """Fixes the deployment: it is judged, not searched."""
    note: str = ""

    @model_validator(mode="after")
    def _one_rate(self) -> Service:
        if (self.requests_per_s is None) == (self.tokens_per_day is None):
            raise ValueError("give either requests_per_s or tokens_per_day")
        return self

    @property
    def mean_requests_per_s(self) -> float:
        """Requests per second, on average over the day."""
        if self.requests_per_s is not None:
            return self.requests_per_s
        assert self.tokens_per_day is not None
        return self.tokens_per_day / DAY_S / (self.requests.input_tokens + self.requests.output_tokens)

    @property
    def peak_requests_per_s(self) -> float:
        """Requests per second at the busiest time."""
        return self.mean_requests_per_s * self.peak_over_mean
