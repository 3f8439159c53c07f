"""Fair rates against linear programs, which know nothing of filling."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="comes with the extra `calibrate`")

from linear_programs import max_min_by_programs, usage_of
from myriad.errors import InfeasibleError
from myriad.sim.network.maxmin import Incidence, max_min_rates, set_rates_plain
from myriad.sim.network.paths import Paths
from myriad.sim.network.routing import router_of
from small_fabrics import TOPOLOGIES, random_flows, small


def assert_fair(paths: Paths) -> None:
    inside = np.diff(paths.indptr) > 0
    usage = usage_of(paths)
    count = int(inside.sum())
    ideal = max_min_by_programs(usage[inside], paths.capacity, np.arange(count), paths.members[inside])
    rates = max_min_rates(paths.indptr, paths.resource, paths.capacity, paths.members, paths.weight)
    np.testing.assert_allclose(rates[inside], ideal, rtol=1e-6)
    assert np.isinf(rates[~inside]).all()
    plain = np.zeros(len(rates))
    shares = Incidence(paths.indptr, paths.resource, paths.capacity, paths.weight)
    set_rates_plain(shares, paths.members, np.ones(len(rates), bool), plain)
    np.testing.assert_allclose(plain, rates, rtol=1e-9)


@pytest.mark.parametrize("routing", ["ecmp", "spray"])
@pytest.mark.parametrize(
    ("name", "broken"),
    [(name, broken) for name in TOPOLOGIES for broken in (0.0, 0.1) if name != "direct" or not broken],
)
def test_fabrics(name, routing, broken):
    network = small(name, broken, seed=5)
    flows = random_flows(name, network, 25)
    try:
        paths = router_of(network, routing, seed=1).paths(flows)
    except InfeasibleError:
        paths = router_of(small(name, broken, seed=7), routing, seed=1).paths(flows)
    assert_fair(paths)


@pytest.mark.parametrize("seed", range(10))
def test_random_incidences(seed):
    generator = np.random.default_rng(seed)
    rows, resources = 30, 12
    lengths = generator.integers(1, 5, rows)
    resource = np.concatenate([generator.choice(resources, length, replace=False) for length in lengths])
    assert_fair(
        Paths(
            members=generator.integers(1, 5, rows).astype(float),
            bytes_=np.ones(rows),
            indptr=np.concatenate([[0], np.cumsum(lengths)]),
            resource=resource.astype(np.int32),
            weight=generator.uniform(0.1, 1.0, len(resource)) if seed % 2 else None,
            codes=np.arange(resources),
            capacity=generator.uniform(1.0, 10.0, resources),
        )
    )
