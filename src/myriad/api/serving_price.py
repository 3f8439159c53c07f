"""Costs of serving beside list prices: models by accelerators, each on its cheapest deployment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from myriad import __version__, catalog
from myriad.api.serving_choice import cheapest
from myriad.api.serving_money import serving_cost
from myriad.errors import InfeasibleError, MissingDataError, SpecError
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.serving import Objective, Requests, ServingWork
from myriad.spec.serving_money import CostPoint, PriceCheck, PriceRow, ServingCost
from myriad.spec.serving_result import ServingEstimate
from myriad.units import HOUR_S

CACHE_SHARES = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Shares of cached input that costs are shown at."""
UTILISATIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Utilisations that costs are shown at."""

Progress = Callable[[int, int], None]


def price_check(
    models: Sequence[str],
    clusters: Sequence[str],
    requests: Requests,
    objective: Objective,
    utilisation: float = 1.0,
    works: Sequence[ServingWork] = (ServingWork(),),
    usd_per_gpu_hour: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> PriceCheck:
    """What tokens of each model cost on each cluster, and what is left at the list prices that the catalog has.

    `usd_per_gpu_hour` has a price for each cluster; without it the first rental price of the catalog holds, whose date
    is named. `works`, engine and precisions, are one for all models or one for each. Raises SpecError for unknown names
    and for lists of other lengths, MissingDataError for accelerators without a rental price.
    """
    start = time.perf_counter()
    if len(works) not in (1, len(models)):
        raise SpecError(f"works: expected one for all, or one for each of {len(models)} models, found {len(works)}")
    if usd_per_gpu_hour is not None and len(usd_per_gpu_hour) not in (1, len(clusters)):
        raise SpecError(
            f"price: expected one for all, or one for each of {len(clusters)} clusters, found {len(usd_per_gpu_hour)}"
        )
    found = [catalog.entry("models", name) for name in models]
    machines = [catalog.cluster(name) for name in clusters]
    prices = [
        rental_price(cluster)
        if usd_per_gpu_hour is None
        else (usd_per_gpu_hour[index % len(usd_per_gpu_hour)], "given")
        for index, cluster in enumerate(machines)
    ]
    rows: list[PriceRow] = []
    for index, model in enumerate(found):
        for cluster, price in zip(machines, prices, strict=True):
            asked = _Asked(model, cluster, objective, works[index % len(works)], price, utilisation)
            rows.append(_row(asked, requests))
            if progress is not None:
                progress(len(rows), len(found) * len(machines))
    return PriceCheck(
        version=__version__,
        input_tokens=requests.input_tokens,
        output_tokens=requests.output_tokens,
        cached_fraction=requests.cached_fraction,
        utilisation=utilisation,
        objective=objective,
        rows=tuple(rows),
        check_s=time.perf_counter() - start,
    )


def rental_price(cluster: Cluster) -> tuple[float, str]:
    """US dollars per accelerator and hour by the first rental price of the catalog, and which that is.

    Raises MissingDataError where the catalog has none.
    """
    rates = {"USD": 1.0, **catalog.usd_per_currency()}
    for name, price in catalog.price_list("gpu-rental").prices.items():
        if price.item == cluster.accelerator_id:
            return price.low.usd(rates) * HOUR_S, f"{name}, {price.date}"
    raise MissingDataError(f"the catalog has no rental price of {cluster.accelerator_id}: give --price")


@dataclass(frozen=True)
class _Asked:
    """One model on one cluster."""

    entry: catalog.Entry
    cluster: Cluster
    objective: Objective
    work: ServingWork
    price: tuple[float, str]
    """US dollars per accelerator and hour, and what says so."""
    utilisation: float

    @property
    def model(self) -> Model:
        assert isinstance(self.entry.spec, Model)
        return self.entry.spec

    def cost(self, requests: Requests) -> tuple[ServingEstimate, ServingCost]:
        """The cheapest deployment for these requests, and what it costs. Raises as `cheapest`."""
        best = cheapest(self.model, self.cluster, requests, self.objective, self.work)
        prices = catalog.token_prices(self.entry.id)
        return best, serving_cost(best, self.model, self.cluster, self.price[0], self.utilisation, prices)


def _row(asked: _Asked, requests: Requests) -> PriceRow:
    row = PriceRow(
        model=asked.entry.id,
        accelerator=asked.cluster.accelerator_id,
        num_gpus=asked.cluster.num_accelerators,
        usd_per_gpu_hour=asked.price[0],
        price_source=asked.price[1],
        estimate=None,
        cost=None,
    )
    try:
        estimate, cost = asked.cost(requests)
    except (InfeasibleError, MissingDataError) as error:
        return row.model_copy(update={"reason": str(error)})
    by_cache = []
    for share in CACHE_SHARES:
        try:
            _, found = asked.cost(requests.model_copy(update={"cached_fraction": share}))
        except InfeasibleError:
            continue  # Prompts that are computed as a whole may take longer than promised.
        by_cache.append(_point(found, share, asked.utilisation, found.usd.blended))
    by_utilisation = [
        _point(cost, requests.cached_fraction, share, cost.usd.blended * asked.utilisation / share)
        for share in UTILISATIONS
    ]
    return row.model_copy(
        update={
            "estimate": estimate,
            "cost": cost,
            "by_cache": tuple(by_cache),
            "by_utilisation": tuple(by_utilisation),
        }
    )


def _point(cost: ServingCost, cached_fraction: float, utilisation: float, blended_usd: float) -> CostPoint:
    listed = cost.list_prices[0].usd.blended if cost.list_prices else None
    return CostPoint(
        cached_fraction=cached_fraction,
        utilisation=utilisation,
        blended_usd=blended_usd,
        margin_fraction=None if listed is None else 1.0 - blended_usd / listed,
    )
