"""Services of a plan in words: whole sentences, of which a reader could make the decision without any table."""

from __future__ import annotations

from myriad.report.language import Language
from myriad.report.numbers import Numbers, significant
from myriad.report.service_views import listed_of, margin_of
from myriad.report.serving_views import deployment_words, promise_text
from myriad.spec.result import Plan
from myriad.spec.service_result import ServiceOnPool, ServicePlan
from myriad.spec.serving_money import ServingCost


def services_words(plan: Plan, language: Language, numbers: Numbers) -> list[str]:
    """How many services can run, for how much, and what they leave to jobs; nothing where there are none."""
    if not plan.services:
        return []
    planned = sum(1 for service in plan.services if service.chosen)
    sentences = [language("service.system", planned=planned, services=len(plan.services))]
    if plan.services_usd_per_year is not None:
        sentences.append(language("service.total", cost=numbers.money(plan.services_usd_per_year)))
    if plan.jobs:
        for pool, count in plan.for_jobs.items():
            sentences.append(language("service.left", pool=pool, count=numbers.integer(count)))
    return sentences


def service_words(service: ServicePlan, plan: Plan, language: Language, numbers: Numbers) -> list[list[str]]:
    """One service in paragraphs: the decision, its money, what else was considered."""
    others = [_other(other, language, numbers) for other in service.others]
    chosen = service.chosen
    if chosen is None or chosen.estimate is None:
        return [[language("service.nowhere", service=service.name, model=service.model_name)], others]
    decision = [
        language(
            "service.where",
            model=service.model_name,
            pool=chosen.pool,
            hardware=plan.pools[chosen.pool].split("; ")[0],
            deployment=deployment_words(chosen.estimate.deployment, language, numbers),
        ),
        language(
            "service.peak",
            rate=significant(chosen.estimate.requests_per_s),
            ttft=numbers.seconds(chosen.estimate.ttft_s),
            tpot=numbers.seconds(chosen.estimate.tpot_s),
        ),
    ]
    if chosen.utilisation is not None:
        decision.append(language("service.used", utilisation=numbers.percent(chosen.utilisation)))
    return [paragraph for paragraph in (decision, _money(chosen, language, numbers), others) if paragraph]


def service_facts(service: ServicePlan, language: Language, numbers: Numbers) -> str:
    """What is asked for, in one line."""
    estimate = service.chosen.estimate if service.chosen else None
    work = estimate.deployment.replicas.work if estimate is not None else None
    return language(
        "service.facts",
        rate=significant(service.requests_per_s),
        peak=significant(service.peak_requests_per_s),
        input=numbers.integer(service.requests.input_tokens),
        cached=numbers.percent(service.requests.cached_fraction),
        output=numbers.integer(service.requests.output_tokens),
        promise=promise_text(service.promise, language, numbers),
        engine=work.engine if work is not None else "–",
    )


def _money(pool: ServiceOnPool, language: Language, numbers: Numbers) -> list[str]:
    said = []
    if pool.usd_per_year is not None:
        said.append(language("service.year", cost=numbers.money(pool.usd_per_year)))
    if pool.cost is not None:
        said += [_revenue(pool, pool.cost, language, numbers), _tokens(pool.cost, language, numbers)]
    if pool.energy_joules_per_year is not None:
        said.append(language("service.energy", energy=numbers.energy(pool.energy_joules_per_year)))
    return [sentence for sentence in said if sentence]


def _revenue(pool: ServiceOnPool, cost: ServingCost, language: Language, numbers: Numbers) -> str:
    listed, margin = listed_of(cost), margin_of(pool)
    if listed is None or margin is None or pool.revenue_usd_per_year is None or pool.usd_per_year is None:
        return ""
    revenue = numbers.money(pool.revenue_usd_per_year)
    name = language.phrase(listed.name)
    if margin >= 0:
        return language("service.revenue", name=name, revenue=revenue, margin=numbers.percent(margin))
    lost = numbers.money(pool.usd_per_year - pool.revenue_usd_per_year)
    return language("service.loss", name=name, revenue=revenue, lost=lost)


def _tokens(cost: ServingCost, language: Language, numbers: Numbers) -> str:
    return language(
        "service.tokens" if cost.usd.cached is None else "service.tokens_cached",
        input=numbers.money(cost.usd.input),
        cached=numbers.money(cost.usd.cached or 0.0),
        output=numbers.money(cost.usd.output),
        prefill=numbers.percent(cost.prefill_fraction),
    )


def _other(other: ServiceOnPool, language: Language, numbers: Numbers) -> str:
    if not other.feasible:
        return language("words.pool_infeasible", pool=other.pool, reason=language.phrase(other.reason).rstrip(".。"))
    if other.usd_per_year is None:
        return language("words.pool_possible", pool=other.pool)
    takes = language("service.a_year", cost=numbers.money(other.usd_per_year))
    return language("service.other", pool=other.pool, takes=takes, gpus=numbers.gpus(other.num_gpus))
