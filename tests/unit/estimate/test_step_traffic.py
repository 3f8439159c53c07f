"""The collectives of a step are those whose time the estimate takes."""

from __future__ import annotations

from numpy.testing import assert_allclose

from myriad.estimate.collectives import all_gather_s, all_reduce_s, all_to_all_s, reduce_scatter_s
from myriad.estimate.setting import Setting
from myriad.estimate.step_traffic import StepCollective, step_traffic
from myriad.estimate.tiers import place
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from small_setting import CLUSTER, DEVICE, STACK, WORK, dense_model, moe_model


def collectives(model: Model, layout: Layout) -> tuple[dict[str, StepCollective], dict[str, float]]:
    setting = Setting(model, CLUSTER, WORK, DEVICE, STACK)
    estimate = estimate_layout(setting, layout)
    slowest = max(estimate.stages, key=lambda stage: stage.micro_batch_s)
    return {
        f"{one.name} {one.block}".strip(): one for one in step_traffic(setting, layout, slowest)
    }, estimate.time_parts_s


def time_s(one: StepCollective) -> float:
    """By the closed forms, nothing hidden."""
    size, stride = one.groups.shape[1], int(one.groups[0, 1] - one.groups[0, 0])
    where = place(size, stride, CLUSTER.links)
    forms = {
        "all-reduce": all_reduce_s, "all-gather": all_gather_s, "reduce-scatter": reduce_scatter_s,
        "all-to-all": all_to_all_s,
    }  # fmt: skip
    return float(forms[one.operation](one.bytes_, where)) * one.calls


def test_data_parallel_traffic_takes_the_time_of_the_estimate():
    for zero in (0, 1, 2, 3):
        for shard in (0, 4):
            layout = Layout(tp=8, dp=16, zero=zero, shard=shard if zero else 0)
            found, parts = collectives(dense_model(), layout)
            assert_allclose(sum(time_s(one) for one in found.values()), parts["dp_comm"], rtol=1e-9)


def test_experts_and_their_replicas_take_the_time_of_the_estimate():
    found, parts = collectives(moe_model(), Layout(dp=32, ep=16, zero=1))
    by_kind = {kind: sum(time_s(one) for one in found.values() if one.kind == kind) for kind in ("ep", "dp")}
    assert_allclose(by_kind["ep"], parts["ep_comm"], rtol=1e-9)
    assert_allclose(by_kind["dp"], parts["dp_comm"], rtol=1e-9)


def test_context_parallel_traffic_takes_the_time_of_the_estimate():
    found, parts = collectives(dense_model(), Layout(cp=16, dp=2, zero=0))
    assert_allclose(sum(time_s(one) for one in found.values() if one.kind == "cp"), parts["cp_comm"], rtol=1e-9)


def test_stages_send_each_micro_batch_once_each_way():
    found, _ = collectives(dense_model(), Layout(tp=8, pp=4, vpp=2, dp=4, micro_batch=2))
    there, back = found["activations"], found["activation_gradients"]
    assert there.calls == back.calls == 2 * 64 / 4 / 2
    assert there.bytes_ == 2 * 2 * 4096 * 1024 / 8
    assert (there.groups == back.groups[:, ::-1]).all()
    assert_allclose(there.sent_bytes, there.bytes_ * there.calls)


def test_groups_of_one_send_nothing():
    assert collectives(dense_model(), Layout(tp=8))[0] == {}
