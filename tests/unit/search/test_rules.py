"""Each rule catches what it names, and nothing else."""

from __future__ import annotations

import pytest

from myriad.search.rules import DIVISION_RULES, FRAMEWORK_RULES, Case, first_violation, runs_on, violations
from myriad.spec.layout import Layout
from myriad.spec.model import Block, DenseFeedForward, MixtureOfExperts, Model
from small_setting import CHIP, CLUSTER, GQA, WORK, columns, dense_model, moe_model


def case(model: Model | None = None, **work: object) -> Case:
    return Case(model or dense_model(), CLUSTER, WORK.model_copy(update=work))


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ({"pp": 11}, "fewer layers than pipeline chunks"),
        ({"pp": 4, "vpp": 3}, "fewer layers than pipeline chunks"),
        ({"tp": 3}, "tp does not divide the attention heads"),
        ({"tp": 32}, "tp does not divide the attention heads"),
        ({"cp": 3}, "sequence length does not divide"),
        ({"cp": 4096}, "sequence length does not divide"),
        ({"dp": 8192}, "more ranks than accelerators"),
        ({"dp": 3}, "micro-batch * dp does not divide the global batch"),
        ({"dp": 64, "micro_batch": 2}, "micro-batch * dp does not divide the global batch"),
        ({"ep": 2, "dp": 2}, "the model has no experts to spread"),
        ({"dp": 8, "shard": 3}, "shard does not divide dp * cp"),
    ],
)
def test_dense_layouts_that_cannot_exist(layout, reason):
    assert first_violation(case(), Layout(**layout)).startswith(reason)


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ({"ep": 3, "dp": 4}, "ep does not divide the experts"),
        ({"ep": 8, "dp": 4}, "ep * etp does not divide tp * cp * dp"),
        ({"etp": 3, "dp": 4}, "etp does not divide the expert width"),
    ],
)
def test_layouts_of_experts_that_cannot_exist(layout, reason):
    assert first_violation(case(moe_model()), Layout(**layout)).startswith(reason)


@pytest.mark.parametrize(
    "layout", [{}, {"tp": 16}, {"pp": 10}, {"pp": 5, "vpp": 2}, {"cp": 8, "tp": 4}, {"dp": 64}, {"dp": 8, "shard": 4}]
)
def test_layouts_that_can(layout):
    assert first_violation(case(), Layout(**layout)) == ""


def test_experts_may_span_tensor_and_context_ranks():
    assert first_violation(case(moe_model()), Layout(tp=4, cp=2, dp=2, ep=16)) == ""
    assert first_violation(case(moe_model()), Layout(tp=4, dp=2, etp=4, ep=2)) == ""


def test_key_heads_and_tensor_ranks_divide_one_another():
    odd = Block(mixer=GQA.model_copy(update={"heads": 24, "kv_heads": 6}), feed_forward=DenseFeedForward(width=4096))
    model = dense_model().model_copy(update={"blocks": {"dense": odd}})
    assert first_violation(case(model), Layout(tp=4)) == "tp and kv heads do not divide one another"
    assert first_violation(case(model), Layout(tp=2)) == ""


@pytest.mark.parametrize("width", ["shared_width", "dense_width"])
def test_all_dense_parts_beside_experts_must_divide(width):
    moe = MixtureOfExperts(experts=32, top_k=4, expert_width=512, **{width: 100})
    model = moe_model(0, 8).model_copy(update={"blocks": {"moe": Block(mixer=GQA, feed_forward=moe)}})
    assert first_violation(case(model), Layout(tp=8)).startswith("tp does not divide")
    assert first_violation(case(model), Layout(tp=4)) == ""


@pytest.mark.parametrize("layout", [{"pp": 3}, {"pp": 4, "vpp": 2}, {"pp": 4, "dp": 64}, {"pp": 4, "dp": 16}])
def test_dualpipe_needs_pairs_of_stages_and_enough_micro_batches(layout):
    assert first_violation(case(), Layout(schedule="dualpipe", **layout)).startswith("DualPipe needs an even number")
    assert first_violation(case(), Layout(schedule="dualpipe", pp=4, dp=8)) == ""


def test_offloading_needs_a_host_link():
    bare = CHIP.model_copy(update={"host_link_bytes_per_s_one_way": None})
    unknown = Case(dense_model(), CLUSTER.model_copy(update={"accelerator": bare}), WORK)
    assert first_violation(unknown, Layout(offload_optimizer=True)).startswith("offloading needs the host link")
    assert first_violation(case(), Layout(offload_optimizer=True)) == ""


@pytest.mark.parametrize(
    ("framework", "layout", "reason"),
    [
        ("megatron-core", {"pp": 4, "vpp": 2, "dp": 32}, "interleaving needs micro-batches in multiples of pp"),
        ("megatron-core", {"dp": 2, "zero": 2}, "gradient sharding (ZeRO-2) is not offered"),
        ("megatron-core", {"pp": 2, "dp": 2, "zero": 3}, "parameter sharding excludes pipeline stages"),
        ("megatron-core", {"pp": 2, "schedule": "dualpipe"}, "schedule is not offered"),
        ("megatron-core", {"pp": 3, "vpp": 3}, "interleaved chunks would be too unequal"),
        ("torchtitan", {"dp": 2, "zero": 1}, "data parallelism is FSDP2 (ZeRO-3) or HSDP"),
        ("torchtitan", {"pp": 4, "dp": 32, "zero": 3}, "fewer micro-batches than stages"),
        (
            "torchtitan",
            {"pp": 2, "zero": 3, "schedule": "zero-bubble"},
            "zero-bubble needs chunks (InterleavedZeroBubble)",
        ),
        (
            "torchtitan",
            {"pp": 2, "schedule": "dualpipe"},
            "DualPipe from both ends is not offered, its half DualPipeV is",
        ),
        ("megatron-core", {"pp": 2, "vpp": 2, "schedule": "zb-v"}, "schedule is not offered"),
        (
            "torchtitan",
            {"pp": 4, "vpp": 2, "dp": 16, "zero": 3, "schedule": "zb-v"},
            "zero-bubble wants a micro-batch per stage, ZB-V two",
        ),
        ("torchtitan", {"recompute": ["mlp"]}, "recompute is none, selective or full"),
        ("torchtitan", {"offload_optimizer": True}, "optimizer offload is not offered"),
        ("fsdp", {"tp": 2}, "no tensor, context, pipeline or expert parallelism"),
        ("fsdp", {"dp": 2}, "gradients or parameters are sharded (ZeRO-2 or 3)"),
        ("fsdp", {"dp": 2, "zero": 3, "recompute": "selective"}, "recompute is none or full"),
    ],
)
def test_frameworks_name_what_they_cannot_run(framework, layout, reason):
    assert runs_on(case(), Layout(**layout))[framework] == reason


@pytest.mark.parametrize(
    ("framework", "layout"),
    [
        ("megatron-core", {"tp": 4, "pp": 4, "vpp": 2, "dp": 4}),
        ("megatron-core", {"dp": 8, "zero": 3}),
        ("torchtitan", {"tp": 4, "pp": 2, "dp": 4, "zero": 3, "recompute": "selective"}),
        ("torchtitan", {"pp": 4, "vpp": 2, "dp": 4, "zero": 3, "schedule": "zb-v"}),
        ("torchtitan", {"pp": 4, "vpp": 2, "dp": 4, "zero": 3, "schedule": "zero-bubble"}),
        ("fsdp", {"dp": 8, "zero": 3, "recompute": "full"}),
        ("fsdp", {"dp": 8, "zero": 2}),
    ],
)
def test_frameworks_run_the_rest(framework, layout):
    assert runs_on(case(), Layout(**layout))[framework] == ""


def test_splits_place_every_layer():
    assert first_violation(case(), Layout(pp=2, split=(5, 3))) == ""
    assert first_violation(case(), Layout(pp=2, split=(5, 2))) == "split places 7 layers; the model has 8"


def test_frameworks_say_what_splits_they_run():
    model = moe_model(1, 7, mtp_depths=1, mtp_block="moe")
    with_head = runs_on(case(model), Layout(pp=4, dp=2, zero=3, split=(3, 3, 2, 0)))
    apart = runs_on(case(model), Layout(pp=4, dp=2, split=(3, 3, 3, 0)))
    assert with_head["torchtitan"] == apart["megatron-core"] == ""
    assert runs_on(case(model), Layout(pp=4, split=(3, 3, 3, 0)))["torchtitan"] == (
        "prediction depths cannot lie apart from the head"
    )
    assert apart["fsdp"] == "no tensor, context, pipeline or expert parallelism"


def test_a_split_makes_its_own_chunks():
    """The rule on chunks too unequal is one on the software's own way to make them."""
    uneven = {"pp": 3, "vpp": 3, "dp": 1}
    assert runs_on(case(), Layout(**uneven))["megatron-core"] != ""
    assert "too unequal" not in runs_on(case(), Layout(**uneven, split="1*8,0"))["megatron-core"]


def test_experts_with_tensor_ranks_need_sequence_parallelism_in_megatron():
    broken = runs_on(case(moe_model()), Layout(tp=2, sp=False))["megatron-core"]
    assert broken == "tensor parallel with experts needs sequence parallelism"
    assert runs_on(case(), Layout(tp=2, sp=False))["megatron-core"] == ""


def test_the_reference_trainer_cuts_experts_over_tensor_ranks():
    def reasons(model: Model, **layout: object) -> list[str]:
        return list(violations(FRAMEWORK_RULES["reference"], case(model), columns(Layout(**layout)))[1])

    assert reasons(moe_model(), tp=2) == ["experts are cut over tp"]
    assert reasons(moe_model(), tp=2, etp=2) == []
    assert reasons(dense_model(), tp=2) == []
    (reason,) = reasons(dense_model(), pp=2, dp=2, zero=2, schedule="zero-bubble")
    assert reason.startswith("gradients are not sharded where")
    assert reasons(dense_model(), pp=2, dp=2, zero=3) == []


def test_each_layout_counts_once_under_the_first_rule_that_it_breaks():
    table = columns(Layout(tp=3, cp=3), Layout(tp=3), Layout(cp=3), Layout())
    bad, counts = violations(DIVISION_RULES, case(), table)
    assert bad.tolist() == [True, True, True, False]
    assert sum(counts.values()) == 3
    assert [n for r, n in counts.items() if r.startswith("tp does not divide")] == [2]


def test_rules_read_only_the_columns_that_they_name():
    """A search applies a rule as soon as these are chosen; another column must not change its mind."""
    base = {"tp": 4, "cp": 2, "pp": 2, "dp": 4, "zero": 1}
    others = {
        "tp": 8, "cp": 4, "pp": 5, "vpp": 3, "dp": 16, "ep": 4, "etp": 2, "micro_batch": 4, "zero": 3, "shard": 2,
        "recompute": ("mlp",), "offload_optimizer": True, "schedule": "dualpipe", "sp": False,
    }  # fmt: skip
    for rules in (DIVISION_RULES, *FRAMEWORK_RULES.values()):
        for rule in rules:
            unread = {name: value for name, value in others.items() if name not in rule.columns}
            if "pp" not in unread and "vpp" in unread:
                del unread["vpp"]
            table = columns(Layout(**base), *(Layout(**base | {name: value}) for name, value in unread.items()))
            found = rule.violated(case(moe_model()), table).tolist()
            assert len(set(found)) == 1, rule.reason
