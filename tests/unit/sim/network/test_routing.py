"""Paths are paths: they lead from source to target over live links, and no others are shorter."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from myriad.errors import InfeasibleError, SpecError
from myriad.estimate.fabric.damage import damaged
from myriad.sim.network.flows import Flows
from myriad.sim.network.graph import Graph
from myriad.sim.network.paths import outside
from myriad.sim.network.routing import router_of
from myriad.spec.fabric import Damage, LinkFault, SwitchFault
from small_fabrics import TOPOLOGIES, random_flows, small


def flows_of(pairs, members=1):
    source, target = np.array(pairs).T
    return Flows(source, target, np.full(len(source), 1e6), np.full(len(source), members))


def links_of(paths, row):
    return paths.codes[paths.resource[paths.indptr[row] : paths.indptr[row + 1]]].tolist()


def walk(network, links, start):
    """Where a path of directed links leads, in whatever order they are given one after the other."""
    at = start
    for link in links:
        ends = network.lower[link >> 1], network.upper[link >> 1]
        here, there = ends if link % 2 == 0 else ends[::-1]
        assert here == at
        assert network.bytes_per_s[link >> 1] > 0
        at = there
    return at


@pytest.mark.parametrize("broken", [0.0, 0.05])
@pytest.mark.parametrize("name", [name for name in TOPOLOGIES if name != "direct"])
def test_ecmp_paths_are_shortest_and_live(name, broken):
    network = small(name, broken, seed=8)
    flows = random_flows(name, network, 60)
    flows = Flows(flows.source, flows.target, flows.bytes_, np.ones(60, int))
    paths = router_of(network, "ecmp").paths(flows)
    inside = ~outside(network, flows.source, flows.target)
    graph = Graph(network)
    for row in range(60):
        links = links_of(paths, row)
        assert bool(links) == inside[row]
        if not links:
            continue
        assert walk(network, links, flows.source[row]) == flows.target[row]
        if network.tiers:
            ports = [graph.ports[1][end] for end in (flows.source[row], flows.target[row])]
            hops = min(graph.lengths[a, graph.targets[b]] for a, b in zip(*ports, strict=True))
            lengths = np.array([3 if name == "global" else 1 for name in network.link_classes])
            between = [link for link in links if network.lower[link >> 1] >= network.num_endpoints]
            assert lengths[network.link_class[np.array(between, int) >> 1]].sum() == hops


def test_hashes_use_all_links_and_follow_the_seed():
    network = small("two-tier")
    flows = flows_of([(0, 4)], members=4000)
    paths = router_of(network, "ecmp").paths(flows)
    taken = Counter(links_of(paths, row)[1] for row in range(4000))
    spread = np.array(list(taken.values()))
    assert len(taken) == 4
    assert spread.max() / spread.min() < 1.2
    other = router_of(network, "ecmp", seed=1).paths(flows)
    assert [links_of(paths, row) for row in range(50)] != [links_of(other, row) for row in range(50)]


def test_flows_of_a_pair_share_its_bytes():
    network = small("two-tier")
    paths = router_of(network, "ecmp", flows_per_pair=4).paths(flows_of([(0, 4), (1, 9)]))
    assert len(paths.bytes_) == 8
    assert paths.bytes_.sum() == 2e6


def test_a_flow_keeps_to_one_plane():
    network = small("planes")
    paths = router_of(network, "ecmp", flows_per_pair=64).paths(flows_of([(0, 7)]))
    planes = set()
    for row in range(64):
        switches = network.upper[np.array(links_of(paths, row)) >> 1] - network.num_endpoints
        assert len(set(network.switch_plane[switches])) == 1
        planes.add(int(network.switch_plane[switches[0]]))
    assert planes == {0, 1}


def test_dragonfly_crosses_one_global_link():
    network = small("dragonfly")
    generator = np.random.default_rng(0)
    pairs = generator.integers(0, network.num_endpoints, (200, 2))
    paths = router_of(network, "ecmp").paths(flows_of(pairs))
    globals_ = network.links("global")
    for row in range(200):
        links = np.array(links_of(paths, row), int) >> 1
        assert np.isin(links, globals_).sum() <= 1
        assert len(links) <= 5


def test_dimension_order_in_a_torus():
    network = small("torus")
    paths = router_of(network, "ecmp").paths(flows_of([(0, 1 * 6 + 2 * 2 + 0)]))
    links = links_of(paths, 0)
    assert [link >> 1 for link in links] == [0, 24 + 6 + 4]
    assert walk(network, links, 0) == 10


def test_torus_goes_around_a_dead_link():
    network = small("torus")
    left = network.bytes_per_s.copy()
    left[0] = 0
    broken = replace(network, bytes_per_s=left)
    paths = router_of(broken, "ecmp").paths(flows_of([(0, 6), (1, 7)]))
    assert walk(broken, links_of(paths, 0), 0) == 6
    assert len(links_of(paths, 0)) == 3
    assert len(links_of(paths, 1)) == 1


@pytest.mark.parametrize("routing", ["ecmp", "spray"])
def test_rails_apart_are_not_crossed(routing):
    with pytest.raises(SpecError, match="rails are networks apart"):
        router_of(small("rails-apart"), routing).paths(flows_of([(0, 3)]))
    with pytest.raises(SpecError, match="no link leads from card 0 of host 0 to card 1 of host 1"):
        router_of(small("direct"), routing).paths(flows_of([(0, 5)]))


@pytest.mark.parametrize("routing", ["ecmp", "spray"])
def test_what_is_cut_off_is_missed_only_when_needed(routing):
    network = damaged(small("two-tier"), Damage(switches=(SwitchFault(tier="leaf"),)))
    cut = np.flatnonzero(network.bytes_per_s[network.links("host-leaf")] == 0)
    live = np.flatnonzero(network.bytes_per_s[network.links("host-leaf")] > 0)
    router = router_of(network, routing)
    router.paths(flows_of([(live[0], live[-1])]))
    with pytest.raises(InfeasibleError, match="damage leaves no path"):
        router.paths(flows_of([(live[0], live[-1]), (live[0], cut[0])]))


@pytest.mark.parametrize("routing", ["ecmp", "spray"])
def test_a_leaf_stands_for_its_endpoints(routing):
    network = small("planes")
    leaf = int(network.upper[network.lower == 0][0])
    far = int(network.upper[network.lower == network.num_endpoints - 1][0])
    router = router_of(network, routing)
    own = router.paths(flows_of([(0, leaf), (leaf, far), (leaf, leaf)], members=8))
    each = len(own.bytes_) // 3
    assert np.diff(own.indptr).tolist() == [1] * each + [2] * each + [0] * each
    spine = int(network.switches("spine")[0])
    with pytest.raises(SpecError, match="neither an endpoint nor a switch that joins some"):
        router.paths(flows_of([(0, spine)]))


def test_too_many_hashes_are_refused():
    with pytest.raises(InfeasibleError, match="flows with a hash of their own"):
        router_of(small("two-tier"), "ecmp").paths(flows_of([(0, 4)], members=1 << 25))


def test_spray_bundles_links():
    network = small("two-tier")
    paths = router_of(network, "spray").paths(flows_of([(0, 4), (0, 1), (1, 2)]))
    assert np.diff(paths.indptr).tolist() == [4, 2, 2] if network.nics_per_host == 1 else [4, 0, 0]
    assert sorted(set(paths.capacity)) == [50e9, 200e9]


def test_spray_puts_bytes_on_live_links_alone():
    network = damaged(small("three-tier-lean"), Damage(links=(LinkFault(share=0.1),), seed=3))
    router = router_of(network, "spray")
    flows = flows_of([(0, 40), (9, 47)])
    paths = router.paths(flows)
    each = np.repeat(paths.bytes_, np.diff(paths.indptr))
    bytes_ = router.link_bytes(paths.codes, np.bincount(paths.resource, each, len(paths.codes)))
    assert (bytes_[np.repeat(network.bytes_per_s, 2) == 0] == 0).all()
    up = np.bincount(network.link_class, bytes_[0::2])
    np.testing.assert_allclose(up, [2e6, 2e6, 2e6])
    np.testing.assert_allclose(np.bincount(network.link_class, bytes_[1::2]), [2e6, 2e6, 2e6])


@pytest.mark.parametrize("name", ["slim-fly", "dragonfly", "dragonfly-plus", "torus"])
def test_minimal_spray_splits_all_of_a_flow(name):
    network = small(name)
    paths = router_of(network, "spray").paths(random_flows(name, network, 40))
    flows = random_flows(name, network, 40)
    for row in range(40):
        part = slice(paths.indptr[row], paths.indptr[row + 1])
        links, share = paths.codes[paths.resource[part]], paths.weight[part]
        balance = np.zeros(network.num_vertices)
        ends = np.stack([network.lower[links >> 1], network.upper[links >> 1]])
        ends = np.where(links % 2 == 0, ends, ends[::-1])
        np.add.at(balance, ends[0], share)
        np.add.at(balance, ends[1], -share)
        wanted = np.zeros(network.num_vertices)
        if len(links):
            wanted[flows.source[row]], wanted[flows.target[row]] = 1, -1
        np.testing.assert_allclose(balance, wanted, atol=1e-12)
