"""Every collective that can be named."""

from __future__ import annotations

import pytest

from fabric_ranks import ranks_on, small_tree, volumes
from myriad.sim.network.algorithms import bus_factor, phases_of
from myriad.sim.network.ranks import groups_of
from myriad.spec.traffic import ALGORITHMS


@pytest.mark.parametrize("collective", ALGORITHMS)
def test_every_algorithm_delivers_what_its_collective_asks_for(collective):
    network, ranks, groups = small_tree(16, 1), ranks_on(16, 1), groups_of(16, 16)
    for algorithm in ALGORITHMS[collective]:
        received = volumes(phases_of(collective, algorithm, ranks, groups, 1e9, network), 16)[1]
        # Of a broadcast the root receives nothing; a switch hands every rank the sum of all once.
        share = 15 / 16 if collective == "broadcast" else bus_factor(collective, 16)
        at_least = 1.0 if algorithm == "in-switch" else share
        assert received.mean() >= at_least * 1e9 * 0.999, algorithm


def test_bus_factors_of_nccl_tests():
    assert bus_factor("all-reduce", 8) == 1.75
    assert bus_factor("all-gather", 8) == bus_factor("all-to-all", 8) == 0.875
    assert bus_factor("broadcast", 8) == 1.0
