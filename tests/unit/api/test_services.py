"""Services of a plan: accelerators for the peak, money of a year, and what jobs are left with."""

from __future__ import annotations

from typing import Any

import pytest

import myriad
from myriad import catalog
from myriad.errors import SpecError
from myriad.spec.result import Plan
from myriad.spec.system import System
from tiny_system import OWNED, RENTED, TINY

SERVICE: dict[str, Any] = {
    "model": "tiny",
    "requests": {"input_tokens": 1000, "output_tokens": 200, "cached_fraction": 0.5},
    "requests_per_s": 100,
    "peak_over_mean": 2,
    "promise": {"ttft": "2 s", "tpot": "50 ms"},
    "list_prices": {"input": "1 USD/M tokens", "cached": "0.2 USD/M tokens", "output": "3 USD/M tokens"},
}
JOB = {"model": "tiny", "tokens": "1 B tokens", "seq_len": 2048, "global_batch": 64, "deadline": "30 days"}


def planned(services: dict[str, Any], jobs: dict[str, Any] | None = None, **pools: Any) -> Plan:
    system = {
        "myriad": 1, "name": "test", "models": {"tiny": TINY},
        "pools": pools or {"here": {"accelerator": "h100-sxm", "count": 64, "terms": RENTED}},
        "services": services, "jobs": jobs or {},
    }  # fmt: skip
    return myriad.plan(System.model_validate(system))


def test_a_service_alone_is_planned_for_its_peak() -> None:
    plan = planned({"api": SERVICE})
    chosen = plan.services[0].chosen
    assert chosen is not None
    assert chosen.estimate is not None
    assert chosen.estimate.requests_per_s >= 200 * (1 - 1e-6)
    assert chosen.num_gpus % 8 == 0
    assert chosen.num_gpus >= chosen.estimate.deployment.gpus
    assert chosen.utilisation == pytest.approx(100 / chosen.estimate.requests_per_s)
    assert plan.for_jobs == {"here": 64 - chosen.num_gpus}
    assert plan.jobs == ()
    assert plan.total_cost_usd is None


def test_a_year_costs_the_accelerators_that_are_held_and_tokens_carry_it_all() -> None:
    plan = planned({"api": SERVICE})
    chosen = plan.services[0].chosen
    assert chosen is not None
    assert chosen.cost is not None
    hours = 365.25 * 24
    assert chosen.usd_per_year == pytest.approx(chosen.num_gpus * hours * 2.0, rel=1e-3)
    assert plan.services_usd_per_year == chosen.usd_per_year
    tokens = 100 * hours * 3600 * 1200
    assert tokens / 1e6 * chosen.cost.usd.blended == pytest.approx(chosen.usd_per_year)
    revenue = 100 * hours * 3600 * (500 * 1.0 + 500 * 0.2 + 200 * 3.0) / 1e6
    assert chosen.revenue_usd_per_year == pytest.approx(revenue, rel=1e-6)


def test_jobs_get_what_services_leave() -> None:
    alone = planned({}, {"train": JOB})
    beside = planned({"api": SERVICE}, {"train": JOB})
    assert alone.jobs[0].chosen is not None
    assert alone.jobs[0].chosen.num_gpus > 64 - 8
    left = beside.for_jobs["here"]
    assert beside.jobs[0].chosen is not None
    assert beside.jobs[0].chosen.num_gpus <= left < 64
    assert any(f"jobs get {left}" in warning for warning in beside.warnings)


def test_jobs_without_accelerators_say_who_has_them() -> None:
    fixed = {**SERVICE, "deployment": {"replicas": {"layout": {"tp": 8}, "count": 1}}, "requests_per_s": 1}
    plan = planned({"api": fixed}, {"train": JOB}, here={"accelerator": "h100-sxm", "count": 8, "terms": RENTED})
    assert plan.for_jobs == {"here": 0}
    assert plan.jobs[0].chosen is None
    assert plan.jobs[0].others[0].reason == "services take all of here"


def test_services_that_do_not_fit_beside_others_are_named() -> None:
    fixed = {**SERVICE, "deployment": {"replicas": {"layout": {"tp": 8}, "count": 6}}, "requests_per_s": 1}
    plan = planned({"first": fixed, "second": fixed})
    assert plan.services[0].chosen is not None
    assert plan.services[1].chosen is None
    assert "48 accelerators at its peak; 16 are left" in plan.services[1].others[0].reason
    assert "service second: no pool can run it" in plan.warnings


def test_the_cheaper_pool_is_chosen() -> None:
    dear = {"accelerator": "h100-sxm", "count": 64, "terms": {"kind": "rented", "price": "9 USD/GPU-h"}}
    cheap = {"accelerator": "h100-sxm", "count": 64, "terms": OWNED}
    plan = planned({"api": SERVICE}, dear=dear, cheap=cheap)
    assert plan.services[0].chosen is not None
    assert plan.services[0].chosen.pool == "cheap"
    assert [line.name for line in plan.services[0].chosen.costs] == ["hardware", "electricity"]


def test_sides_of_a_fixed_deployment_are_sized_apart() -> None:
    sides = {"prefill": {"layout": {"tp": 1}}, "replicas": {"layout": {"tp": 2}}}
    long = {"input_tokens": 16000, "output_tokens": 200}
    plan = planned({"api": {**SERVICE, "deployment": sides, "requests_per_s": 100, "requests": long}})
    chosen = plan.services[0].chosen
    assert chosen is not None
    assert chosen.estimate is not None
    deployment = chosen.estimate.deployment
    assert deployment.prefill is not None
    assert deployment.prefill.count > 1
    assert chosen.estimate.requests_per_s >= 200 * (1 - 1e-6)


def test_counts_that_are_given_stay_and_may_be_too_few() -> None:
    sides = {"replicas": {"layout": {"tp": 1}, "count": 1}}
    plan = planned({"api": {**SERVICE, "deployment": sides, "requests_per_s": 5000}})
    assert plan.services[0].chosen is None
    assert "the peak has 1e+04" in plan.services[0].others[0].reason


def test_pools_without_terms_have_no_money() -> None:
    plan = planned({"api": SERVICE}, here={"accelerator": "h100-sxm", "count": 64})
    chosen = plan.services[0].chosen
    assert chosen is not None
    assert (chosen.cost, chosen.usd_per_year) == (None, None)
    assert "pools.here.terms are not given: no money" in chosen.missing


def test_a_yearly_cap_holds_for_services() -> None:
    capped = {"kind": "rented", "price": "2 USD/GPU-h", "yearly_cap": "1000 USD"}
    plan = planned({"api": SERVICE}, here={"accelerator": "h100-sxm", "count": 64, "terms": capped})
    assert plan.services[0].chosen is None
    assert "the cap of here" in plan.services[0].others[0].reason


def test_precisions_that_an_accelerator_lacks_are_passed_over() -> None:
    plan = planned({"api": {**SERVICE, "precisions": ["nvfp4", "fp8"]}})
    assert plan.services[0].chosen is not None
    assert plan.services[0].chosen.estimate is not None
    assert plan.services[0].chosen.estimate.deployment.replicas.work.precision == "fp8"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": "tinny"}, r"services\.api\.model: .*"),
        ({"work": {"engine": "vlm"}}, r"services\.api\.work\.engine: .*vllm"),
        ({"list_prices": "mimo-v2-flash-2052"}, r"services\.api\.list_prices: .*mimo-v2-flash-2025"),
        ({"tokens_per_day": "1 B"}, "either requests_per_s or tokens_per_day"),
        ({"pools": ["there"]}, r"services\.api\.pools: unknown pool 'there'"),
    ],
)
def test_wrong_names_say_which_key(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises((SpecError, ValueError), match=said):
        planned({"api": {**SERVICE, **wrong}})


def test_a_system_asks_for_something() -> None:
    with pytest.raises(ValueError, match="give jobs, services or both"):
        planned({})


def test_prices_of_the_catalog_are_among_the_sources() -> None:
    plan = planned({"api": {**SERVICE, "list_prices": "mimo-v2-flash-2025"}})
    assert any(figure.figure == "token_prices.mimo-v2-flash-2025" for figure in plan.sources)
    assert catalog.token_price("mimo-v2-flash-2025").provider == "Xiaomi"


def test_deployments_name_the_catalog_entry_so_that_they_can_be_launched() -> None:
    service = {**SERVICE, "model": "assistant"}
    system = {
        "myriad": 1, "name": "test", "models": {"assistant": "llama3-8b"}, "services": {"api": service},
        "pools": {"here": {"accelerator": "h100-sxm", "count": 64, "terms": RENTED}},
    }  # fmt: skip
    (plan,) = myriad.plan(System.model_validate(system)).services
    assert plan.chosen is not None
    assert plan.chosen.estimate is not None
    assert plan.chosen.estimate.deployment.model == "llama3-8b"


def test_spares_are_left_to_nobody() -> None:
    pool = {"accelerator": "h100-sxm", "count": 64, "terms": RENTED, "spares": 8}
    plan = planned({"api": SERVICE}, {"train": JOB}, here=pool)
    chosen = plan.services[0].chosen
    assert chosen is not None
    assert plan.for_jobs == {"here": 56 - chosen.num_gpus}
    alone = planned({}, {"train": JOB}, here=pool)
    assert alone.jobs[0].chosen is not None
    assert alone.jobs[0].chosen.num_gpus <= 56


def test_spares_are_whole_nodes_and_not_all() -> None:
    with pytest.raises(SpecError, match=r"pools\.here: spares: 3 accelerators are not whole nodes of 8"):
        planned({}, {"train": JOB}, here={"accelerator": "h100-sxm", "count": 64, "spares": 3})
    with pytest.raises(ValueError, match="spares: 64 of 64 accelerators leave none to plan on"):
        planned({}, {"train": JOB}, here={"accelerator": "h100-sxm", "count": 64, "spares": 64})
