"""Volumes and shapes of collectives as phases of flows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fabric_ranks import RATE, is_partial_permutation, ranks_on, volumes
from myriad.sim.network import collectives as c
from myriad.sim.network.ranks import groups_of
from myriad.sim.network.trees import binary_tree, depth, double_binary_tree

BYTES = 1e9


@pytest.mark.parametrize("size", [2, 3, 8, 13])
@pytest.mark.parametrize(
    ("collective", "share"),
    [
        (c.ring_all_reduce, 2.0),
        (c.ring_all_gather, 1.0),
        (c.ring_reduce_scatter, 1.0),
        (c.doubling_all_gather, 1.0),
        (c.halving_reduce_scatter, 1.0),
    ],
)
def test_every_rank_sends_and_receives_the_textbook_volume(collective, share, size):
    phases = collective(ranks_on(size, 1), groups_of(size, size), BYTES)
    sent, received = volumes(phases, size)
    assert_allclose(sent, share * BYTES * (size - 1) / size)
    assert_allclose(received, share * BYTES * (size - 1) / size)
    assert all(is_partial_permutation(phase) for phase in phases)


def test_halving_and_doubling_moves_as_much_as_a_ring_in_fewer_steps():
    phases = c.halving_doubling_all_reduce(ranks_on(16, 1), groups_of(16, 16), BYTES)
    assert len(phases) == 8
    assert_allclose(volumes(phases, 16)[1], 2 * BYTES * 15 / 16)
    assert_allclose(phases[0].flows.target, np.arange(16) ^ 1)
    assert phases[0].flows.bytes_[0] == BYTES / 2


def test_members_beyond_a_power_of_two_hand_over_and_get_back():
    phases = c.halving_doubling_all_reduce(ranks_on(6, 1), groups_of(6, 6), BYTES)
    sent, received = volumes(phases, 6)
    assert_allclose(sent[[0, 2]], BYTES)
    assert_allclose(received[[1, 3]], BYTES * (1 + 2 * 3 / 4))
    assert all(is_partial_permutation(phase) for phase in phases)


def test_rings_of_hosts_use_every_card_for_its_share():
    (ring,) = c.ring_all_reduce(ranks_on(4, 8), groups_of(32, 32), BYTES)
    assert ring.repeats == 62
    assert len(ring.flows) == 32
    assert (ring.flows.source % 8 == ring.flows.target % 8).all()
    assert_allclose(volumes((ring,), 32)[0], 2 * BYTES * 31 / 32 / 8)


def test_two_levels_take_fewer_steps_than_one_ring_for_the_same_bytes():
    (levels,) = c.hierarchical_all_reduce(ranks_on(4, 8), groups_of(32, 32), BYTES)
    assert levels.repeats == 6
    assert_allclose(volumes((levels,), 32)[0], 2 * BYTES * 3 / 4 / 8)


def test_scale_up_links_that_are_slower_than_cards_set_the_time():
    slow = ranks_on(4, 8, near=RATE / 2)
    (levels,) = c.hierarchical_all_reduce(slow, groups_of(32, 32), BYTES)
    network_s = 2 * BYTES * 3 / 4 / 8 / RATE
    assert_allclose(network_s + levels.repeats * levels.latency_s, 2 * BYTES * 7 / 8 / (RATE / 2))


def test_sums_in_the_switches_of_a_host_are_used_where_they_are_faster():
    slow = replace(ranks_on(4, 8, near=RATE / 2), near_sum_bytes_per_s=RATE / 2)
    (levels,) = c.hierarchical_all_reduce(slow, groups_of(32, 32), BYTES)
    assert_allclose(2 * BYTES * 3 / 4 / 8 / RATE + levels.repeats * levels.latency_s, 9 / 8 * BYTES / (RATE / 2))
    (gather,) = c.hierarchical_all_gather(slow, groups_of(32, 32), BYTES)
    assert_allclose(BYTES * 3 / 4 / 8 / RATE + gather.repeats * gather.latency_s, 7 / 8 * BYTES / (RATE / 2))


def test_a_group_within_a_host_never_enters_the_network():
    ranks = ranks_on(2, 8)
    for collective in (c.ring_all_reduce, c.hierarchical_all_reduce, c.double_tree_all_reduce, c.chain_broadcast):
        assert not any(len(phase.flows) for phase in collective(ranks, groups_of(16, 8), BYTES))
    (ring,) = c.ring_all_reduce(ranks, groups_of(16, 8), BYTES)
    assert_allclose(ring.repeats * ring.latency_s, 2 * BYTES * 7 / 8 / (9 * RATE))


def test_groups_side_by_side_share_one_phase():
    (ring,) = c.ring_all_reduce(ranks_on(4, 8), groups_of(32, 4, 8), BYTES)
    assert len(ring.flows) == 32
    assert is_partial_permutation(ring)
    assert_allclose(volumes((ring,), 32)[0], 2 * BYTES * 3 / 4)


@pytest.mark.parametrize("size", [2, 3, 6, 7, 16, 33])
def test_members_with_children_in_one_tree_have_none_in_the_other(size):
    one, other = double_binary_tree(size)
    for parent in (one, other):
        assert (parent < 0).sum() == 1
        assert depth(parent) <= np.ceil(np.log2(size)) + 1
        assert np.bincount(parent[parent >= 0]).max() <= 2
    inner = [set(parent[parent >= 0].tolist()) for parent in (one, other)]
    assert len(inner[0] & inner[1]) <= 2
    assert binary_tree(size)[0] == -1


def test_two_trees_load_cards_less_than_one():
    groups = groups_of(16, 16)
    single = volumes(c.tree_all_reduce(ranks_on(16, 1), groups, BYTES), 16)[1].max()
    double = volumes(c.double_tree_all_reduce(ranks_on(16, 1), groups, BYTES), 16)[1].max()
    assert_allclose((single, double), (3 * BYTES, 2 * BYTES))


def test_a_broadcast_reaches_everyone_once():
    for collective in (c.chain_broadcast, c.tree_broadcast):
        received = volumes(collective(ranks_on(9, 1), groups_of(9, 9), BYTES), 9)[1]
        assert_allclose(received, [0, *[BYTES] * 8])
    halves = volumes(c.double_tree_broadcast(ranks_on(9, 1), groups_of(9, 9), BYTES), 9)[1]
    assert_allclose(halves[1:], BYTES)


def test_members_that_lie_unevenly_over_hosts_form_one_ring():
    ranks = ranks_on(4, 4).take(np.array([0, 1, 2, 5, 9, 10]))
    (ring,) = c.ring_all_reduce(ranks, groups_of(6, 6), BYTES)
    assert len(ring.flows) == 3
    assert_allclose(ring.flows.bytes_, BYTES / 6)
