"""Plans the services of a system: on which pool, with how many accelerators at the peak, for how much a year."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from myriad import catalog
from myriad.api.domain import model_caveats
from myriad.api.serving_choice import cheapest
from myriad.api.serving_money import serving_cost
from myriad.api.serving_sizing import sized
from myriad.api.spending import over_cap, spending_on
from myriad.errors import InfeasibleError, MissingDataError
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.price import TokenPrices
from myriad.spec.service import FixedDeployment, FixedReplicas, Service
from myriad.spec.service_result import ServiceOnPool, ServicePlan
from myriad.spec.serving import Deployment
from myriad.spec.serving_result import ServingEstimate
from myriad.spec.system import System
from myriad.units import DAY_S, HOUR_S, YEAR_S


def left_for_jobs(system: System, services: tuple[ServicePlan, ...]) -> dict[str, int]:
    """Pool -> accelerators that services leave, of the pools that they use."""
    used: dict[str, int] = {}
    for plan in services:
        if plan.chosen is not None:
            used[plan.chosen.pool] = used.get(plan.chosen.pool, 0) + plan.chosen.num_gpus
    return {pool: system.pools[pool].planned - count for pool, count in used.items()}


def free_clusters(system: System, clusters: Mapping[str, Cluster], left: Mapping[str, int]) -> dict[str, Cluster]:
    """The clusters of all pools with the accelerators that jobs may use, spares left out: 0 where services take all."""
    return {
        name: cluster.model_copy(update={"num_accelerators": left.get(name, system.pools[name].planned)})
        for name, cluster in clusters.items()
    }


@dataclass(frozen=True)
class ServicePlanner:
    """Plans one service after the other; each takes its accelerators from what the ones before it have left."""

    system: System
    models: Mapping[str, Model]
    clusters: Mapping[str, Cluster]
    rates: Mapping[str, float]
    progress: Callable[[str], object] | None = None
    """Called with `service on pool` before each is planned."""

    def plans(self) -> tuple[ServicePlan, ...]:
        """All services, in the order of the file."""
        left = {name: pool.planned for name, pool in self.system.pools.items()}
        found = []
        for name, service in self.system.services.items():
            plan = self._planned(name, service, left)
            if plan.chosen is not None:
                left[plan.chosen.pool] -= plan.chosen.num_gpus
            found.append(plan)
        return tuple(found)

    def _planned(self, name: str, service: Service, left: Mapping[str, int]) -> ServicePlan:
        model = self.models[service.model]
        options = []
        for pool in service.pools or tuple(left):
            if self.progress is not None:
                self.progress(f"{name} on {pool}")
            options.append(self._on_pool(service, model, pool, left[pool]))
        ranked = sorted(options, key=_preference)
        chosen = ranked[0] if ranked[0].feasible else None
        return ServicePlan(
            name=name,
            model=service.model,
            model_name=model.name,
            requests=service.requests,
            promise=service.promise,
            requests_per_s=service.mean_requests_per_s,
            peak_requests_per_s=service.peak_requests_per_s,
            chosen=chosen,
            others=tuple(ranked[1:] if chosen else ranked),
            caveats=model_caveats(model),
        )

    def _on_pool(self, service: Service, model: Model, pool: str, left: int) -> ServiceOnPool:
        if left < 1:
            return ServiceOnPool(pool=pool, feasible=False, reason="other services take all of its accelerators")
        cluster = self.clusters[pool].model_copy(update={"num_accelerators": left})
        try:
            estimate = self._deployed(service, model, cluster)
        except (InfeasibleError, MissingDataError) as error:
            return ServiceOnPool(pool=pool, feasible=False, reason=str(error))
        domain = cluster.scale_up_domain
        num_gpus = min(math.ceil(estimate.deployment.gpus / domain) * domain, self.system.pools[pool].planned)
        base = ServiceOnPool(pool=pool, feasible=True, num_gpus=num_gpus, estimate=estimate)
        if max(num_gpus, estimate.deployment.gpus) > left:
            reason = f"needs {num_gpus:,} accelerators at its peak; {left:,} are left"
            return base.model_copy(update={"feasible": False, "reason": reason})
        return self._priced(service, model, cluster, base, estimate)

    def _deployed(self, service: Service, model: Model, cluster: Cluster) -> ServingEstimate:
        """The deployment that answers the peak with the fewest accelerators."""
        asked, promise, peak = service.requests, service.promise, service.peak_requests_per_s
        meant = self.system.models.get(service.model, service.model)
        name = meant if isinstance(meant, str) else service.model
        if service.deployment is not None:
            return sized(model, name, cluster, service.deployment, service.work, asked, promise, peak)
        try:
            return cheapest(model, name, cluster, asked, promise, service.work, service.precisions, peak)
        except InfeasibleError:
            # A search for a rate follows a bounded number of deployments, which at hundreds of replicas may all just
            # miss it: then the sides that are best on all accelerators are counted out for the rate.
            best = cheapest(model, name, cluster, asked, promise, service.work, service.precisions).deployment
            return sized(model, name, cluster, _sides(best), service.work, asked, promise, peak)

    def _priced(
        self, service: Service, model: Model, cluster: Cluster, base: ServiceOnPool, estimate: ServingEstimate
    ) -> ServiceOnPool:
        """Money and energy of a year under the pool's terms: accelerators are held for the peak, day and night."""
        pool = self.system.pools[base.pool]
        spent = spending_on(base.pool, pool, base.num_gpus, YEAR_S, cluster.watts_per_accelerator, self.rates)
        utilisation = service.mean_requests_per_s / estimate.requests_per_s
        prices = self._prices(service)
        year_requests = service.mean_requests_per_s * YEAR_S
        found: dict[str, object] = {
            "utilisation": utilisation,
            "costs": spent.costs,
            "energy_joules_per_year": spent.energy_joules,
            "missing": spent.missing,
        }
        if spent.costs:
            usd = sum(line.amount_usd for line in spent.costs)
            per_gpu_hour = usd / (estimate.deployment.gpus * YEAR_S / HOUR_S)
            cost = serving_cost(estimate, model, cluster, per_gpu_hour, min(utilisation, 1.0), prices, self.rates)
            reason = over_cap(base.pool, pool, usd, YEAR_S / DAY_S, self.rates)
            found |= {"cost": cost, "usd_per_year": usd, "feasible": not reason, "reason": reason}
            if cost.list_prices:
                tokens = service.requests.input_tokens + service.requests.output_tokens
                found["revenue_usd_per_year"] = year_requests * tokens * cost.list_prices[0].usd.blended / 1e6
        return base.model_copy(update=found)

    def _prices(self, service: Service) -> dict[str, TokenPrices]:
        given = service.list_prices
        if isinstance(given, str):
            return {given: catalog.token_price(given)}
        return {} if given is None else {"this file": given}


def _sides(deployment: Deployment) -> FixedDeployment:
    """The sides of a deployment without their counts."""
    before = deployment.prefill
    return FixedDeployment(
        replicas=FixedReplicas(layout=deployment.replicas.layout, work=deployment.replicas.work),
        prefill=None if before is None else FixedReplicas(layout=before.layout, work=before.work),
    )


def _preference(option: ServiceOnPool) -> tuple[bool, float, int]:
    """Sorts options: feasible, then by money a year, then by accelerators."""
    usd = option.usd_per_year
    return (not option.feasible, float("inf") if usd is None else usd, option.num_gpus)
