"""A plan with two services, one of which no pool can run, and a price check, for tests of reports."""

from __future__ import annotations

import report_fixtures
from myriad.spec.money import CostLine
from myriad.spec.result import Plan
from myriad.spec.service_result import ServiceOnPool, ServicePlan
from myriad.spec.serving import Deployment, Objective, Replicas, Requests, ServingLayout, ServingWork
from myriad.spec.serving_money import CostPoint, ListPrice, PriceCheck, PriceRow, ServingCost, TokenFigures
from myriad.spec.serving_result import ReplicaMemory, ServingEstimate

REQUESTS = Requests(input_tokens=4000, output_tokens=1000, cached_fraction=0.5)
PROMISE = Objective(ttft=2.0, tpot=0.05)


def estimate(apart: bool = True) -> ServingEstimate:
    work = ServingWork(engine="sglang", precision="fp8-block")
    deployment = Deployment(
        model="flagship",
        accelerator="h800-sxm",
        replicas=Replicas(layout=ServingLayout(dp=32, ep=32), work=work, count=2),
        prefill=Replicas(layout=ServingLayout(tp=8), work=work, count=4) if apart else None,
    )
    return ServingEstimate(
        deployment=deployment, requests=REQUESTS, concurrency=2048.0, ttft_s=0.8, tpot_s=0.04, request_s=40.8,
        requests_per_s=50.0, output_tokens_per_s=5e4, output_tokens_per_s_per_gpu=520.0,
        input_tokens_per_s_per_gpu=2080.0, batch=32.0, most_sequences=64.0, prefill_share=0.8, decode_s=0.04,
        decode_parts_s={"gemm": 0.03, "host": 0.01}, prefill_s=0.2, prefill_parts_s={"gemm": 0.19, "host": 0.01},
        lower_bound_tpot_s=0.01,
        memory=ReplicaMemory(
            capacity_bytes=8e10, weights_bytes=3e10, work_bytes=5e9, cache_bytes=4e10, sequence_bytes=4e8
        ),
        fits=True, saturated=False, binding="gemm",
    )  # fmt: skip


def cost(scale: float = 1.0) -> ServingCost:
    listed = ListPrice(
        name="deepseek-r1-2025", provider="DeepSeek", date="2025", terms="off-peak hours",
        usd=TokenFigures(input=0.55, cached=0.14, output=2.19, blended=0.714), margin_fraction=0.8,
    )  # fmt: skip
    return ServingCost(
        usd_per_gpu_hour=2.0, utilisation=0.6,
        gpu_s=TokenFigures(input=100.0, cached=10.0, output=500.0, blended=144.0),
        usd=TokenFigures(input=0.1 * scale, cached=0.01 * scale, output=0.4 * scale, blended=0.124 * scale),
        prefill_fraction=0.36, list_prices=(listed,),
    )  # fmt: skip


def plan() -> Plan:
    """The plan of the other fixtures, with services."""
    whole = report_fixtures.plan()
    pool, other = list(whole.pools)[:2]
    chosen = ServiceOnPool(
        pool=pool, feasible=True, num_gpus=96, estimate=estimate(), utilisation=0.6, cost=cost(),
        costs=(CostLine(name="rent", amount_usd=1.7e6, basis="841,536 GPU-h at 2 USD/GPU-h"),),
        usd_per_year=1.7e6, revenue_usd_per_year=9e6, energy_joules_per_year=4e12,
    )  # fmt: skip
    late = ServiceOnPool(
        pool=other, feasible=False, reason="needs 96 accelerators at its peak; 64 are left", num_gpus=96
    )
    named = ServicePlan(
        name="assistant <1>", model="flagship", model_name="Flagship", requests=REQUESTS, promise=PROMISE,
        requests_per_s=30.0, peak_requests_per_s=48.0, chosen=chosen, others=(late,),
    )  # fmt: skip
    nowhere = named.model_copy(update={"name": "nowhere", "chosen": None, "others": (late,)})
    return whole.model_copy(
        update={
            "services": (named, nowhere),
            "for_jobs": {pool: 904},
            "services_usd_per_year": None,
            "warnings": (*whole.warnings, "service nowhere: no pool can run it"),
        }
    )


def price_check() -> PriceCheck:
    points = tuple(
        CostPoint(cached_fraction=share, utilisation=0.6, blended_usd=0.2 - 0.1 * share, margin_fraction=0.7)
        for share in (0.0, 0.5, 0.9)
    )
    used = tuple(
        CostPoint(cached_fraction=0.5, utilisation=share, blended_usd=0.074 / share, margin_fraction=0.7)
        for share in (0.1, 0.5, 1.0)
    )

    def row(model: str, accelerator: str, scale: float) -> PriceRow:
        return PriceRow(
            model=model, accelerator=accelerator, num_gpus=128, usd_per_gpu_hour=2.0, price_source="given",
            estimate=estimate(), cost=cost(scale), by_cache=points, by_utilisation=used,
        )  # fmt: skip

    lost = row("deepseek-v3", "l40s", 1.0).model_copy(
        update={"estimate": None, "cost": None, "reason": "other services take all of its accelerators",
                "by_cache": (), "by_utilisation": ()}
    )  # fmt: skip
    return PriceCheck(
        version="0", input_tokens=4000, output_tokens=1000, cached_fraction=0.5, utilisation=0.6, objective=PROMISE,
        rows=(row("deepseek-v3", "h800-sxm", 1.0), row("deepseek-v3", "h200-sxm", 0.7), lost,
              lost.model_copy(update={"model": "mixtral-8x7b"})),
        check_s=1.0,
    )  # fmt: skip
