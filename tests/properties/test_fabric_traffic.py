"""What must hold of any collective on any small fat tree."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric_ranks import ranks_on, small_tree, volumes
from myriad.estimate.nccl_tests import NAMED, bus_factor
from myriad.sim.network.algorithms import phases_of
from myriad.sim.network.flows import Activity
from myriad.sim.network.placement import near, packed, pods_of, shuffled, some_free, spread, units_of
from myriad.sim.network.ranks import full_rate_s, groups_of
from myriad.sim.network.run import simulate
from myriad.spec.traffic import ALGORITHMS

BYTES = 1e9
ways = st.sampled_from([(name, one) for name, of in ALGORITHMS.items() for one in of])
trees = st.sampled_from(
    [{}, {"planes": 2}, {"rails": "aligned"}, {"oversubscription": 3.0}, {"tiers": 3}, {"rails": "aligned", "tiers": 3}]
)


@given(ways, st.integers(2, 12), st.integers(1, 4), st.sampled_from([1, 2, 4]), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_as_much_is_received_as_sent_and_as_textbooks_say(way, size, cards, stride, draw):
    hosts = -(-size * stride // cards)
    order = list(range(hosts))
    draw.shuffle(order)
    network = small_tree(max(hosts, 2), cards)
    groups = groups_of(hosts * cards, size, stride)
    sent, received = volumes(phases_of(*way, ranks_on(hosts, cards, order), groups, BYTES, network), hosts * cards)
    np.testing.assert_allclose(sent.sum(), received.sum())
    whole = way[1] != "halving-doubling" or size & (size - 1) == 0
    if cards == 1 and whole and way[0] != "broadcast" and way[1] != "in-switch":
        np.testing.assert_allclose(received.sum(), bus_factor(NAMED[way[0]], size) * BYTES * groups.size)


@given(ways, trees, st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_no_network_is_faster_than_its_cards_and_hashes_no_faster_than_spraying(way, tree, seed):
    network, ranks = small_tree(18, 2, **tree), ranks_on(18, 2, near=np.inf)
    phases = phases_of(*way, ranks, groups_of(36, 36), BYTES, network)
    activity = [Activity("one", phases)]
    at_line_rate = sum(phase.repeats * full_rate_s(ranks, phase.flows) for phase in phases)
    sprayed = simulate(network, activity, "spray", tolerance=0.0).makespan_s
    hashed = simulate(network, activity, "ecmp", seed=seed, tolerance=0.0).makespan_s
    assert at_line_rate <= sprayed * (1 + 1e-9)
    assert sprayed <= hashed * (1 + 1e-9)


@given(trees, st.integers(1, 30), st.integers(0, 9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_placements_are_orders_of_free_domains(tree, needed, seed, block):
    network = small_tree(40, 2, **tree)
    free, levels = some_free(40, 30, seed), (units_of(network, 2), pods_of(network, 2))
    for order in (packed(free), spread(free, levels[0]), shuffled(free, seed), near(free, 30, levels, block)):
        assert np.sort(order).tolist() == free.tolist()
    assert near(free, needed, levels, block).tolist() == near(free, 30, levels, block)[:needed].tolist()
