"""What collectives get on small networks, beside what theory says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fabric_ranks import RATE, ranks_on, small_tree
from myriad.estimate.fabric.network import Network
from myriad.estimate.nccl_tests import NAMED, bus_factor
from myriad.sim.network.algorithms import phases_of
from myriad.sim.network.flows import Activity
from myriad.sim.network.ranks import Ranks, groups_of
from myriad.sim.network.run import simulate
from myriad.spec.traffic import ALGORITHMS

BYTES = 1e9
#: Time over that of the card which sends 2 (n-1)/n, (n-1)/n or all of the bytes once.
LONGER = {
    ("all-reduce", "tree"): 3 / (2 * 31 / 32),
    ("all-reduce", "double-binary-tree"): 2 / (2 * 31 / 32),
    ("all-reduce", "in-switch"): 1 / (2 * 31 / 32),
    ("broadcast", "tree"): 2.0,
}


def time_s(network: Network, ranks: Ranks, way: tuple[str, str], groups=None, **how: object) -> float:
    chosen = groups_of(len(ranks), len(ranks)) if groups is None else groups
    phases = phases_of(*way, ranks, chosen, BYTES, network)
    return simulate(network, [Activity("one", phases)], tolerance=0.0, **how).makespan_s


@pytest.mark.parametrize("way", [(name, one) for name, ways in ALGORITHMS.items() for one in ways])
@pytest.mark.parametrize("given", [{}, {"planes": 2}])
def test_a_whole_tree_that_sprays_gives_every_collective_its_closed_form(way, given):
    network = small_tree(32, 1, **given)
    expected = bus_factor(NAMED[way[0]], 32) * BYTES / RATE * LONGER.get(way, 1.0)
    assert_allclose(time_s(network, ranks_on(32, 1), way), expected, rtol=1e-6)


@pytest.mark.parametrize("way", [("all-to-all", "pairwise"), ("all-reduce", "hierarchical")])
def test_hashes_collide_and_more_flows_per_pair_collide_less(way):
    network, ranks = small_tree(32, 1), ranks_on(32, 1, np.random.default_rng(3).permutation(32).tolist())
    sprayed = time_s(network, ranks, way)
    hashed = [time_s(network, ranks, way, routing="ecmp", flows_per_pair=flows, seed=1) for flows in (1, 16)]
    assert sprayed < hashed[1] < hashed[0]


def test_through_the_host_is_faster_where_spines_are_few():
    network = small_tree(64, 4, rails="aligned", oversubscription=3.0)
    ranks, groups = ranks_on(64, 4), groups_of(256, 32)
    ways = [time_s(network, ranks, ("all-to-all", one), groups) for one in ("hierarchical", "direct")]
    assert ways[0] < 0.7 * ways[1]


def test_two_levels_are_faster_than_flat_doubling_where_spines_are_few():
    network, ranks = small_tree(32, 4, oversubscription=3.0), ranks_on(32, 4)
    ways = [time_s(network, ranks, ("all-reduce", one)) for one in ("hierarchical", "halving-doubling")]
    assert ways[0] < 0.7 * ways[1]


def test_a_scattered_ring_suffers_where_spines_are_few():
    network = small_tree(33, 1, oversubscription=2.0)
    scattered = np.random.default_rng(0).permutation(33).tolist()
    packed, random = (time_s(network, ranks_on(33, 1, order), ("all-reduce", "ring")) for order in (None, scattered))
    assert random > 1.3 * packed


def test_jobs_side_by_side_share_what_they_meet_on():
    network = small_tree(32, 1, oversubscription=3.0)
    halves = [np.arange(0, 32, 2), np.arange(1, 32, 2)]
    activities = [
        Activity(f"job {number}", phases_of("all-to-all", "direct", ranks_on(32, 1), half[None], BYTES, network))
        for number, half in enumerate(halves)
    ]
    alone = simulate(network, activities[:1], tolerance=0.0).makespan_s
    both = simulate(network, activities, tolerance=0.0)
    assert both.makespan_s > 1.5 * alone
    assert_allclose(both.activities[0].end_s, both.activities[1].end_s, rtol=1e-6)
