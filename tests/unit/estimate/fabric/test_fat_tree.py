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


def test_pods_of_rails_cable_no_more_ports_up_than_they_have_leaves_for():
    """7 units of 20 hosts on switches of 40 ports: two rails to a pod, 14 leaves and 14 ports up."""
    topology = FatTree(switch="any", rails="aligned", pods="rails", even=True)
    forty = SWITCH.model_copy(update={"ports": 40})
    network = fat_tree(topology, 140, 8, 50e9, {"any": forty})
    assert [len(network.switches(tier)) for tier in network.tiers] == [56, 80, 28]
    assert [len(network.links(one)) for one in network.link_classes] == [1120, 1120, 1120]
    leaf = network.upper[network.links("host-leaf")] - network.num_endpoints
    pod = network.switch_group[leaf].reshape(140, 8)
    assert (pod == [0, 0, 1, 1, 2, 2, 3, 3]).all()


def test_full_trees_have_the_same_counts_whatever_their_pods_hold():
    for hosts in (512, 1024, 2048, 8192):
        of = [counts(FatTree(switch="any", rails="aligned", pods=pods), hosts) for pods in ("units", "rails")]
        assert of[0] == of[1]


def test_one_switch_joins_the_rails_of_a_few_hosts():
    assert counts(FatTree(switch="any", rails="aligned", tiers=1), 8) == {"leaf": 1, "host-leaf": 64}


def test_only_aligned_rails_make_pods():
    with pytest.raises(ValueError, match="rails are pods where rails are aligned, found rails: mixed"):
        FatTree(switch="any", pods="rails")
