"""Every collective that can be named."""

from __future__ import annotations

import pytest

from fabric_ranks import ranks_on, small_tree, volumes
from myriad.estimate.nccl_tests import NAMED, bus_factor
from myriad.sim.network.algorithms import phases_of
from myriad.sim.network.ranks import groups_of
from myriad.spec.traffic import ALGORITHMS


@pytest.mark.parametrize("collective", ALGORITHMS)
def test_every_algorithm_delivers_what_its_collective_asks_for(collective):
    network, ranks, groups = small_tree(16, 1), ranks_on(16, 1), groups_of(16, 16)
    for algorithm in ALGORITHMS[collective]:
        received = volumes(phases_of(collective, algorithm, ranks, groups, 1e9, network), 16)[1]
        # Of a broadcast the root receives nothing; a switch hands every rank the sum of all once.
        share = 15 / 16 if collective == "broadcast" else bus_factor(NAMED[collective], 16)
        at_least = 1.0 if algorithm == "in-switch" else share
        assert received.mean() >= at_least * 1e9 * 0.999, algorithm
