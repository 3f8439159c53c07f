import pytest

import myriad
from myriad.errors import SpecError
from myriad.spec.result import Plan
from myriad.spec.system import System

POOL = {"node": "dgx-h100", "count": 80, "spares": 16}
BREAKS = {"reliability": "llama3-h100", "storage": {"write": "40 GB/s", "read": "40 GB/s"}}
LAYOUT = {"tp": 8, "dp": 8}
JOB = {
    "model": "llama3-8b", "tokens": "1 T tokens", "seq_len": 8192, "global_batch": 512, "layout": LAYOUT,
    "deadline": "500 days",
}  # fmt: skip


def planned(pool: dict, job: dict | None = None) -> Plan:
    described = {"myriad": 1, "name": "x", "pools": {"a": POOL | pool}, "jobs": {"j": JOB | (job or {})}}
    return myriad.plan(System.model_validate(described))


def chosen(pool: dict, job: dict | None = None):
    found = planned(pool, job).jobs[0].chosen
    assert found is not None
    return found


def test_without_a_word_all_time_trains():
    one = chosen({})
    assert (one.goodput, one.goodput_from, one.expected_goodput) == (1.0, "none", None)


def test_a_pool_that_breaks_stretches_the_days_by_what_is_expected():
    whole, broken = chosen({}), chosen(BREAKS)
    assert broken.goodput_from == "expected"
    assert broken.goodput == broken.expected_goodput
    assert 0.9 < broken.goodput < 1.0
    assert broken.days == pytest.approx(whole.days / broken.goodput)


def test_a_given_goodput_counts_and_one_far_off_is_warned_of():
    far, near = planned(BREAKS | {"goodput": 0.8}), planned(BREAKS | {"goodput": 0.975})
    one = far.jobs[0].chosen
    assert (one.goodput, one.goodput_from) == (0.8, "given")
    assert one.expected_goodput is not None
    assert any("a goodput of 80.0% is given for a" in warning for warning in far.warnings)
    assert not near.warnings or abs(near.jobs[0].chosen.expected_goodput - 0.975) > 0.02


def test_the_recovery_of_the_job_matters():
    slow = {"recovery": {"restart": {"schedule": "2 h"}}}
    assert chosen(BREAKS, slow).goodput < chosen(BREAKS).goodput


def test_too_few_spares_are_waited_for():
    assert chosen(BREAKS | {"count": 64, "spares": 0}).goodput < chosen(BREAKS).goodput - 0.01


def test_a_profile_that_nobody_knows_is_refused_with_its_key():
    with pytest.raises(SpecError, match=r"pools\.a\.reliability"):
        planned({"reliability": "nope"})
