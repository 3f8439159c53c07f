"""Topologies other than fat trees: sizes, degrees, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.counts import links_by_class, ports_free, ports_used
from myriad.estimate.fabric.galois import field, prime_power
from myriad.estimate.fabric.network import Network
from myriad.estimate.fabric.ports import deal_between_groups
from myriad.estimate.fabric.slim_fly import exists, links_per_switch
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_parts import Switch

SWITCH = Switch(name="64 x 400G", vendor="any", technology="ethernet", ports=64, port_bandwidth=50e9)


def network(topology: Topology, hosts: int, cards: int = 1, nic_bytes_per_s: float = 50e9) -> Network:
    return build_network(topology, hosts, cards, nic_bytes_per_s, {"any": SWITCH})


@pytest.mark.parametrize("q", [4, 5, 8, 9, 16, 25, 27, 29])
def test_a_field_adds_and_multiplies(q):
    of = field(q)
    elements = np.arange(q)
    assert (of.add[0] == elements).all()
    assert (of.multiply[1] == elements).all()
    assert (np.sort(of.add, axis=1) == elements).all()
    assert (np.sort(of.multiply[1:], axis=1) == elements).all()
    a, b, c = (axis.ravel() for axis in np.meshgrid(*[elements] * 3))
    assert (of.multiply[a, of.add[b, c]] == of.add[of.multiply[a, b], of.multiply[a, c]]).all()
    assert sorted(of.powers) == list(range(1, q))


def test_powers_of_primes():
    assert [q for q in range(2, 30) if prime_power(q) is None] == [6, 10, 12, 14, 15, 18, 20, 21, 22, 24, 26, 28]
    assert [q for q in range(2, 30) if exists(q)] == [3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19, 23, 25, 27, 29]


@pytest.mark.parametrize("q", [3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 19])
def test_slim_fly_has_its_degree_and_any_two_switches_share_a_neighbour(q):
    one = network(SlimFly(switch="any", q=q), 2 * q * q)
    size = 2 * q * q
    joined = np.zeros((size, size))
    links = one.links("switch-switch")
    np.add.at(joined, (one.lower[links] - size, one.upper[links] - size), 1)
    joined += joined.T
    assert joined.max() == 1
    assert not np.diag(joined).any()
    assert (joined.sum(axis=0) == links_per_switch(q)).all()
    assert ((joined @ joined + joined) > 0).all()


def test_the_smallest_slim_flies_are_known_graphs():
    assert network(SlimFly(switch="any", q=5), 50).num_switches == 50  # Hoffman and Singleton's
    assert links_per_switch(5) == 7


def test_slim_fly_takes_the_least_order_that_reaches_all():
    assert network(SlimFly(switch="any"), 10000).num_switches == 2 * 19**2
    with pytest.raises(InfeasibleError, match="reaches at most 30,618 endpoints, not 30,619"):
        network(SlimFly(switch="any"), 30619)
    with pytest.raises(InfeasibleError, match=r"no Slim Fly of order 6: .* nearest: 5 and 7"):
        network(SlimFly(switch="any", q=6), 10)
    with pytest.raises(InfeasibleError, match="64 ports; 22 endpoints and 43 links to switches take 65"):
        network(SlimFly(switch="any", q=29), 10)


@pytest.mark.parametrize("groups", range(2, 12))
@pytest.mark.parametrize("ports", [11, 12, 13, 16, 25])
def test_global_links_are_dealt_evenly_and_use_all_ports(groups, ports):
    one, one_port, other, other_port = deal_between_groups(groups, ports)
    used = np.zeros((groups, ports), dtype=np.int64)
    np.add.at(used, (one, one_port), 1)
    np.add.at(used, (other, other_port), 1)
    assert used.max() == 1
    assert np.sum(used == 0) == groups * ports % 2
    between = np.zeros((groups, groups), dtype=np.int64)
    np.add.at(between, (one, other), 1)
    pairs = (between + between.T)[~np.eye(groups, dtype=bool)]
    assert not np.diag(between).any()
    assert pairs.max() - pairs.min() <= 1


def test_dragonfly_has_at_most_a_group_per_global_link_and_one():
    shape = Dragonfly(switch="any", endpoints_per_switch=2, switches_per_group=4, global_links_per_switch=2)
    assert links_by_class(network(shape, 72)) == {"host-switch": 72, "local": 54, "global": 36}
    with pytest.raises(InfeasibleError, match="9 groups of 8 reach at most 72 endpoints, not 73"):
        network(shape, 73)
    with pytest.raises(InfeasibleError, match="take 79"):
        network(shape.model_copy(update={"switches_per_group": 76}), 8)
    with pytest.raises(InfeasibleError, match="a group with 8 global links joins at most 9 groups, not 10"):
        network(shape.model_copy(update={"groups": 10}), 8)


def test_dragonfly_plus_joins_spines():
    shape = DragonflyPlus(
        switch="any", leaves_per_group=4, spines_per_group=4, endpoints_per_leaf=4, global_links_per_spine=4
    )
    one = network(shape, 272)
    assert links_by_class(one) == {"host-leaf": 272, "leaf-spine": 272, "global": 136}
    assert (one.switch_tier[one.lower[one.links("global")] - 272] == 1).all()
    with pytest.raises(InfeasibleError, match="17 groups of 16 reach at most 272 endpoints, not 273"):
        network(shape, 273)


@pytest.mark.parametrize(("dimensions", "degree"), [((4, 4, 4), 6), ((8,), 2), ((2, 3), 4), ((1, 5), 2)])
def test_every_endpoint_of_a_torus_has_two_links_per_dimension(dimensions, degree):
    size = int(np.prod(dimensions))
    one = network(Torus(dimensions=dimensions, link_bandwidth=1e9), size)
    assert (np.bincount(np.concatenate([one.lower, one.upper]), minlength=size) == degree).all()
    with pytest.raises(InfeasibleError, match="places, not"):
        network(Torus(dimensions=dimensions, link_bandwidth=1e9), size + 1)


def test_two_hosts_need_no_switch():
    one = network(Direct(), 2, 8)
    assert (one.num_switches, one.num_links) == (0, 8)
    with pytest.raises(InfeasibleError, match="cards of two hosts"):
        network(Direct(), 3, 8)


def test_cards_slower_than_a_port_share_it():
    one = network(FatTree(switch="any"), 256, 8, nic_bytes_per_s=25e9)
    assert len(one.switches("leaf")) == 32
    assert (ports_used(one, 2)[one.switch_tier == 0] == 64).all()
    assert ports_free(FatTree(switch="any"), one, 25e9, {"any": SWITCH}) == {"leaf": 0, "spine": 0}
    with pytest.raises(InfeasibleError, match="carries 400 Gb/s, that of a network card 800 Gb/s"):
        network(FatTree(switch="any"), 2, 8, nic_bytes_per_s=100e9)


def test_65536_endpoints_of_any_topology_are_one_network():
    shapes = (
        FatTree(switch="any"),
        Dragonfly(switch="any", endpoints_per_switch=16, switches_per_group=32, global_links_per_switch=16),
        DragonflyPlus(
            switch="any", leaves_per_group=32, spines_per_group=32, endpoints_per_leaf=32, global_links_per_spine=32
        ),
    )
    assert [network(shape, 8192, 8).num_switches for shape in shapes] == [5120, 4096, 4096]


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        (FatTree(switch="any", planes=10**9), "links of hosts are too many to build"),
        (SlimFly(switch="any", q=10**12), "64 ports; .* take"),
        (Torus(dimensions=(10**6, 10**6), link_bandwidth=1.0), "places, not 8"),
        (
            Dragonfly(
                switch="any",
                endpoints_per_switch=2,
                switches_per_group=4,
                global_links_per_switch=2,
                groups=10**12,
            ),
            "joins at most 9 groups",
        ),
    ],
)
def test_sizes_beyond_reason_are_refused_at_once(topology, said):
    with pytest.raises(InfeasibleError, match=said):
        network(topology, 1, 8)
