"""How far spraying lies from the best split of every flow over its shortest paths, by linear programs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="comes with the extra `calibrate`")

from linear_programs import max_min_by_programs
from myriad.estimate.fabric.network import Network
from myriad.sim.network.flows import Flows
from myriad.sim.network.maxmin import max_min_rates
from myriad.sim.network.routing import router_of
from small_fabrics import random_flows, small


def shortest_paths(network: Network, source: int, target: int) -> list[list[int]]:
    """All shortest live paths up and then down a tree, as directed links."""
    ahead: dict[int, list[tuple[int, int]]] = {}
    for link in np.flatnonzero(network.bytes_per_s > 0):
        ahead.setdefault(int(network.lower[link]), []).append((int(network.upper[link]), 2 * int(link)))
    behind: dict[int, list[list[int]]] = {target: [[]]}
    before: dict[int, list[list[int]]] = {source: [[]]}
    for _ in range(4):
        both = [
            [*up, *down] for vertex in before if vertex in behind for up in before[vertex] for down in behind[vertex]
        ]
        if both:
            return both
        before = _climb(before, ahead, lambda path, link: [*path, link])
        behind = _climb(behind, ahead, lambda path, link: [link + 1, *path])
    return []


def _climb(at, ahead, joined):
    above: dict[int, list[list[int]]] = {}
    for vertex, paths in at.items():
        for upper, link in ahead.get(vertex, []):
            above.setdefault(upper, []).extend(joined(path, link) for path in paths)
    return above


def rates(name: str, broken: float, seed: int, number: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Rates as simulated and as the best split gives them."""
    network = small(name, broken, seed)
    flows = random_flows(name, network, 4 * number, seed)
    apart = flows.source // network.nics_per_host != flows.target // network.nics_per_host
    ways = [shortest_paths(network, *ends) for ends in zip(flows.source, flows.target, strict=True)]
    keep = np.flatnonzero(apart & np.array([len(paths) > 0 for paths in ways]))[:number]
    flows = Flows(flows.source[keep], flows.target[keep], flows.bytes_[keep], flows.members[keep])
    listed = [(index, path) for index, row in enumerate(keep) for path in ways[row]]
    usage = np.zeros((len(listed), 2 * network.num_links))
    for way, (_, path) in enumerate(listed):
        usage[way, path] = 1.0
    ideal = max_min_by_programs(
        usage, np.repeat(network.bytes_per_s, 2), np.array([index for index, _ in listed]), flows.members
    )
    paths = router_of(network, "spray").paths(flows)
    return max_min_rates(paths.indptr, paths.resource, paths.capacity, paths.members), ideal


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "name", ["two-tier", "rails", "rails-apart", "three-tier", "three-tier-lean", "planes", "pods-of-rails"]
)
def test_exact_where_links_are_even(name, seed):
    found, ideal = rates(name, 0.0, seed)
    np.testing.assert_allclose(found, ideal, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["two-tier", "two-tier-uneven", "three-tier", "three-tier-lean"])
def test_upper_bound_where_links_are_down(name, seed):
    found, ideal = rates(name, 0.05, seed, 24)
    assert found.min() >= ideal.min() * (1 - 1e-6)
    assert found.min() <= ideal.min() * 1.05
