"""What serving costs and earns: money per million tokens, and how it moves with cache hits and utilisation."""

from __future__ import annotations

from myriad.spec.base import Spec
from myriad.spec.serving import Objective
from myriad.spec.serving_result import ServingEstimate


class TokenFigures(Spec):
    """One figure per kind of token, and the mean over all tokens of a request."""

    input: float
    """Input that is not found in the cache."""
    cached: float | None
    """Input that is; `None` where the requests have none."""
    output: float
    blended: float


class ListPrice(Spec):
    """A published price of tokens, in US dollars per million."""

    name: str
    """Name in the catalog, or `this file`."""
    provider: str
    date: str
    terms: str = ""
    usd: TokenFigures
    """Per million tokens; blended over the tokens of the requests."""
    margin_fraction: float
    """What is left of the revenue after the accelerators, as a share of it."""


class ServingCost(Spec):
    """What the tokens of one deployment cost when its accelerators have a price, and what they earn."""

    usd_per_gpu_hour: float
    utilisation: float
    """Share of the capacity that is used, on average over the time that is paid for."""
    gpu_s: TokenFigures
    """GPU-seconds per million tokens, all capacity used."""
    usd: TokenFigures
    """Per million tokens, at the utilisation."""
    prefill_fraction: float
    """Share of the money that prefill takes."""
    list_prices: tuple[ListPrice, ...] = ()


class CostPoint(Spec):
    """The mean token at another share of cache hits or another utilisation, all else as it was."""

    cached_fraction: float
    utilisation: float
    blended_usd: float
    """Per million tokens, of the deployment that is cheapest there."""
    margin_fraction: float | None
    """At the first list price."""


class PriceRow(Spec):
    """One model on one kind of accelerator."""

    model: str
    """Catalog id."""
    accelerator: str
    """Catalog id."""
    num_gpus: int
    """Accelerators that a deployment may use."""
    usd_per_gpu_hour: float
    price_source: str
    """Which price that is: a dated line of the catalog, or given."""
    estimate: ServingEstimate | None
    """Of the cheapest deployment that keeps the promise; `None` where none does."""
    cost: ServingCost | None
    reason: str = ""
    """Why none does."""
    by_cache: tuple[CostPoint, ...] = ()
    by_utilisation: tuple[CostPoint, ...] = ()


class PriceCheck(Spec):
    """Costs of serving beside list prices, models by accelerators."""

    version: str
    input_tokens: int
    output_tokens: int
    cached_fraction: float
    utilisation: float
    objective: Objective
    rows: tuple[PriceRow, ...]
    check_s: float
    """Wall time."""
