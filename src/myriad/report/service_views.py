"""What reports show of services and no result holds as such: sides of a deployment, rows of the cost of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from myriad.spec.service_result import ServiceOnPool, ServicePlan
from myriad.spec.serving import Replicas
from myriad.spec.serving_money import ListPrice, ServingCost
from myriad.spec.serving_result import ServingEstimate

SideName = Literal["prefill", "decode", "both"]


@dataclass(frozen=True)
class SideRow:
    """Replicas of one side at full use."""

    side: SideName
    replicas: Replicas
    tokens_per_s_per_gpu: float
    """Input tokens, cached ones too, where it prefills; else output tokens."""
    iteration_s: float


def sides_of(estimate: ServingEstimate) -> list[SideRow]:
    """The sides of a deployment, prefill first."""
    deployment, rate = estimate.deployment, estimate.requests_per_s
    output = rate * estimate.requests.output_tokens / deployment.replicas.gpus
    if deployment.prefill is None:
        return [SideRow("both", deployment.replicas, output, estimate.decode_s)]
    taken = rate * estimate.requests.input_tokens / deployment.prefill.gpus
    return [
        SideRow("prefill", deployment.prefill, taken / max(estimate.prefill_share, 1e-9), estimate.prefill_s),
        SideRow("decode", deployment.replicas, output, estimate.decode_s),
    ]


@dataclass(frozen=True)
class TokenRow:
    """One kind of token: GPU-seconds, cost and price per million."""

    kind: Literal["input", "cached", "output", "blended"]
    gpu_s: float
    usd: float
    price_usd: float | None


def token_rows(cost: ServingCost) -> list[TokenRow]:
    """The kinds that there are, then all of a request together."""
    listed = listed_of(cost)
    kinds: tuple[Literal["input", "cached", "output", "blended"], ...] = ("input", "cached", "output", "blended")
    found = []
    for kind in kinds:
        gpu_s, usd = getattr(cost.gpu_s, kind), getattr(cost.usd, kind)
        if usd is not None:
            found.append(TokenRow(kind, gpu_s, usd, getattr(listed.usd, kind) if listed is not None else None))
    return found


def listed_of(cost: ServingCost) -> ListPrice | None:
    """The price that the tokens of a service sell for, if there is one."""
    return cost.list_prices[0] if cost.list_prices else None


def margin_of(pool: ServiceOnPool) -> float | None:
    """What is left of the revenue of a year, as a share of it."""
    if pool.usd_per_year is None or not pool.revenue_usd_per_year:
        return None
    return 1.0 - pool.usd_per_year / pool.revenue_usd_per_year


def pools_of_service(service: ServicePlan) -> list[ServiceOnPool]:
    """The chosen pool first, then the others as planned."""
    return [*([service.chosen] if service.chosen else []), *service.others]
