"""Counts of fat trees as vendors and papers print them."""

from __future__ import annotations

import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.fat_tree import fat_tree
from myriad.spec.fabric import FatTree
from myriad.spec.fabric_parts import Switch

SWITCH = Switch(name="64 x 400G", vendor="any", technology="infiniband", ports=64, port_bandwidth=50e9)


def counts(topology: FatTree, hosts: int, nics: int = 8) -> dict[str, int]:
    network = fat_tree(topology, hosts, nics, 50e9, {"any": SWITCH})
    found = {tier: len(network.switches(tier)) for tier in network.tiers}
    return found | {one: len(network.links(one)) for one in network.link_classes}


def test_closed_forms_of_full_trees():
    assert counts(FatTree(switch="any"), 2048, 1) == {"leaf": 64, "spine": 32, "host-leaf": 2048, "leaf-spine": 2048}
    full = counts(FatTree(switch="any"), 65536, 1)
    assert full["leaf"] + full["spine"] + full["core"] == 5 * 64**2 // 4


def test_uneven_wiring_needs_fewer_spines_than_even():
    assert counts(FatTree(switch="any", rails="aligned"), 95)["spine"] == 12
    assert counts(FatTree(switch="any", rails="aligned", even=True), 95)["spine"] == 16


def test_rails_apart_need_no_second_tier_on_one_switch_each():
    assert counts(FatTree(switch="any", rails="separate"), 64) == {"leaf": 8, "host-leaf": 512}


def test_too_few_tiers_are_refused():
    with pytest.raises(InfeasibleError, match="two tiers of these switches join at most 2,048 endpoints"):
        counts(FatTree(switch="any", tiers=2), 512)
