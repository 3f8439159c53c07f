"""Plans of small systems: pools, deadlines, money, comparisons; each job searches a few hundred layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad.api.plan import plan
from myriad.errors import SpecError
from myriad.spec.result import JobPlan, Plan
from myriad.spec.system import System
from tiny_system import OWNED, RENTED, TINY

JOB = {"model": "tiny", "tokens": "20 B tokens", "seq_len": 2048, "global_batch": 64}
POOL = {"node": "dgx-h100", "count": 8, "terms": RENTED}


def planned(pools: dict | None = None, jobs: dict | None = None, **more: object) -> Plan:
    described = {"myriad": 1, "name": "s", "models": {"tiny": TINY}, "pools": pools or {"a": POOL}}
    return plan(System.model_validate(described | {"jobs": jobs or {"j": JOB}} | more))


def only(pools: dict | None = None, **job: object) -> JobPlan:
    (found,) = planned(pools, {"j": JOB | job}).jobs
    return found


@pytest.fixture(scope="module")
def simple() -> Plan:
    return planned()


def test_days_hours_and_money_follow_from_the_step(simple):
    (job,) = simple.jobs
    chosen = job.chosen
    assert chosen.steps == pytest.approx(20e9 / (64 * 2048))
    assert chosen.days == pytest.approx(chosen.steps * chosen.estimate.step_s / 86400)
    assert chosen.gpu_hours == pytest.approx(chosen.num_gpus * chosen.days * 24)
    assert chosen.cost_usd == pytest.approx(chosen.gpu_hours * 2)
    assert [line.name for line in chosen.costs] == ["rent"]
    assert simple.total_cost_usd == chosen.cost_usd


def test_models_written_out_need_no_catalog(simple):
    (job,) = simple.jobs
    assert (job.model, job.model_name) == ("tiny", "Tiny")
    assert not any(figure.entry == "tiny" for figure in simple.sources)
    assert {"h100-sxm", "dgx-h100", "megatron-core", "this file"} <= {figure.entry for figure in simple.sources}


def test_goodput_stretches_the_days(simple):
    slower = only({"a": POOL | {"goodput": 0.5}}).chosen
    assert slower.days == pytest.approx(2 * simple.jobs[0].chosen.days)
    assert slower.cost_usd == pytest.approx(2 * simple.jobs[0].chosen.cost_usd)


def test_owned_pools_draw_power():
    chosen = only({"a": POOL | {"terms": OWNED, "power_per_gpu": "1 kW"}}).chosen
    seconds = chosen.days * 86400
    assert chosen.energy_joules == pytest.approx(chosen.num_gpus * seconds * 1000 * 1.5)
    assert [line.name for line in chosen.costs] == ["hardware", "electricity"]
    assert sum(line.amount_usd for line in chosen.costs) == pytest.approx(chosen.cost_usd)
    assert chosen.costs[1].amount_usd == pytest.approx(chosen.energy_joules / 3.6e6 * 0.1)


def test_switches_of_the_software_count():
    eager, compiled = (only(stack="torchtitan", switches=names).chosen.estimate for names in ((), ("compile",)))
    assert compiled.time_parts_s["memory_bound"] < eager.time_parts_s["memory_bound"]


def test_the_cheapest_pool_in_time_wins():
    pools = {
        "dear": POOL | {"terms": {"kind": "rented", "price": "9 USD/GPU-h"}},
        "cheap": POOL | {"terms": {"kind": "rented", "price": "1 USD/GPU-h"}},
    }
    job = only(pools, deadline="300 days")
    assert job.chosen.pool == "cheap"
    assert [other.pool for other in job.others] == ["dear"]
    assert job.chosen.meets_deadline


def test_a_cheap_pool_that_is_late_loses_to_a_dear_one_in_time():
    pools = {"slow": POOL | {"goodput": 0.01}, "dear": POOL | {"terms": {"kind": "rented", "price": "99 USD/GPU-h"}}}
    fast = only().chosen.days
    job = only(pools, deadline=f"{2 * fast * 86400} s")
    assert job.chosen.pool == "dear"
    assert [other.meets_deadline for other in job.others] == [False]


def test_a_missed_deadline_is_said_and_the_earliest_end_wins():
    pools = {"slow": POOL | {"goodput": 0.5}, "fast": POOL}
    job = only(pools, deadline="1 s")
    assert job.chosen.pool == "fast"
    assert job.chosen.meets_deadline is False
    assert job.chosen.deadline_days == pytest.approx(1 / 86400)


def test_a_spending_cap_rules_a_pool_out():
    capped = POOL | {"terms": RENTED | {"yearly_cap": "10 USD"}}
    job = only({"capped": capped, "free": POOL | {"terms": RENTED | {"price": "50 USD/GPU-h"}}})
    assert job.chosen.pool == "free"
    (other,) = job.others
    assert not other.feasible
    assert "the cap of capped is 0.0 M USD" in other.reason
    assert only({"capped": capped}).chosen is None


def test_a_cap_binds_by_the_year():
    """A job of many years spends a year's share within one."""
    days = only().chosen.days
    yearly = 2 * 8 * 24 * 365.25
    long = {"tokens": f"{20e9 * 1000 / days} tokens"}
    assert only({"a": POOL | {"terms": RENTED | {"yearly_cap": f"{yearly * 1.01} USD"}}}, **long).chosen is not None
    assert only({"a": POOL | {"terms": RENTED | {"yearly_cap": f"{yearly * 0.9} USD"}}}, **long).chosen is None


def test_missing_terms_and_tokens_are_said():
    no_terms = only({"a": {"node": "dgx-h100", "count": 8}}).chosen
    assert no_terms.cost_usd is None
    assert no_terms.missing == ("pools.a.terms are not given: no money",)
    no_tokens = only(tokens=None).chosen
    assert no_tokens.days is None
    assert no_tokens.missing == ("tokens are not given: no days, energy or money",)
    assert planned(jobs={"j": JOB | {"tokens": None}}).total_cost_usd is None


def test_max_gpus_are_not_exceeded():
    job = only({"a": POOL | {"count": 64}}, max_gpus=16)
    assert job.chosen.num_gpus <= 16
    assert all(row.num_gpus <= 16 for row in job.chosen.search.ranked)


def test_a_fixed_layout_is_judged_and_not_searched():
    job = only(layout={"tp": 2, "dp": 4})
    assert job.chosen.search is None
    assert job.chosen.estimate.layout.tp == 2
    assert {s.resource for s in job.sensitivity} == {
        "matrix_rate", "memory_bandwidth", "scale_up", "scale_out", "latency"
    }  # fmt: skip


def test_a_fixed_layout_that_does_not_fit_says_what_it_lacks():
    model = {"layers": [["dense", 400]]}
    job = planned(models={"tiny": TINY | model}, jobs={"j": JOB | {"layout": {"dp": 8}}}).jobs[0]
    assert job.chosen is None
    assert "GiB per accelerator" in job.others[0].reason


def test_a_fixed_layout_that_divides_nowhere_is_an_error():
    with pytest.raises(SpecError, match=r"jobs\.j\.layout: layout TP3 .* tp does not divide"):
        only(layout={"tp": 3})


def test_a_fixed_layout_too_large_for_one_pool_goes_to_the_other():
    job = only({"small": POOL, "large": POOL | {"count": 16}}, layout={"dp": 16})
    assert job.chosen.pool == "large"
    assert "more ranks than accelerators" in job.others[0].reason


def test_a_layout_to_compare_with_gets_its_rank():
    best = only().chosen
    same = only(compare_with=best.estimate.layout.model_dump(), compare_with_source="here").comparison
    assert same.rank == 1
    assert same.source == "here"
    assert same.slower_fraction == pytest.approx(0)
    worse = only(compare_with=best.estimate.layout.model_dump() | {"recompute": ["full"]}).comparison
    assert worse.rank > 1
    assert worse.of >= worse.rank
    assert worse.slower_fraction > 0.1


def test_more_of_everything_helps_or_does_nothing(simple):
    (job,) = simple.jobs
    assert len(job.sensitivity) == 7
    for found in job.sensitivity:
        assert found.change_fraction == pytest.approx(0.1)
        assert -1e-9 <= found.gain_fraction < 0.1
        assert found.gain_fraction == pytest.approx(1 - found.step_s / job.chosen.estimate.step_s)
    gains = {found.resource: found.gain_fraction for found in job.sensitivity}
    assert gains["matrix_rate"] > gains["latency"]


def test_jobs_that_need_more_than_a_pool_has_are_warned_of():
    days = only().chosen.days
    tight = JOB | {"deadline": f"{days * 1.2} days"}
    assert planned(jobs={"one": tight}).warnings == ()
    (warning,) = planned(jobs={"one": tight, "two": tight}).warnings
    assert warning.startswith("pool a: its jobs need")
    loose = JOB | {"deadline": f"{days * 2.5} days"}
    assert planned(jobs={"one": loose, "two": loose}).warnings == ()


def test_an_impossible_job_says_why_on_every_pool():
    job = only({"a": POOL, "b": POOL}, model="llama3.1-405b")
    assert job.chosen is None
    assert [other.pool for other in job.others] == ["a", "b"]
    assert all("memory" in other.reason for other in job.others)
    assert planned(jobs={"j": JOB | {"model": "llama3.1-405b"}}).total_cost_usd is None


def test_a_precision_that_a_pool_lacks_rules_it_out_with_the_reason():
    pools = {"old": {"node": "dgx-a100-80gb", "count": 8, "terms": RENTED}, "new": POOL}
    job = only(pools, precision="fp8")
    assert job.chosen.pool == "new"
    assert "no fp8 matrix rate" in job.others[0].reason


def test_jobs_use_only_the_pools_that_they_name():
    (job,) = planned({"a": POOL, "b": POOL}, {"j": JOB | {"pools": ["b"]}}).jobs
    assert job.chosen.pool == "b"
    assert job.others == ()


def test_depths_not_trained_are_not_computed():
    deep = TINY | {"mtp_depths": 1, "mtp_block": "dense"}
    with_depth, without = (
        planned(models={"tiny": deep}, jobs={"j": JOB | depths}).jobs[0].chosen.estimate
        for depths in ({}, {"mtp_depths": 0})
    )
    assert without.step_s < with_depth.step_s
    assert without.model_flops_per_token < with_depth.model_flops_per_token


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jobs": {"j": JOB | {"model": "tinny"}}}, r"jobs\.j\.model: unknown model 'tinny'"),
        ({"jobs": {"j": JOB | {"stack": "megatron-corr"}}}, r"jobs\.j\.stack: .*megatron-core"),
        ({"pools": {"a": POOL | {"node": "dgx-h10"}}}, r"pools\.a.*dgx-h100"),
        ({"pools": {"a": POOL | {"count": 12}}}, r"pools\.a: 12 accelerators are not a whole number"),
        ({"jobs": {"j": JOB | {"compare_with": {"tp": 3}}}}, r"jobs\.j\.compare_with: .*tp does not divide"),
    ],
)  # fmt: skip
def test_wrong_names_are_placed(changes, message):
    with pytest.raises(SpecError, match=message):
        planned(**changes)


def test_money_is_reported_in_the_currency_of_the_file():
    found = planned(currency="CNY", exchange_rates={"CNY": 0.125})
    assert (found.currency, found.usd_per_currency) == ("CNY", 0.125)


def test_progress_is_asked_for_each_search():
    seen = []
    described = {"myriad": 1, "name": "s", "models": {"tiny": TINY}, "pools": {"a": POOL}, "jobs": {"j": JOB}}
    plan(System.model_validate(described), progress=lambda step: seen.append(step))
    assert seen == ["j on a"]


def test_files_are_read_and_errors_name_them(tmp_path: Path):
    path = tmp_path / "system.yaml"
    path.write_text(
        "myriad: 1\nname: s\npools: {a: {node: dgx-h100, count: 8}}\n"
        "jobs: {j: {model: llama3-8c, seq_len: 2048, global_batch: 64}}\n"
    )
    with pytest.raises(SpecError, match=r"system\.yaml.*llama3-8b"):
        plan(path)
