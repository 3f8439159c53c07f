"""Plans in which a job may use several pools together."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from myriad.api.explain import explain_plan
from myriad.api.plan import plan
from myriad.errors import InfeasibleError
from myriad.spec.result import JobPlan
from myriad.spec.system import System
from tiny_system import OWNED, RENTED, TINY

OWN = {"node": "dgx-h100", "count": 16, "terms": OWNED, "power_per_gpu": "1 kW", "goodput": 0.9}
CITY = {"node": "dgx-a100", "count": 16, "terms": RENTED, "goodput": 0.8}
MIX = {"pools": ["own", "city"], "link": {"distance": "100 km", "bandwidth": "4 Tbit/s"}}
JOB = {"model": "tiny", "tokens": "20 B tokens", "seq_len": 2048, "global_batch": 384, "mix": MIX}


def system(pools: Mapping[str, object] | None = None, **job: object) -> System:
    described = {"myriad": 1, "name": "s", "models": {"tiny": TINY}, "pools": pools or {"own": OWN, "city": CITY}}
    return System.model_validate(described | {"jobs": {"j": JOB | job}})


def only(pools: Mapping[str, object] | None = None, **job: object) -> JobPlan:
    (found,) = plan(system(pools, **job)).jobs
    return found


def options(job: JobPlan) -> dict[str, object]:
    return {o.pool: o for o in (*([job.chosen] if job.chosen else []), *job.others)}


@pytest.fixture(scope="module")
def simple() -> JobPlan:
    return only()


def test_a_mix_is_one_more_candidate(simple):
    assert set(options(simple)) == {"own", "city", "own + city"}
    # A mix saves time here, not money: without a deadline the least cost wins.
    assert simple.chosen.pool != "own + city"


def test_days_energy_and_money_of_a_mix_follow_each_pools_terms(simple):
    mix = options(simple)["own + city"]
    best = mix.mix.best
    seconds = mix.steps * best.step_s / (0.9 * 0.8)
    assert mix.steps == pytest.approx(20e9 / (384 * 2048))
    assert mix.days == pytest.approx(seconds / 86400)
    assert mix.gpu_hours == pytest.approx(best.num_gpus * seconds / 3600)
    used = {part.pool: part.num_gpus for part in best.parts}
    lines = {(line.pool, line.name): line.amount_usd for line in mix.costs}
    assert set(lines) == {("city", "rent"), ("own", "hardware"), ("own", "electricity")}
    assert lines["city", "rent"] == pytest.approx(used["city"] * seconds / 3600 * 2)
    assert lines["own", "electricity"] == pytest.approx(used["own"] * seconds / 3600 * 1.0 * 1.5 * 0.1)
    assert mix.cost_usd == pytest.approx(sum(lines.values()))
    assert mix.energy_joules > used["own"] * seconds * 1000 * 1.5


def equal_pools(**more: object) -> dict[str, object]:
    return {"own": CITY | more, "city": CITY | more}


def test_equal_pools_side_by_side_halve_the_time_and_win_with_a_deadline():
    free = only(equal_pools())
    mix, alone = options(free)["own + city"], options(free)["own"]
    assert mix.days < alone.days
    job = only(equal_pools(), deadline=f"{(mix.days + alone.days) / 2} days")
    assert job.chosen.pool == "own + city"
    assert job.chosen.meets_deadline
    assert job.chosen.estimate is None
    assert job.caveats == job.chosen.mix.caveats
    with pytest.raises(InfeasibleError, match=r"own \+ city do it best together"):
        explain_plan(system(equal_pools(), deadline=f"{(mix.days + alone.days) / 2} days"))


def test_a_cap_of_one_pool_rules_out_the_mix():
    capped = CITY | {"terms": RENTED | {"yearly_cap": "1 USD"}}
    mix = options(only({"own": OWN, "city": capped}))["own + city"]
    assert not mix.feasible
    assert "the cap of city" in mix.reason


def test_what_is_not_given_is_not_made_up():
    bare = {key: value for key, value in CITY.items() if key != "terms"}
    mix = options(only({"own": OWN, "city": bare}))["own + city"]
    assert mix.cost_usd is None
    assert {line.pool for line in mix.costs} == {"own"}
    assert "pools.city.terms are not given: no money" in mix.missing
    unknown = options(only(tokens=None))["own + city"]
    assert unknown.days is None
    assert unknown.step_s == unknown.mix.best.step_s


def test_a_mix_that_cannot_be_had_says_why():
    found = options(only(mix=MIX | {"join": "data"}, global_batch=1))["own + city"]
    assert not found.feasible
    assert "global batch of 1" in found.reason


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"mix": MIX | {"pools": ["own"]}}, "at least 2"),
        ({"mix": MIX | {"pools": ["own", "own"]}}, "each may be named once"),
        ({"mix": MIX | {"pools": ["own", "citty"]}}, "did you mean 'city'"),
        ({"mix": MIX | {"pools": ["own", "city", "third"], "join": "pipeline"}}, "a pipeline joins two pools"),
        ({"max_gpus": 8}, "leave out mix or max_gpus"),
        ({"layout": {"tp": 2}}, "leave out mix or layout"),
    ],
)
def test_a_wrong_mix_is_refused(job, message):
    with pytest.raises(ValueError, match=message):
        system(**job)


def test_jobs_that_share_a_pool_with_a_mix_are_counted_together():
    own, city = equal_pools()["own"], equal_pools()["city"]
    described = {"myriad": 1, "name": "s", "models": {"tiny": TINY}, "pools": {"own": own, "city": city}}
    free = options(only(equal_pools()))
    deadline = f"{(free['own + city'].days + free['own'].days) / 2} days"
    jobs = {"a": JOB | {"deadline": deadline}, "b": JOB | {"deadline": deadline, "compare_with": {"dp": 16}}}
    found = plan(System.model_validate(described | {"jobs": jobs}))
    assert [job.chosen.pool for job in found.jobs] == ["own + city"] * 2
    assert [warning.split(":")[0] for warning in found.warnings] == ["pool own", "pool city", "job b"]
    assert "of one pool, not of own + city" in found.warnings[-1]
