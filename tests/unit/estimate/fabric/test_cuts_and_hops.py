"""Bisection against the most that can flow, hops against a search in breadth, on small networks of every kind."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.fabric.build import build_network
from myriad.estimate.fabric.cuts import Side, bisection_bytes_per_s, halves, least_cut_bytes_per_s
from myriad.estimate.fabric.hops import hops
from myriad.estimate.fabric.network import Network
from myriad.spec.fabric import Direct, Dragonfly, DragonflyPlus, FatTree, SlimFly, Topology, Torus
from myriad.spec.fabric_parts import Switch

sparse = pytest.importorskip("scipy.sparse", reason="comes with the extra `calibrate`")
csgraph = pytest.importorskip("scipy.sparse.csgraph", reason="comes with the extra `calibrate`")

RATE = 60.0
"""Of every port, so that flows and cuts are whole numbers."""


def built(topology: Topology, hosts: int, cards: int, ports: int) -> Network:
    switch = Switch(name=f"{ports} ports", vendor="any", technology="ethernet", ports=ports, port_bandwidth=RATE)
    return build_network(topology, hosts, cards, RATE, {"any": switch})


def most_flow(network: Network, half: Side) -> int:
    """The most that endpoints of one side can send to those of the other."""
    total = network.num_vertices
    endpoint = np.arange(network.num_endpoints)
    of = np.concatenate([network.lower, network.upper, np.where(half, endpoint, total)])
    to = np.concatenate([network.upper, network.lower, np.where(half, total + 1, endpoint)])
    rates = np.concatenate([network.bytes_per_s, network.bytes_per_s, np.full(len(endpoint), 1e8)]).astype(np.int32)
    graph = sparse.coo_matrix((rates, (of, to)), shape=(total + 2, total + 2)).tocsr().astype(np.int32)
    return int(csgraph.maximum_flow(graph, total, total + 1).flow_value)


def searched_hops(network: Network) -> tuple[int, float]:
    """Most switches, and the mean, between endpoints that reach each other."""
    size = network.num_endpoints
    ones = np.ones(network.num_links)
    graph = sparse.coo_matrix((ones, (network.lower, network.upper)), shape=(network.num_vertices,) * 2).tocsr()
    links = csgraph.shortest_path(graph, method="D", unweighted=True, directed=False)[:size, :size]
    between = links[np.isfinite(links) & (links > 0)]
    switches = between - (network.link_classes != ("neighbour",))  # in a torus every link leads to a switch
    return int(switches.max()), float(switches.mean())


def trees() -> list[tuple[FatTree, int, int, int]]:
    found = []
    for ports, cards, (rails, pods), over, spine_over, planes in product(
        (4, 8),
        (1, 4),
        (("mixed", "units"), ("separate", "units"), ("aligned", "units"), ("aligned", "rails")),
        (1, 3),
        (1, 2),
        (1, 2),
    ):
        tree = FatTree(
            switch="any",
            rails=rails,
            pods=pods,
            oversubscription=over,
            spine_oversubscription=spine_over,
            planes=planes,
        )
        found += [(tree, hosts, cards, ports) for hosts in (3, 13)]
    return found


def test_bisection_of_fat_trees_is_what_can_flow_and_hops_are_the_shortest():
    tested = 0
    for tree, hosts, cards, ports in trees():
        try:
            network = built(tree, hosts, cards, ports)
        except InfeasibleError:
            continue
        assert bisection_bytes_per_s(tree, network) == most_flow(network, halves(tree, network)), (tree, hosts, cards)
        way = hops(tree, network)
        assert (way.diameter, pytest.approx(way.mean)) == searched_hops(network), (tree, hosts, cards)
        tested += 1
    assert tested > 80


SMALL_DRAGONFLY = Dragonfly(switch="any", endpoints_per_switch=2, switches_per_group=4, global_links_per_switch=2)
SMALL_PLUS = DragonflyPlus(
    switch="any", leaves_per_group=3, spines_per_group=2, endpoints_per_leaf=2, global_links_per_spine=2
)
OTHERS: list[tuple[Topology, int, int]] = [
    *((Torus(dimensions=shape, link_bandwidth=RATE), int(np.prod(shape)), 1)
      for shape in ((4, 4), (3, 5), (8,), (2, 4, 6), (1, 4), (2, 2))),
    *((SlimFly(switch="any", q=q), hosts, 1) for q in (3, 4, 5) for hosts in (2 * q * q, 11)),
    *((SMALL_DRAGONFLY.model_copy(update={"groups": groups}), hosts, 1)
      for groups in range(2, 10) for hosts in (8 * groups, 7 * groups)),
    *((SMALL_PLUS.model_copy(update={"groups": groups}), 6 * groups, 1) for groups in range(2, 6)),
    (Direct(), 2, 4),
]  # fmt: skip


@pytest.mark.parametrize(("topology", "hosts", "cards"), OTHERS)
def test_other_topologies_likewise(topology, hosts, cards):
    network = built(topology, hosts, cards, 64)
    assert bisection_bytes_per_s(topology, network) == most_flow(network, halves(topology, network))
    way = hops(topology, network)
    assert (way.diameter, pytest.approx(way.mean)) == searched_hops(network)


def test_closed_forms_of_bisection():
    tree = FatTree(switch="any")
    assert bisection_bytes_per_s(tree, built(tree, 128, 1, 8)) == 64 * RATE
    torus = Torus(dimensions=(4, 8), link_bandwidth=RATE)
    assert bisection_bytes_per_s(torus, built(torus, 32, 1, 8)) == 2 * 32 / 8 * RATE
    full = SMALL_DRAGONFLY.model_copy(update={"groups": 8})
    most = bisection_bytes_per_s(full, built(full, 64, 1, 8))
    assert 8**2 / 4 * RATE <= most <= 8**2 / 4 * 8 / 7 * RATE + 4 * RATE


def test_diameters_of_the_literature():
    assert hops(SlimFly(switch="any", q=7), built(SlimFly(switch="any", q=7), 196, 1, 64)).diameter == 3
    whole = SMALL_DRAGONFLY.model_copy(update={"groups": 9})
    assert hops(whole, built(whole, 72, 1, 64)).diameter == 4
    torus = Torus(dimensions=(16, 16, 16), link_bandwidth=RATE)
    assert hops(torus, built(torus, 4096, 1, 64)).diameter == 24


def test_a_slow_link_lowers_the_bisection_it_belongs_to():
    tree = FatTree(switch="any")
    network = built(tree, 16, 1, 8)
    rates = network.bytes_per_s.copy()
    rates[network.links("leaf-spine")[:3]] = 0.0
    damaged = replace(network, bytes_per_s=rates)
    half = halves(tree, network)
    lessened = bisection_bytes_per_s(tree, damaged)
    assert lessened == most_flow(damaged, half) == least_cut_bytes_per_s(damaged, half)
    assert lessened == bisection_bytes_per_s(tree, network) - 3 * RATE
