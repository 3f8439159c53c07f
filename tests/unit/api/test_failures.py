"""Pools as their failures see them, and planned windows joined."""

from __future__ import annotations

import numpy as np
import pytest

from myriad import catalog
from myriad.api.failures import breakable_of, windows_of
from myriad.errors import SpecError
from myriad.spec.life import Growth, Life, Maintenance, PowerCap

DAY_S = 86400.0
NODE = catalog.counted_node("dgx-h100:8")[0]


def test_nodes_are_new_and_there_from_the_start():
    found = breakable_of("llama3", NODE, 2048)
    assert (found.num_nodes, found.accelerators_per_node, found.links_per_node) == (2048, 8, 8)
    assert found.joined_s.tolist() == [0.0] * 2048
    assert found.age_s.tolist() == [0.0] * 2048
    assert found.nodes_per_leaf == 2
    assert dict(found.causes)["gpu"].component == "gpu"


def test_growth_joins_in_the_order_of_time_with_its_burn_in_behind_it():
    life = Life(
        age=100 * DAY_S,
        burn_in=7 * DAY_S,
        growth=(Growth(at=60 * DAY_S, count=16), Growth(at=30 * DAY_S, count=8)),
    )
    found = breakable_of("h100-fleet", NODE, 2, life)
    assert found.num_nodes == 5
    assert (found.joined_s / DAY_S).tolist() == [0.0, 0.0, 30.0, 60.0, 60.0]
    assert (found.age_s / DAY_S).tolist() == [107.0, 107.0, 7.0, 7.0, 7.0]


def test_growth_is_of_whole_nodes():
    with pytest.raises(SpecError, match=r"life.growth: 12 accelerators are not a whole number of nodes of 8"):
        breakable_of("llama3", NODE, 2, Life(growth=(Growth(at=DAY_S, count=12),)))


def test_names_are_looked_up():
    with pytest.raises(SpecError, match="did you mean 'llama3'"):
        breakable_of("llama33", NODE, 2)


def test_a_fabric_counts_switches_ports_and_leaves():
    plain = breakable_of("h100-fleet", NODE, 128)
    assert plain.switches == pytest.approx(48.0)
    found = breakable_of("h100-fleet", NODE, 128, fabric=catalog.fabric("fat-tree-ndr-rails"))
    assert (found.switches, found.links_per_node, found.nodes_per_leaf) == (48.0, 8, 32)
    planes = breakable_of("h100-fleet", NODE, 128, fabric=catalog.fabric("hpn7"))
    assert planes.links_per_node == 16


def test_without_windows_there_are_none():
    assert windows_of(Life(), 10, 100 * DAY_S) is None
    assert windows_of(Life(power_caps=(PowerCap(start=50 * DAY_S, lasts=DAY_S, speed=0.5),)), 10, 40 * DAY_S) is None


def test_windows_come_again_until_the_horizon():
    life = Life(maintenance=(Maintenance(start=DAY_S, lasts=DAY_S / 2, every=10 * DAY_S, share=0.25),))
    found = windows_of(life, 10, 21.25 * DAY_S)
    assert found is not None
    assert (found.start_s / DAY_S).tolist() == [1.0, 11.0, 21.0]
    assert (found.end_s / DAY_S).tolist() == [1.5, 11.5, 21.25]
    assert found.nodes_out.tolist() == [3, 3, 3]
    assert found.speed.tolist() == [1.0, 1.0, 1.0]


def test_overlapping_windows_join_by_the_slowest_and_the_most():
    life = Life(
        power_caps=(
            PowerCap(start=0.0, lasts=4 * DAY_S, speed=0.8),
            PowerCap(start=2 * DAY_S, lasts=4 * DAY_S, speed=0.6),
        ),
        maintenance=(
            Maintenance(start=3 * DAY_S, lasts=DAY_S, share=0.5),
            Maintenance(start=3 * DAY_S, lasts=2 * DAY_S, share=0.1),
        ),
    )
    found = windows_of(life, 10, 100 * DAY_S)
    assert found is not None
    assert (found.start_s / DAY_S).tolist() == [0.0, 2.0, 3.0, 4.0, 5.0]
    assert (found.end_s / DAY_S).tolist() == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert found.speed.tolist() == [0.8, 0.6, 0.6, 0.6, 0.6]
    assert found.nodes_out.tolist() == [0, 0, 5, 1, 0]
    assert found.nodes_out.dtype == np.int64
