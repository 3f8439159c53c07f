"""Every collective that can be named."""

from __future__ import annotations

import numpy as np
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
        if collective == "broadcast":
            assert received.max() >= 1e9 * 0.999
        else:
            at_least = {"in-switch": 1e9}.get(algorithm, bus_factor(collective, 16) * 1e9)
            assert np.median(received) >= at_least * 0.999, algorithm


def test_bus_factors_of_nccl_tests():
    assert bus_factor("all-reduce", 8) == 1.75
    assert bus_factor("all-gather", 8) == bus_factor("all-to-all", 8) == 0.875
    assert bus_factor("broadcast", 8) == 1.0
