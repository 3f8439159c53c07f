"""What one accelerator sees of a fabric."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.fabric import uniform
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.tiers import scale_out_tiers
from myriad.estimate.fabric.uniform import uniform_share
from myriad.spec.cluster import Link
from myriad.spec.fabric import (
    Damage,
    Direct,
    Dragonfly,
    DragonflyPlus,
    Fabric,
    FatTree,
    LinkFault,
    SlimFly,
    SwitchFault,
    TierPorts,
    Topology,
    Torus,
)
from myriad.spec.fabric_parts import Switch

SWITCH = Switch(name="64 x 400G", vendor="any", technology="infiniband", ports=64, port_bandwidth=50e9)
CARD = Link(
    tier="scale-out", domain=8, bytes_per_s_one_way=50e9, latency_s=8e-6, efficiency=0.85, half_bytes=2e6, start_s=1e-6
)


def tiers(fabric: Fabric | Topology, hosts: int = 256, cards: int = 8, accelerators: int = 8) -> tuple[Link, ...]:
    fabric = fabric if isinstance(fabric, Fabric) else Fabric(topology=fabric)
    network = build_network(fabric.topology, hosts, cards, 50e9 * accelerators / cards, {"any": SWITCH})
    return scale_out_tiers(fabric, network, accelerators, CARD)


def domains_and_gb_per_s(links: tuple[Link, ...]) -> list[tuple[int, float]]:
    return [(link.domain, round(link.bytes_per_s_one_way / 1e9, 3)) for link in links]


@pytest.mark.parametrize("rails", ["mixed", "aligned", "separate"])
@pytest.mark.parametrize("hosts", [4, 256, 1250])
@pytest.mark.parametrize("planes", [1, 2])
def test_whole_fabrics_that_do_not_block_are_the_nodes_own_link(rails, hosts, planes):
    found = tiers(FatTree(switch="any", rails=rails, planes=planes), hosts)
    assert found == (CARD.model_copy(update={"domain": hosts * 8}),)


def test_leaves_of_mixed_rails_hold_hosts_and_units_of_aligned_rails_more():
    narrow = FatTree(switch="any", leaf_ports=TierPorts(down=48, up=16))
    assert domains_and_gb_per_s(tiers(narrow)) == [(48, 50.0), (2048, 16.667)]
    aligned = narrow.model_copy(update={"rails": "aligned"})
    assert domains_and_gb_per_s(tiers(aligned)) == [(384, 50.0), (2048, 16.667)]
    apart = narrow.model_copy(update={"rails": "separate"})
    assert domains_and_gb_per_s(tiers(apart)) == [(384, 50.0), (2048, 16.667)]


def test_a_fabric_of_one_leaf_has_no_tier_above():
    assert len(tiers(FatTree(switch="any", oversubscription=7), 7)) == 1


def test_narrow_spines_bind_between_pods_only():
    found = tiers(FatTree(switch="any", tiers=3, spine_oversubscription=3), 512)
    assert domains_and_gb_per_s(found) == [(1536, 50.0), (4096, 16.667)]
    both = tiers(FatTree(switch="any", tiers=3, oversubscription=2, spine_oversubscription=2), 512)
    assert domains_and_gb_per_s(both) == [(43, 50.0), (1849, 24.419), (4096, 11.925)]


def test_a_spine_that_is_down_takes_its_share_from_every_leaf():
    fabric = Fabric(topology=FatTree(switch="any"), damage=Damage(switches=(SwitchFault(tier="spine", number=4),)))
    assert domains_and_gb_per_s(tiers(fabric)) == [(32, 50.0), (2048, round(50 * 28 / 32, 3))]


def test_the_leaf_with_the_fewest_links_sets_the_pace():
    fabric = Fabric(topology=FatTree(switch="any"), damage=Damage(links=(LinkFault(share=1e-9),)))
    assert domains_and_gb_per_s(tiers(fabric)) == [(32, 50.0), (2048, round(50 * 31 / 32, 3))]


def test_slow_links_of_cards_slow_all_tiers():
    slow = Damage(links=(LinkFault(share=0.001, bandwidth_left=0.5, tier="host-leaf"),))
    # One card of eight at half its rate.
    assert domains_and_gb_per_s(tiers(Fabric(topology=FatTree(switch="any"), damage=slow))) == [(2048, 46.875)]


def test_hosts_that_are_cut_off_are_named():
    gone = Damage(links=(LinkFault(share=1.0, tier="host-leaf"),))
    with pytest.raises(InfeasibleError, match="cuts 256 of 256 hosts off"):
        tiers(Fabric(topology=FatTree(switch="any"), damage=gone))
    dark = Damage(links=(LinkFault(share=1.0),))
    with pytest.raises(InfeasibleError, match="cuts hosts off from all others"):
        tiers(Fabric(topology=FatTree(switch="any"), damage=dark))


def test_hashed_flows_take_longer_the_fewer_they_are():
    (_, one), (_, many) = (
        tiers(Fabric(topology=FatTree(switch="any"), routing="ecmp", flows_per_pair=flows)) for flows in (1, 16)
    )
    assert one.bytes_per_s_one_way == many.bytes_per_s_one_way == 50e9
    factors = [factor for _, factor in one.contention]
    assert factors == sorted(factors, reverse=True)
    assert one.contention[0] == pytest.approx((1 / 32, 32.0))  # a leaf's only flow has one of its 32 links
    assert all(few >= more for (_, few), (_, more) in zip(one.contention, many.contention, strict=True))


def test_hop_latency_counts_beyond_a_leaf_where_it_is_stated():
    fabric = Fabric(topology=FatTree(switch="any", tiers=3), hop_latency=1e-6)
    assert [link.latency_s for link in tiers(fabric, 512)] == pytest.approx([8e-6, 10e-6, 12e-6])


def test_fewer_cards_than_accelerators_share_them():
    found = tiers(FatTree(switch="any", leaf_ports=TierPorts(down=48, up=16)), cards=4, accelerators=4)
    assert domains_and_gb_per_s(found) == [(48, 50.0), (1024, 16.667)]


def test_groups_of_a_dragonfly_plus_have_links_of_their_own_to_each_other():
    topology = DragonflyPlus(
        switch="any", leaves_per_group=4, spines_per_group=4, endpoints_per_leaf=16, global_links_per_spine=4
    )
    found = tiers(topology, 512, 1, 1)
    # Four links up for 16 cards; 16 links out of a group of 64 cards, not the same number to each of the seven others.
    assert domains_and_gb_per_s(found) == [(16, 50.0), (64, 12.5), (512, 10.0)]


def test_beyond_a_switch_of_a_slim_fly_uniform_traffic_counts():
    full = SlimFly(switch="any", q=5, endpoints_per_switch=4)
    network = build_network(full, 25, 8, 50e9, {"any": SWITCH})
    # 50 switches of 7 links, diameter 2: a message takes (7 + 2 * 42) / 50 links, 4 endpoints send over 7 links.
    assert uniform_share(network, network) == pytest.approx(7 / 4 / ((7 + 2 * 42) / 50), rel=0.05)
    crowded = SlimFly(switch="any", q=5, endpoints_per_switch=8)
    near, far = tiers(crowded, 50)
    assert near.domain == 8
    assert far.bytes_per_s_one_way == pytest.approx(50e9 * 7 / 8 / ((7 + 2 * 42) / 50), rel=0.05)


def test_a_balanced_dragonfly_carries_uniform_traffic():
    balanced = Dragonfly(switch="any", endpoints_per_switch=4, switches_per_group=8, global_links_per_switch=4)
    network = build_network(balanced, 132, 8, 50e9, {"any": SWITCH})
    assert 0.8 < uniform_share(network, network) < 1.3


def test_a_torus_carries_uniform_traffic_by_its_longest_dimension():
    (found,) = tiers(Torus(dimensions=(16, 8, 4), link_bandwidth=50e9), 512, 1, 1)
    assert found.bytes_per_s_one_way == pytest.approx(50e9 * 2 / 4)  # 16 places: 4 hops on average, over two links
    (slow,) = tiers(Torus(dimensions=(16, 8, 4), link_bandwidth=5e9), 512, 1, 1)
    assert slow.bytes_per_s_one_way == pytest.approx(2.5e9)


def test_two_hosts_cabled_to_each_other_keep_their_link():
    assert domains_and_gb_per_s(tiers(Direct(), 2)) == [(16, 50.0)]


def test_links_that_are_down_take_from_uniform_traffic():
    network = build_network(SlimFly(switch="any", q=5, endpoints_per_switch=4), 25, 8, 50e9, {"any": SWITCH})
    left = network.bytes_per_s.copy()
    left[np.flatnonzero(network.link_class == 1)[:3]] = 0.0
    assert 0 < uniform_share(network, replace(network, bytes_per_s=left)) < uniform_share(network, network)


def test_a_sample_of_sources_stands_for_a_large_network(monkeypatch):
    network = build_network(SlimFly(switch="any", q=5, endpoints_per_switch=8), 50, 8, 50e9, {"any": SWITCH})
    exact = uniform_share(network, network)
    monkeypatch.setattr(uniform, "_LARGE", 10)
    monkeypatch.setattr(uniform, "_SOURCES", 25)
    assert uniform_share(network, network) == pytest.approx(exact, rel=0.02)
