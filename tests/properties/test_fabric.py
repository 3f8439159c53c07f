"""What holds for every network that can be built."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.counts import most_endpoints, ports_used, tier_switches
from myriad.estimate.fabric.cuts import bisection_bytes_per_s
from myriad.estimate.fabric.hops import hops
from myriad.estimate.fabric.network import Network
from myriad.spec.fabric import Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology
from myriad.spec.fabric_parts import Switch

small = st.integers(1, 6)
rails_and_pods = st.sampled_from(
    [("mixed", "units"), ("separate", "units"), ("aligned", "units"), ("aligned", "rails")]
)
trees = st.builds(
    lambda wiring, **given: FatTree(switch="any", rails=wiring[0], pods=wiring[1], **given),
    wiring=rails_and_pods,
    tiers=st.sampled_from([None, 1, 2, 3]),
    planes=st.integers(1, 2),
    oversubscription=st.sampled_from([1.0, 1.5, 2.0, 7.0]),
    spine_oversubscription=st.sampled_from([1.0, 2.0]),
    even=st.booleans(),
    service_ports=st.integers(0, 4),
)
flies = st.one_of(
    st.builds(SlimFly, switch=st.just("any"), q=st.sampled_from([None, 3, 4, 5, 7, 8, 9])),
    st.builds(
        Dragonfly,
        switch=st.just("any"),
        endpoints_per_switch=small,
        switches_per_group=small,
        global_links_per_switch=small,
        groups=st.one_of(st.none(), small),
    ),
    st.builds(
        DragonflyPlus,
        switch=st.just("any"),
        leaves_per_group=small,
        spines_per_group=small,
        endpoints_per_leaf=small,
        global_links_per_spine=small,
        groups=st.one_of(st.none(), small),
    ),
)
topologies: st.SearchStrategy[Topology] = st.one_of(trees, flies)
ports = st.sampled_from([4, 6, 8, 16, 32, 64])


def switch(number: int) -> dict[str, Switch]:
    return {"any": Switch(name="any", vendor="any", technology="ethernet", ports=number, port_bandwidth=1.0)}


def built(topology: Topology, hosts: int, cards: int, number: int) -> Network | None:
    try:
        return build_network(topology, hosts, cards, 1.0, switch(number))
    except InfeasibleError:
        return None


@given(topologies, st.integers(1, 200), st.integers(1, 8), ports)
def test_every_endpoint_has_a_link_per_plane_and_no_switch_more_links_than_ports(topology, hosts, cards, number):
    network = built(topology, hosts, cards, number)
    assume(network is not None)
    planes = topology.planes if isinstance(topology, FatTree) else 1
    joins = network.lower[network.link_class == 0]
    assert (np.bincount(joins, minlength=hosts * cards) == planes).all()
    assert (network.lower < network.upper).all()
    assert network.upper.max() < network.num_vertices
    assert (ports_used(network, planes) <= number).all()
    assert set(network.tiers) <= set(tier_switches(topology))


@given(topologies, st.integers(1, 200), st.integers(1, 8), ports)
def test_a_network_is_built_exactly_as_far_as_it_reaches(topology, hosts, cards, number):
    needs_ports = not isinstance(topology, FatTree) and built(topology, 1, cards, number) is None
    assume(not needs_ports)
    try:
        most = most_endpoints(topology, cards, 1.0, switch(number))
    except InfeasibleError:
        assert built(topology, hosts, cards, number) is None
        return
    assert (built(topology, hosts, cards, number) is not None) == (hosts * cards <= most)


@settings(max_examples=50)
@given(topologies, st.integers(1, 100), st.integers(1, 4), ports)
def test_no_bisection_is_above_what_half_of_the_cards_send(topology, hosts, cards, number):
    network = built(topology, hosts, cards, number)
    assume(network is not None)
    assert 0 <= bisection_bytes_per_s(topology, network) <= hosts // 2 * cards + 1e-9
    way = hops(topology, network)
    assert way.mean <= way.diameter <= 5
