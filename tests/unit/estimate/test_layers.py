"""Costs of blocks and ends: what counts where, and what is hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from myriad.estimate.layers import HIDDEN_KINDS, INNER_PARTS, ModelCosts, model_costs
from myriad.estimate.parameters import model_parameters
from myriad.spec.layout import Layout
from small_setting import columns, dense_model, moe_model, setting, stack


def costs(model=None, changes=None, *layouts: Layout, **layout: object) -> ModelCosts:
    chosen = setting(model, **(changes or {}))
    table = columns(*(layouts or (Layout(**layout),)))
    return model_costs(chosen.model, table, chosen.work, chosen.device, chosen.stack, chosen.cluster.links)


def part(found, name: str) -> float:
    return float(found.parts_s[INNER_PARTS.index(name)].ravel()[0])


def test_forward_and_backward_are_all_parts():
    table = [Layout(tp=2, dp=4, recompute=r) for r in ((), ("full",), ("core_attn", "mlp"))]
    found = costs(moe_model(mtp_depths=1, mtp_block="moe"), {"stack": stack(tp_overlap=0.5)}, *table)
    for one in (found.blocks, found.first, found.last):
        assert one.forward_s + one.backward_s == pytest.approx(one.parts_s.sum(axis=0))
        assert np.all(one.weight_grad_s <= one.backward_s)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("model", [dense_model, moe_model])
def test_all_parameters_but_the_final_norm_are_somewhere(model, tied):
    whole = model(tied_embeddings=tied, mtp_depths=2, mtp_block="dense")
    found, counts = costs(whole), model_parameters(whole)
    kinds = dict(
        zip(found.kinds, np.ravel(found.blocks.dense_parameters + found.blocks.expert_parameters), strict=True)
    )
    total = sum(kinds[kind] * n for kind, n in counts.layers.items()) + 2 * kinds["dense"]
    ends = float((found.first.dense_parameters + found.last.dense_parameters).item())
    shared = counts.embedding if tied else 0.0  # one copy, which the ends count once each
    assert total + ends - shared == pytest.approx(counts.total_with_mtp - counts.final_norm, rel=1e-12)


def test_parameters_are_spread_by_the_groups_that_cut_them():
    whole, cut = (costs(moe_model(), None, Layout(**x)) for x in ({}, {"tp": 4, "ep": 8, "etp": 2, "dp": 4}))
    moe = whole.kinds.index("moe")
    assert whole.blocks.expert_parameters[moe] / cut.blocks.expert_parameters[moe] == 16
    dense = np.ravel(whole.blocks.dense_parameters / cut.blocks.dense_parameters)
    assert 3.99 < dense[whole.kinds.index("dense")] < 4  # norms are on every rank
    down, latents = 1024 * (256 + 128 + 32), 256 + 128
    everywhere = down + latents + 2 * 1024 + 1024 * 32  # and what makes latents, their norms, routers
    spread = 256 * 16 * 96 + 128 * 16 * 128 + 16 * 64 * 1024 + 3 * 1024 * 512
    assert dense[moe] == pytest.approx((everywhere + spread) / (everywhere + spread / 4), rel=1e-12)
    assert (whole.last.dense_parameters / cut.last.dense_parameters).item() == pytest.approx(4)


def test_full_recomputation_repeats_every_forward_and_its_exchange():
    plain, again = (costs(None, None, Layout(tp=4, recompute=r)).blocks for r in ((), ("full",)))
    kinds = ("gemm", "attention", "memory_bound")
    forward_s = plain.forward_s.item() - part(plain, "tp_comm") / 2
    assert part(again, "recompute") == pytest.approx(forward_s)
    assert [part(again, k) for k in kinds] == pytest.approx([part(plain, k) for k in kinds])
    assert part(again, "tp_comm") == pytest.approx(1.5 * part(plain, "tp_comm"))
    assert again.recompute_flops.item() == pytest.approx(plain.model_flops.item() / 3)


def test_recomputed_experts_travel_again():
    plain, again = (costs(moe_model(0, 1), None, Layout(dp=8, ep=8, recompute=r)).blocks for r in ((), ("moe",)))
    assert part(again, "ep_comm") == pytest.approx(1.5 * part(plain, "ep_comm"))


@pytest.mark.parametrize("contention", [0.0, 0.2])
def test_overlap_hides_its_share_and_contention_gives_some_back(contention):
    layout = Layout(tp=4, dp=8, ep=8)
    bare = costs(moe_model(0, 1), None, layout).blocks
    software = stack(tp_overlap=0.5, ep_overlap=0.9, contention=contention)
    hidden = costs(moe_model(0, 1), {"stack": software}, layout).blocks
    for name, overlap in (("tp_comm", 0.5), ("ep_comm", 0.9)):
        whole = part(bare, name)
        assert hidden.hidden_s[HIDDEN_KINDS.index(name)].item() == pytest.approx(overlap * whole)
        assert part(hidden, name) == pytest.approx(whole * (1 - overlap * (1 - contention)))


def test_context_traffic_hides_behind_no_more_than_attention():
    chosen = {"stack": stack(cp_overlap=1.0)}
    slow = [x.model_copy(update={"bytes_per_s_one_way": 1e9}) for x in setting().cluster.links]
    chosen["cluster"] = setting().cluster.model_copy(update={"links": tuple(slow)})
    found = costs(None, chosen, Layout(cp=2)).blocks
    hidden = found.hidden_s[HIDDEN_KINDS.index("cp_comm")].item()
    assert hidden == pytest.approx(part(found, "attention"))
    assert part(found, "cp_comm") > 0


def test_slow_hosts_make_the_device_wait():
    fast, slow = (costs(None, {"stack": stack(host_s_per_kernel=s)}).blocks for s in (0.0, 1e-3))
    assert part(fast, "host") == 0
    assert part(slow, "host") > 0


def test_quantising_modules_keep_the_host_busy():
    """Four products of a dense block forward, twice as long backward; none in 16 bits."""
    narrow = replace(setting().device, operand_bytes=1.0, gemm_flops_per_s=1e30, attention_flops_per_s=1e30)
    narrow = replace(narrow, memory_bytes_per_s=1e30)
    software = stack(host_s_per_wrapper=1e-3)
    assert part(costs(None, {"stack": software, "device": narrow}).blocks, "host") == pytest.approx(3 * 4e-3)
    assert part(costs(None, {"stack": software}).blocks, "host") == 0


def test_prediction_depths_multiply_the_head_but_not_its_weights():
    plain, deep = (costs(dense_model(mtp_depths=d, mtp_block="dense" if d else None)).last for d in (0, 2))
    joins = 2 * 3 * 2 * 4096 * 1024 * 2048
    assert deep.model_flops.item() == pytest.approx(3 * plain.model_flops.item() + joins)
    assert deep.dense_parameters.item() - plain.dense_parameters.item() == 2 * (2 * 1024**2 + 3 * 1024)


def test_costs_of_a_cut_do_not_depend_on_its_neighbours():
    layouts = [Layout(tp=t, cp=c, dp=8, micro_batch=m) for t, c, m in ((1, 1, 1), (4, 2, 2), (8, 1, 1))]
    together = costs(None, None, *layouts)
    for index, layout in enumerate(layouts):
        alone = costs(None, None, layout)
        taken = together.take(np.array([index]))
        assert taken.blocks.parts_s == pytest.approx(alone.blocks.parts_s)
        assert taken.last.forward_s == pytest.approx(alone.last.forward_s)


def test_ideal_machine_runs_products_at_the_peak():
    found = costs(None, {"device": replace(setting().device, memory_bytes_per_s=1e18)}).blocks
    assert part(found, "gemm") + part(found, "attention") == pytest.approx(
        (found.model_flops.item() + 0.5 * 4 * 4096**2 / 2 * 16 * 64) / 1e15, rel=1e-6
    )  # the fused backward pass of attention computes the scores again: 3.5 forwards instead of 3


def slow_host(**changes: object) -> dict[str, object]:
    return {"stack": stack(**{"host_s_per_kernel": 30e-6, "graphed": (), **changes})}


def test_the_ends_wait_for_the_host_too():
    fast, slow = costs(changes=slow_host(host_s_per_kernel=0.0)), costs(changes=slow_host(host_s_per_kernel=1e-3))
    for end in ("first", "last"):
        assert part(getattr(fast, end), "host") == 0.0
        assert part(getattr(slow, end), "host") > 0.0
    whole = slow_host(host_s_per_kernel=1e-3, graphed=("mixer", "router", "dense", "experts", "ends"))
    assert part(costs(changes=whole).last, "host") == 0.0


@pytest.mark.parametrize("layout", [{"tp": 1}, {"tp": 8, "sp": False}, {"tp": 2, "recompute": ("full",)}])
def test_a_host_that_does_not_run_ahead_costs_more_but_never_both_sums(layout):
    found = {ahead: costs(changes=slow_host(host_runs_ahead=ahead), **layout) for ahead in (True, False)}
    device_s = found[True].blocks.parts_s.sum(axis=0) - found[True].blocks.parts_s[INNER_PARTS.index("host")]
    ahead, together = (found[a].blocks.parts_s.sum(axis=0) for a in (True, False))
    launched = costs(changes=slow_host(host_s_per_kernel=30.0), **layout).blocks.parts_s.sum(axis=0) / 1e6
    assert np.all(together >= ahead)
    assert np.all(together <= device_s + launched * 1.001)


def test_a_host_without_work_costs_nothing_either_way():
    for ahead in (True, False):
        found = costs(changes=slow_host(host_s_per_kernel=0.0, host_runs_ahead=ahead), tp=2)
        assert part(found.blocks, "host") == pytest.approx(0.0, abs=1e-15)
