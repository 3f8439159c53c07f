"""Who holds what, what travels, and what shows; by hand on links without latency."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.estimate.collectives import OWN_PART
from myriad.estimate.data_parallel import exposed_s, optimizer_s, replicas, state_bytes, traffic
from myriad.spec.job import Optimizer
from myriad.spec.layout import Layout
from small_setting import FAR, LINKS, NEAR, columns, stack

ADAM = Optimizer()
DENSE, EXPERT = 1e9, 4e9


def comm(layout: Layout, software=None, micro_batches=4, forward_s=0.0, backward_s=0.0, expert=0.0):
    software = software or stack()
    sent = traffic(columns(layout), np.array([DENSE]), np.array([expert]), ADAM, software, LINKS, np.zeros_like)
    exposed, hidden = exposed_s(
        columns(layout), np.array([micro_batches]), sent, np.array([forward_s]), np.array([backward_s]), software
    )
    return float(exposed[0]), float(hidden[0])


def states(layout: Layout, optimizer=ADAM, **software) -> dict[str, float]:
    found = state_bytes(columns(layout), np.array([[DENSE]]), np.array([[EXPERT]]), optimizer, stack(**software))
    return {name: float(value.item()) for name, value in found.items()}


def test_dense_parameters_are_copied_over_dp_and_cp_experts_over_the_rest():
    r = replicas(columns(Layout(tp=4, cp=2, dp=16, ep=8, etp=2)))
    assert (r.dense_shard.item(), r.dense_copies.item()) == (32, 1)
    assert r.expert_shard.item() * r.expert_copies.item() == 4 * 2 * 16 / (8 * 2)
    assert r.dense_stride.item() == 4
    assert r.expert_stride.item() == 16


def test_stages_inside_data_parallelism_move_its_ranks_apart():
    near, far = replicas(
        columns(*(Layout(tp=2, pp=4, dp=8, order=o) for o in ("tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp")))
    ).dense_stride
    assert (near, far) == (2, 8)


def test_hybrid_shards_make_copies():
    r = replicas(columns(Layout(dp=64, zero=3, shard=8)))
    assert (r.dense_shard.item(), r.dense_copies.item()) == (8, 8)


@pytest.mark.parametrize(
    ("zero", "weights", "gradients", "optimizer"), [(0, 1, 1, 1), (1, 1, 1, 16), (2, 1, 16, 16), (3, 16, 16, 16)]
)
def test_zero_shards_what_it_names(zero, weights, gradients, optimizer):
    """Rajbhandari et al., arXiv 1910.02054, figure 1, with fp32 gradients: 2, 4 and 12 bytes per parameter."""
    found = states(Layout(dp=16, zero=zero))
    both = DENSE + EXPERT
    assert found == pytest.approx(
        {"weights": 2 * both / weights, "gradients": 4 * both / gradients, "optimizer": 12 * both / optimizer}
    )


def test_experts_are_sharded_over_fewer_ranks():
    found = states(Layout(dp=16, ep=8))
    assert found["optimizer"] == pytest.approx(12 * (DENSE / 16 + EXPERT / 2))


def test_optimizer_bytes_are_those_of_the_job():
    lean = Optimizer(moment_bytes=4, gradient_bytes=2)
    assert states(Layout(), lean)["optimizer"] == 8 * (DENSE + EXPERT)
    assert states(Layout(), lean)["gradients"] == 2 * (DENSE + EXPERT)


def test_one_rank_sends_nothing():
    for zero in (0, 1, 2, 3):
        assert comm(Layout(zero=zero)) == (0, 0)


@pytest.mark.parametrize("dp", [2, 8])
def test_volumes_of_each_stage_by_hand(dp):
    """fp32 gradients, bf16 weights: 4 and 2 bytes per parameter; four micro-batches."""
    ring, share = (dp - 1) / dp / NEAR, (dp - 1 + OWN_PART) / dp / NEAR
    reduce_s, gather_s = 4 * DENSE * share, 2 * DENSE * share
    assert comm(Layout(dp=dp, zero=0))[0] == pytest.approx(2 * 4 * DENSE * ring)
    assert comm(Layout(dp=dp, zero=1))[0] == pytest.approx(reduce_s + gather_s)
    assert comm(Layout(dp=dp, zero=2))[0] == pytest.approx(4 * reduce_s + gather_s)
    assert comm(Layout(dp=dp, zero=3))[0] == pytest.approx(4 * (reduce_s + 2 * gather_s))


def test_between_nodes_the_cards_of_a_node_carry_it_together():
    moved = (4 + 2) * DENSE / 64
    assert comm(Layout(dp=64))[0] == pytest.approx(max((63 + OWN_PART) * moved / NEAR, 63 * moved / (8 * FAR)))


def test_tensor_parallel_nodes_leave_each_rank_its_own_card():
    moved = (4 + 2) * DENSE * 7 / 8
    assert comm(Layout(tp=8, dp=8))[0] == pytest.approx(moved / FAR)


def test_hybrid_sharding_reduces_its_shard_across_copies():
    near, across = (7 + OWN_PART) / 8 / NEAR, 2 * 7 / 8 / FAR
    expected = 4 * DENSE * near + 4 * DENSE / 8 * across + 2 * 2 * DENSE * near
    assert comm(Layout(dp=64, zero=3, shard=8), micro_batches=1)[0] == pytest.approx(expected)


def test_experts_add_their_own_groups():
    both = comm(Layout(dp=16, ep=8), expert=EXPERT)[0] - comm(Layout(dp=16, ep=8))[0]
    assert both == pytest.approx((4 + 2) * EXPERT / 2 / FAR)  # two copies, eight ranks apart


def test_what_hides_needs_a_window_and_leave_of_the_software():
    layout, share = Layout(dp=8), (7 + OWN_PART) / 8 / NEAR
    reduce_s, gather_s = 4 * DENSE * share, 2 * DENSE * share
    total = reduce_s + gather_s
    assert comm(layout, stack(dp_overlap=0.9), 1, 1.0, 1.0) == pytest.approx((0.1 * total, 0.9 * total))
    assert comm(layout, stack(dp_overlap=0.9), 1, 0.0, 0.0) == pytest.approx((total, 0.0))
    assert comm(layout, stack(dp_overlap=1.0), 1, gather_s / 2, 1.0) == pytest.approx(
        (gather_s / 2, reduce_s + gather_s / 2)
    )
    exposed, hidden = comm(layout, stack(dp_overlap=0.9, contention=0.2), 1, 1.0, 1.0)
    assert exposed == pytest.approx(0.1 * total + 0.2 * hidden)


def test_sharded_parameters_hide_by_their_own_share():
    software = stack(dp_overlap=0.0, fsdp_overlap=1.0)
    assert comm(Layout(dp=8, zero=3), software, 4, 1.0, 1.0)[0] == pytest.approx(0, abs=1e-12)
    assert comm(Layout(dp=8, zero=1), software, 4, 1.0, 1.0)[0] > 0


def test_optimizer_reads_and_writes_its_states_once():
    found = optimizer_s(columns(Layout(dp=8), Layout(dp=8, zero=0)), np.full(2, DENSE), np.zeros(2), ADAM, 1e12, None)
    once = DENSE * (4 + 2 * 12 + 2) / 1e12
    assert found == pytest.approx([once / 8, once])


def test_offloaded_states_cross_the_host_link():
    table = columns(Layout(dp=8, offload_optimizer=True), Layout(dp=8))
    found = optimizer_s(table, np.full(2, DENSE), np.zeros(2), ADAM, 1e12, 64e9)
    assert found == pytest.approx([DENSE / 8 * 6 / 64e9, DENSE / 8 * 30 / 1e12])


def test_experts_not_spread_are_sharded_over_tensor_ranks_too():
    """TP 8, DP 4, all experts on every rank: 32 ranks hold the same experts, and 0 means all of them."""
    r = replicas(columns(Layout(tp=8, dp=4)))
    assert (r.expert_shard.item(), r.expert_copies.item()) == (32, 1)


def test_fsdp_casts_its_master_copy_and_keeps_no_other():
    """16 bytes per parameter, not 18; without a master copy, or sharded otherwise, the weights stay."""
    both = DENSE + EXPERT
    assert sum(states(Layout(zero=3), gathers_from_master=True).values()) == 16 * both
    assert sum(states(Layout(zero=3)).values()) == 18 * both
    assert states(Layout(zero=1), gathers_from_master=True)["weights"] == 2 * both
    no_master = Optimizer(master_bytes=0, moment_bytes=4, gradient_bytes=2)
    assert states(Layout(zero=3), no_master, gathers_from_master=True)["weights"] == 2 * both
    assert states(Layout(zero=3, offload_optimizer=True), gathers_from_master=True)["weights"] == 2 * both


def test_flat_copies_of_the_gradient_are_sharded_with_the_moments():
    lean = Optimizer(step_bytes=6, flat_step_copies=True)
    assert states(Layout(dp=4), lean)["optimizer"] == 18 * (DENSE + EXPERT) / 4
    assert states(Layout(dp=4), Optimizer(step_bytes=6)) == states(Layout(dp=4))


def test_broadcasts_in_turn_cost_a_ring_each():
    layouts, parameters = columns(Layout(dp=4), Layout(dp=64)), np.full(2, 1e9)
    links = tuple(link.model_copy(update={"latency_s": 1e-3}) for link in LINKS)

    def gathered(**more: object) -> np.ndarray:
        return traffic(layouts, parameters, np.zeros(2), ADAM, stack(**more), links, np.zeros_like).gather_s

    more_s = gathered(gathers_by_broadcast=True) - gathered()
    # 4 ranks of one domain: 4 rings of 3 hops; 64 ranks of 8 domains: 64 rings of 63 hops.
    assert more_s == pytest.approx([4 * 3e-3, 64 * 63e-3])


@pytest.mark.parametrize(("zero", "reduced_bytes", "gathered_bytes"), [(0, 2 * 4, 0), (1, 4, 2), (3, 4, 2)])
def test_what_is_sent_from_buffers_is_copied_once_and_whole_sums_there_and_back(zero, reduced_bytes, gathered_bytes):
    layouts, parameters = columns(Layout(dp=4, zero=zero)), (np.array([DENSE]), np.array([EXPERT]))
    apart, copied = (
        traffic(layouts, *parameters, ADAM, stack(), LINKS, copies) for copies in (np.zeros_like, lambda x: x / 1e9)
    )
    both = (DENSE + EXPERT) / 1e9
    assert copied.reduce_s - apart.reduce_s == pytest.approx(reduced_bytes * both)
    assert copied.gather_s - apart.gather_s == pytest.approx(gathered_bytes * both)


def test_one_rank_copies_nothing():
    sent = traffic(columns(Layout(dp=1)), np.array([DENSE]), np.zeros(1), ADAM, stack(), LINKS, lambda x: x)
    assert sent.reduce_s == sent.gather_s == 0.0
