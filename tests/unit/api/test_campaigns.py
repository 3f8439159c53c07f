"""Campaigns of a plan: what is simulated, what is said about it, what is left out and why."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import yaml

import myriad
from myriad.api.campaign_changes import changes_of
from myriad.api.campaigns import PlannedCampaign, campaigns_of
from myriad.api.simulate import check_plan
from myriad.errors import SpecError
from myriad.report.language import language
from myriad.sim.campaign.chunks import Runs
from myriad.spec.campaign_result import IMPROVEMENTS
from myriad.spec.result import Plan
from myriad.spec.system import System
from simulated_system import BREAKING


def described(**changes: Any) -> System:
    """The system with other keys of job `pretrain`."""
    whole = yaml.safe_load(BREAKING)
    whole["jobs"]["pretrain"] |= changes
    return System.model_validate(whole)


@cache
def plan() -> Plan:
    return myriad.plan(described())


def campaign(**changes: Any) -> PlannedCampaign:
    (found,), _ = campaigns_of(described(**changes), plan())
    return found


def runs_with_costs(*cost_s: float) -> Runs:
    each = np.array([cost_s])
    return Runs(np.zeros((1, 9)), np.ones(1), np.ones(1, bool), np.zeros_like(each, np.int64), each)


def test_a_campaign_is_the_plans_work_on_its_nodes() -> None:
    one, chosen = campaign(), plan().jobs[0].chosen
    assert chosen is not None
    assert chosen.estimate is not None
    asked = one.question.campaign
    assert asked.work_s == pytest.approx(100e9 / (128 * 8192) * chosen.estimate.step_s)
    assert (asked.nodes, one.spare_nodes, one.question.breakable.num_nodes) == (8, 1, 9)
    assert (asked.swap_s, asked.repair_crews, asked.replica_nodes) == (300.0, 2, 1)
    assert asked.restart_s == pytest.approx(60 + 60 + 10 + 30 * 8 / 1000 + 60)
    assert [(level.to, level.interval_s) for level in asked.levels] == [("storage", 3600.0)]
    assert asked.horizon_s > 1.5 * asked.work_s
    assert one.usd_per_day == pytest.approx(64 * 24 * 2.0)
    assert one.usd_per_node_day == pytest.approx(8 * 24 * 2.0)
    assert 0.5 < one.expected_ettr < 1.0
    assert one.expected_range is None


def test_published_ranges_of_rates_give_a_range_of_goodput() -> None:
    whole = yaml.safe_load(BREAKING)
    whole["pools"]["lab"]["reliability"]["causes"]["gpu"]["rate"] |= {"low": 5, "high": 30}
    (one,), _ = campaigns_of(System.model_validate(whole), plan())
    assert one.expected_ettr == campaign().expected_ettr
    assert one.expected_range is not None
    assert 0.3 < one.expected_range[0] < one.expected_ettr < one.expected_range[1] < 1.0


def test_jobs_without_what_a_simulation_needs_say_what() -> None:
    system = described()
    assert campaigns_of(system, plan())[1] == {"tune": "pools.quiet.reliability is not given"}
    assert campaigns_of(system, plan(), ("pretrain",))[1] == {}

    def told(**changes: Any) -> dict[str, str]:
        job = plan().jobs[0]
        assert job.chosen is not None
        chosen = job.chosen.model_copy(update=changes) if changes else None
        other = job.model_copy(update={"chosen": chosen})
        return campaigns_of(system, plan().model_copy(update={"jobs": (other, plan().jobs[1])}), ("pretrain",))[1]

    assert told() == {"pretrain": "no pool can run it"}
    assert told(steps=None) == {"pretrain": "its tokens are not given, so it has no end"}
    assert told(pool="lab + quiet", estimate=None) == {
        "pretrain": "planned on lab + quiet together; a mix of pools is not simulated"
    }


def test_replicas_that_are_parts_of_nodes_cannot_leave_one_by_one() -> None:
    job = plan().jobs[0]
    assert job.chosen is not None
    assert job.chosen.estimate is not None
    layout = job.chosen.estimate.layout.model_copy(update={"tp": 2, "cp": 3, "pp": 2, "dp": 4})
    chosen = job.chosen.model_copy(update={"estimate": job.chosen.estimate.model_copy(update={"layout": layout})})
    odd = plan().model_copy(update={"jobs": (job.model_copy(update={"chosen": chosen}), plan().jobs[1])})
    assert campaigns_of(described(recovery={"mode": "elastic"}), odd, ("pretrain",)) == (
        (), {"pretrain": "mode elastic needs replicas of whole nodes; one has 12 accelerators"},
    )  # fmt: skip
    (whole,), _ = campaigns_of(described(), odd, ("pretrain",))
    assert "replicas of 12 accelerators are not whole nodes: modes elastic and replica are not tried" in whole.assumed


def test_the_number_of_a_campaign_is_its_place_in_the_file() -> None:
    whole = yaml.safe_load(BREAKING)
    whole["pools"]["quiet"]["reliability"] = whole["pools"]["lab"]["reliability"]
    system = System.model_validate(whole)
    (alone,), _ = campaigns_of(system, plan(), ("tune",))
    assert alone.number == 1
    assert alone.spare_nodes == 0
    assert "pools.quiet.spares are not given: a broken node is waited for" in alone.assumed


def test_each_change_is_one_change() -> None:
    one = campaign()
    changes = {change.name: change for change in changes_of(one, runs_with_costs(3.0, 2.0, 0.0))}
    base = one.question
    assert set(changes) == set(IMPROVEMENTS) - {"burn_in"}
    assert changes["ten_spares"].question.breakable.num_nodes == 19
    assert changes["one_spare"].usd_cost_per_day == pytest.approx(8 * 24 * 2.0)
    assert changes["ten_spares"].question.campaign is base.campaign
    shorter = dict(changes["detection_minute"].question.breakable.causes)
    assert [shorter[name].detection.mean for name in ("gpu", "software")] == [240.0, 540.0]
    assert changes["restart_half"].question.campaign.restart_s == base.campaign.restart_s / 2
    assert changes["hot_spares"].question.campaign.swap_s == 0
    assert changes["crews_twice"].question.campaign.repair_crews == 4
    assert changes["cause_half"].question.kept_share == {"software": 0.5}
    best = changes["best_interval"].question.campaign.levels[0]
    assert best.interval_s < 3600
    assert changes["peer_memory"].question.campaign.levels[0] == base.campaign.levels[0]
    assert changes["replica"].question.campaign.mode == "replica"
    without = dict(changes["lemons_out"].question.breakable.causes)
    assert without["gpu"].rate.per_1000_unit_days == pytest.approx(20 / (0.95 + 0.05 * 5))
    assert without["software"].rate.per_1000_unit_days == 100


def test_what_is_said_about_changes_and_assumptions_is_said_in_chinese_too() -> None:
    chinese = language("zh")
    plain = campaign(recovery={})
    told = [change.detail for change in changes_of(campaign(), runs_with_costs(3.0, 2.0, 1.0))]
    told += [*plain.assumed, *campaigns_of(described(), plan())[1].values()]
    assert len(told) > 15
    assert [text for text in told if chinese.phrase(text) == text] == []


def test_plans_of_other_systems_are_refused() -> None:
    check_plan(plan(), described())
    with pytest.raises(SpecError, match=r"plan: jobs\.pretrain\.tokens: planned with 1e\+11, the file says 9e\+10"):
        check_plan(plan(), described(tokens="90 B tokens"))
    with pytest.raises(SpecError, match="plan: it is of 'A cluster that breaks', not of 'another'"):
        check_plan(plan(), described().model_copy(update={"name": "another"}))
    fewer = described().model_copy(update={"jobs": {"pretrain": described().jobs["pretrain"]}})
    with pytest.raises(SpecError, match="its jobs or pools are not those of the file"):
        check_plan(plan(), fewer)
