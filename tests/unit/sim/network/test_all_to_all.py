"""All-to-alls, reductions in switches and placements as flows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fabric_ranks import RATE, is_partial_permutation, ranks_on, small_tree, volumes
from myriad.sim.network import all_to_all
from myriad.sim.network.all_to_all import direct_all_to_all, hierarchical_all_to_all, pairwise_all_to_all
from myriad.sim.network.in_switch import in_switch_all_reduce
from myriad.sim.network.ranks import full_rate_s, groups_of

BYTES = 1e9


def test_rounds_are_permutations_and_add_up():
    phases = pairwise_all_to_all(ranks_on(6, 1), groups_of(6, 6), BYTES)
    assert len(phases) == 5
    assert all(is_partial_permutation(phase) for phase in phases)
    assert_allclose(volumes(phases, 6)[1], BYTES * 5 / 6)


@pytest.mark.parametrize("given", [{}, {"planes": 2}, {"rails": "aligned"}, {"tiers": 3}])
@pytest.mark.parametrize("form", [direct_all_to_all, hierarchical_all_to_all])
def test_rows_by_leaves_carry_what_pairs_carry(given, form, monkeypatch):
    network = small_tree(12, 2, **given)
    ranks, groups = ranks_on(12, 2), groups_of(24, 12)
    (pairs,) = form(ranks, groups, BYTES, network)
    monkeypatch.setattr(all_to_all, "MOST_ROWS", 0)
    (rows,) = form(ranks, groups, BYTES, network)
    assert (rows.flows.source >= network.num_endpoints).any()
    for one, other in zip(volumes((pairs,), 24), volumes((rows,), 24), strict=True):
        assert_allclose(one, other)
    assert_allclose(between_leaves(network, rows.flows), between_leaves(network, pairs.flows))
    assert rows.latency_s == pairs.latency_s


def between_leaves(network, flows):
    """Bytes from leaf to leaf, of the first plane for all, whichever way they are written."""
    leaf = np.arange(network.num_vertices)
    joins = np.flatnonzero(network.link_class == 0)[::-1]
    leaf[network.lower[joins]] = network.upper[joins]
    alike = (flows.source < network.num_endpoints) == (flows.target < network.num_endpoints)
    one, other = leaf[flows.source] - network.num_endpoints, leaf[flows.target] - network.num_endpoints
    table = np.zeros((network.num_switches, network.num_switches))
    between = alike & (one != other)
    np.add.at(table, (one[between], other[between]), (flows.bytes_ * flows.members)[between])
    return table


def test_through_the_host_no_flow_changes_its_rail_and_as_much_arrives():
    ranks, groups, network = ranks_on(4, 4), groups_of(16, 16), small_tree(4, 4)
    (rails,) = hierarchical_all_to_all(ranks, groups, BYTES, network)
    assert (rails.flows.source % 4 == rails.flows.target % 4).all()
    assert_allclose(volumes((rails,), 16)[1], BYTES * 12 / 16)
    (direct,) = direct_all_to_all(ranks, groups, BYTES, network)
    assert_allclose(volumes((direct,), 16)[1], BYTES * 12 / 16)


def test_rails_apart_are_reached_through_the_host():
    network = small_tree(4, 2, rails="separate")
    ranks = ranks_on(4, 2)
    apart = replace(ranks, rails_apart=True)
    (phase,) = direct_all_to_all(apart, groups_of(8, 8), BYTES, network)
    assert (phase.flows.source % 2 == phase.flows.target % 2).all()


def test_switches_that_sum_carry_every_byte_once_each_way():
    network = small_tree(32, 1)
    (phase,) = in_switch_all_reduce(ranks_on(32, 1), groups_of(32, 32), BYTES, network)
    sent, received = volumes((phase,), 32)
    assert_allclose(sent, BYTES)
    assert_allclose(received, BYTES)
    leaves = len(network.switches("leaf"))
    assert len(phase.flows) == 2 * 32 + leaves
    assert_allclose(full_rate_s(ranks_on(32, 1), phase.flows), BYTES / RATE)


def test_every_leaf_and_every_pod_sends_up_and_receives_once():
    network = small_tree(128, 1, tiers=3)
    (phase,) = in_switch_all_reduce(ranks_on(128, 1), groups_of(128, 128), BYTES, network)
    between = (phase.flows.source >= 128) & (phase.flows.target >= 128)
    source, target = phase.flows.source[between], phase.flows.target[between]
    leaves = network.switches("leaf").tolist()
    assert np.sort(source).tolist() == np.sort(target).tolist() == leaves
    pod = network.switch_group[source - 128], network.switch_group[target - 128]
    crossing = pod[0] != pod[1]
    assert np.bincount(pod[0][crossing]).tolist() == np.bincount(pod[1][crossing]).tolist() == [1, 1]


def test_hashed_flows_stay_pairs(monkeypatch):
    network, ranks, groups = small_tree(12, 2), ranks_on(12, 2), groups_of(24, 24)
    monkeypatch.setattr(all_to_all, "MOST_ROWS", 0)
    for form, pairs in ((direct_all_to_all, 24 * 22), (hierarchical_all_to_all, 24 * 11)):
        (phase,) = form(ranks, groups, BYTES, network, hashed=True)
        assert len(phase.flows) == pairs
