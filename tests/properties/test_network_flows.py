"""What holds for all traffic on all networks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.sim.network.flows import Activity, Flows, Phase
from myriad.sim.network.maxmin import Incidence, max_min_rates
from myriad.sim.network.paths import Paths
from myriad.sim.network.routing import router_of
from myriad.sim.network.run import simulate
from small_fabrics import TOPOLOGIES, random_flows, small

names = st.sampled_from(sorted(TOPOLOGIES))
routings = st.sampled_from(["ecmp", "spray"])
seeds = st.integers(0, 10_000)
numbers = st.integers(1, 40)
quick = settings(max_examples=40, deadline=None)


def laid(name, routing, seed, number) -> Paths:
    network = small(name)
    return router_of(network, routing, seed=seed).paths(random_flows(name, network, number, seed))


def rates_of(paths: Paths) -> np.ndarray:
    return max_min_rates(paths.indptr, paths.resource, paths.capacity, paths.members, paths.weight)


def loads_of(paths: Paths, rates: np.ndarray) -> np.ndarray:
    shares = Incidence(paths.indptr, paths.resource, paths.capacity, paths.weight)
    return shares.loads(np.where(np.isinf(rates), 0.0, rates) * paths.members)


def permuted(flows: Flows, order: np.ndarray) -> Flows:
    return Flows(flows.source[order], flows.target[order], flows.bytes_[order], flows.members[order])


@quick
@given(names, routings, seeds, numbers)
def test_no_resource_is_overfull_and_every_flow_has_a_bottleneck(name, routing, seed, number):
    paths = laid(name, routing, seed, number)
    rates = rates_of(paths)
    loads = loads_of(paths, rates)
    assert (loads <= paths.capacity * (1 + 1e-9)).all()
    full = loads >= paths.capacity * (1 - 1e-9)
    fastest = np.zeros(len(paths.capacity))
    row = np.repeat(np.arange(len(rates)), np.diff(paths.indptr))
    np.maximum.at(fastest, paths.resource, rates[row])
    holds = full[paths.resource] & (rates[row] >= fastest[paths.resource] * (1 - 1e-9))
    assert np.logical_or.reduceat(holds, paths.indptr[:-1][np.diff(paths.indptr) > 0]).all() if len(holds) else True


@quick
@given(names, routings, seeds, numbers)
def test_the_order_of_flows_does_not_matter(name, routing, seed, number):
    network = small(name)
    flows = random_flows(name, network, number, seed)
    order = np.random.default_rng(seed).permutation(number)
    router = router_of(network, routing, seed=seed)
    run = simulate(network, [Activity("a", (Phase(flows),))], routing, seed=seed)
    again = simulate(network, [Activity("a", (Phase(permuted(flows, order)),))], routing, seed=seed)
    np.testing.assert_allclose(run.makespan_s, again.makespan_s, rtol=2e-3)
    flows = Flows(flows.source, flows.target, flows.bytes_, np.ones(number, int))
    np.testing.assert_allclose(
        rates_of(router.paths(flows))[order], rates_of(router.paths(permuted(flows, order))), rtol=1e-9
    )


@quick
@given(names, seeds, numbers)
def test_members_are_rows_repeated(name, seed, number):
    network = small(name)
    flows = random_flows(name, network, number, seed)
    rows = np.repeat(np.arange(number), flows.members)
    repeated = permuted(flows, rows)
    repeated = Flows(repeated.source, repeated.target, repeated.bytes_, np.ones(len(rows), int))
    router = router_of(network, "spray")
    np.testing.assert_allclose(rates_of(router.paths(flows))[rows], rates_of(router.paths(repeated)), rtol=1e-9)


@quick
@given(names, routings, seeds, numbers, st.integers(1, 4))
def test_runs_are_no_faster_than_links_and_carry_all_bytes(name, routing, seed, number, repeats):
    network = small(name)
    flows = random_flows(name, network, number, seed)
    run = simulate(network, [Activity("a", (Phase(flows, repeats),))], routing, seed=seed)
    carried = np.repeat(network.bytes_per_s, 2) * run.makespan_s
    assert (run.link_bytes <= carried * (1 + 1e-9)).all()
    assert (run.link_utilisation <= 1 + 1e-9).all()
    paths = router_of(network, routing, seed=seed).paths(flows)
    inside = np.diff(paths.indptr) > 0
    line_rate = 50e9 if name != "torus" else 6 * 25e9
    assert run.makespan_s >= repeats * float(paths.bytes_[inside].max(initial=0.0)) / line_rate * (1 - 1e-9)
    if network.tiers:
        sent = repeats * float((paths.bytes_ * paths.members)[inside].sum())
        access = network.link_class == 0
        np.testing.assert_allclose(run.link_bytes[0::2][access].sum(), sent, rtol=1e-9)
        np.testing.assert_allclose(run.link_bytes[1::2][access].sum(), sent, rtol=1e-9)


@quick
@given(names, routings, seeds, st.integers(1, 10), st.integers(1, 5))
def test_company_delays_and_solitude_is_the_sum_of_phases(name, routing, seed, number, repeats):
    network = small(name)
    one = Activity("one", (Phase(random_flows(name, network, number, seed), repeats, 1e-4),))
    alone = simulate(network, [one], routing)
    np.testing.assert_allclose(alone.activities[0].phase_s.sum(), alone.makespan_s)
    later = Activity("later", one.phases, start_s=alone.makespan_s * 2)
    both = simulate(network, [one, later], routing)
    np.testing.assert_allclose(both.activities[0].end_s, alone.makespan_s)
    np.testing.assert_allclose(both.makespan_s, 3 * alone.makespan_s)
