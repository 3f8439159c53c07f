"""What a deployment's tokens cost at a price of its accelerators, and what they earn at list prices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from myriad import catalog
from myriad.api.serving import load_of, side_of
from myriad.errors import SpecError
from myriad.estimate.serving.money import (
    PerKind,
    aggregated_gpu_s,
    cached_share,
    disaggregated_gpu_s,
    margin_fraction,
    token_gpu_s,
    token_usd,
    tokens_of_request,
)
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.price import TokenPrice, TokenPrices
from myriad.spec.serving_money import ListPrice, ServingCost, TokenFigures
from myriad.spec.serving_result import ServingEstimate
from myriad.units import HOUR_S

Array = npt.NDArray[np.float64]

MILLION = 1e6


def serving_cost(
    estimate: ServingEstimate,
    model: Model,
    cluster: Cluster,
    usd_per_gpu_hour: float,
    utilisation: float = 1.0,
    prices: Mapping[str, TokenPrices] | None = None,
    rates: Mapping[str, float] | None = None,
) -> ServingCost:
    """Money per million tokens of an estimate, at a price per accelerator and hour.

    `utilisation` is the share of its throughput that is used, on average over the time that is paid for. `prices` are
    list prices by name, in currencies of `rates` (US dollars per unit; those of the catalog unless given).
    """
    if not 0.0 < utilisation <= 1.0:
        raise SpecError(f"utilisation: expected a share above 0 and up to 1, found {utilisation:g}")
    deployment, load = estimate.deployment, load_of(estimate.requests, estimate.concurrency)
    tokens = tokens_of_request(load.input_tokens, load.output_tokens, load.cached_tokens)
    rate = np.array([estimate.requests_per_s])
    if deployment.prefill is not None:
        side = side_of(deployment.prefill, cluster)
        taken = disaggregated_gpu_s(np.array([deployment.prefill.gpus]), np.array([deployment.replicas.gpus]), rate)
    else:
        side = side_of(deployment.replicas, cluster)
        drafts = deployment.replicas.work.speculation
        # Sequences that decode are requests per second, times the iterations of each, times how long one takes.
        passes = max(estimate.requests.output_tokens - 1.0, 1e-9) / (1.0 if drafts is None else drafts.accepted_tokens)
        decoding = estimate.batch * deployment.replicas.layout.dp * deployment.replicas.count
        mean_s = decoding / (passes * estimate.requests_per_s)
        taken = aggregated_gpu_s(np.array([deployment.gpus]), rate, np.array([estimate.decode_s]), np.array([mean_s]))
    gpu_s = token_gpu_s(*taken, cached_share(model, side, tokens), tokens)
    usd = token_usd(gpu_s, usd_per_gpu_hour / HOUR_S, utilisation)
    known = rates if rates is not None else {"USD": 1.0, **catalog.usd_per_currency()}
    return ServingCost(
        usd_per_gpu_hour=usd_per_gpu_hour,
        utilisation=utilisation,
        gpu_s=_figures(gpu_s, tokens),
        usd=_figures(usd, tokens),
        prefill_fraction=float((taken[0] / (taken[0] + taken[1]))[0]),
        list_prices=tuple(_listed(name, one, tokens, usd, known) for name, one in (prices or {}).items()),
    )


def _figures(values: PerKind, tokens: PerKind) -> TokenFigures:
    """Per million tokens of each kind, and of all."""
    count = tokens.input + tokens.cached + tokens.output
    return TokenFigures(
        input=MILLION * float(values.input[0]),
        cached=MILLION * float(values.cached[0]) if tokens.cached[0] else None,
        output=MILLION * float(values.output[0]),
        blended=MILLION * float((values.of_request(tokens) / count)[0]),
    )


def _listed(name: str, prices: TokenPrices, tokens: PerKind, usd: PerKind, rates: Mapping[str, float]) -> ListPrice:
    sold = PerKind(*(np.array([one.usd(rates)]) for one in (prices.input, prices.of_cached, prices.output)))
    published = prices if isinstance(prices, TokenPrice) else None
    return ListPrice(
        name=name,
        provider=published.provider if published else "",
        date=published.date if published else "",
        terms=published.terms if published else "",
        usd=_figures(sold, tokens),
        margin_fraction=float(margin_fraction(sold.of_request(tokens), usd.of_request(tokens))[0]),
    )
