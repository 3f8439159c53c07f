from myriad.report.views import (
    USEFUL_PARTS,
    FrameworkRules,
    behind,
    caveats,
    change,
    largest,
    losses,
    pools_of,
    rejections,
    stage_groups,
    telling_stages,
)
from myriad.spec.result import TIME_PARTS, Plan


def test_losses_are_not_useful_work_and_largest_first(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.estimate
    found = losses(plan.jobs[0].chosen.estimate)
    assert [part for part, _ in found] == ["bubble", "ep_comm", "memory_bound"]
    assert set(TIME_PARTS) > USEFUL_PARTS


def test_behind_names_what_is_slower_only() -> None:
    best = {"gemm": 10.0, "bubble": 1.0, "tp_comm": 1.0, "overhead": 0.001}
    row = {"gemm": 9.0, "bubble": 1.5, "tp_comm": 1.2, "ep_comm": 0.7, "overhead": 0.002}
    assert [part for part, _ in behind(row, best)] == ["ep_comm", "bubble", "tp_comm"]
    assert behind(best, best) == []


def test_a_stage_that_is_first_and_fullest_is_told_once(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[1].chosen
    assert plan.jobs[0].chosen.estimate
    assert plan.jobs[1].chosen.estimate
    told = telling_stages(plan.jobs[0].chosen.estimate)
    assert [(roles, stage.stage) for roles, stage in told] == [(("first", "worst"), 0), (("last",), 7)]
    assert [roles for roles, _ in telling_stages(plan.jobs[1].chosen.estimate)] == [("first", "worst", "last")]


def test_equal_stages_are_one_group_wherever_they_are(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[1].chosen
    assert plan.jobs[0].chosen.estimate
    assert plan.jobs[1].chosen.estimate
    estimate = plan.jobs[0].chosen.estimate
    groups = stage_groups(estimate)
    assert [(group.stages, group.embeds, group.ends) for group in groups] == [
        ((0,), True, False), ((1,), False, False), ((2, 3, 4, 5, 6), False, False), ((7,), False, True),
    ]  # fmt: skip
    apart = list(estimate.stages)
    apart[4] = apart[4].model_copy(update={"prediction_depths": 1})
    groups = stage_groups(estimate.model_copy(update={"stages": tuple(apart)}))
    assert [group.stages for group in groups] == [(0,), (1,), (2, 3, 5, 6), (4,), (7,)]
    assert stage_groups(plan.jobs[1].chosen.estimate) == []


def test_pools_rejections_and_caveats(plan: Plan) -> None:
    job = plan.jobs[0]
    assert [pool.pool for pool in pools_of(job)] == ["own", "cloud-east", "cloud-north"]
    assert job.chosen
    assert job.chosen.search
    counts = [count for _, count in rejections(job.chosen.search)]
    assert counts == sorted(counts, reverse=True)
    assert len(caveats(job)) == 2


def test_changes_and_largest(plan: Plan) -> None:
    by_resource = {s.resource: change(s) for s in plan.jobs[0].sensitivity}
    assert (by_resource["gpus"], by_resource["latency"]) == (0.1, -0.1)
    assert (largest([None, 2.0, 1.0]), largest([None])) == (2.0, 0.0)


def test_framework_rules_are_numbered_once(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.search
    rules = FrameworkRules.of(plan.jobs[0].chosen.search.ranked)
    assert len(rules.notes) == len(set(rules.notes)) == 2
    assert rules.number("fsdp", "no tensor, context, pipeline or expert parallelism") == 1
