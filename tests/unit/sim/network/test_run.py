"""Runs that can be done by hand: one switch, cards of 50 GB/s."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.sim.network.flows import Activity, Flows, Phase
from myriad.sim.network.run import simulate
from small_fabrics import random_flows, small


def flows(*rows):
    source, target, seconds = np.array(rows, float).T
    return Flows(source.astype(int), target.astype(int), seconds * 50e9, np.ones(len(rows), int))


def run(*activities, **more):
    return simulate(small("one-tier"), activities, tolerance=0.0, **more)


def test_flows_that_end_leave_room():
    # Cards 4 and 8 send to 0: 2 s and 1 s of line rate; both at half until the short one ends.
    result = run(Activity("incast", (Phase(flows((4, 0, 2), (8, 0, 1))),)))
    assert result.makespan_s == pytest.approx(3.0)
    assert result.num_solves == 2
    down = 2 * 0 + 1
    assert result.link_bytes[down] == pytest.approx(150e9)
    assert result.link_utilisation[down] == pytest.approx(1.0)
    assert result.link_utilisation[2 * 8] == pytest.approx(1 / 3)


def test_phases_repeats_and_latency():
    activity = Activity("ring", (Phase(flows((0, 4, 1)), 10, 0.5), Phase(flows((4, 8, 2)))), start_s=3.0)
    result = run(activity)
    assert result.num_solves == 2
    assert result.activities[0].phase_s.tolist() == pytest.approx([15.0, 2.0])
    assert result.activities[0].end_s == result.makespan_s == pytest.approx(20.0)
    assert result.link_bytes[0] == pytest.approx(500e9)


def test_activities_share_links_while_both_run():
    # 4 s of one over the same card as 10 x 1 s of the other, which comes a second later.
    one = Activity("one", (Phase(flows((0, 4, 4))),))
    other = Activity("other", (Phase(flows((0, 8, 1)), 10),), start_s=1.0)
    result = run(one, other)
    # 1 s alone, then halves: `one` has 3 s left, which take 6; then seven repeats alone.
    assert result.activities[0].end_s == pytest.approx(7.0)
    assert result.activities[1].end_s == pytest.approx(14.0)


def test_a_repeating_phase_is_passed_over_until_another_starts():
    one = Activity("one", (Phase(flows((0, 4, 1)), 1000),))
    other = Activity("other", (Phase(flows((0, 8, 1))),), start_s=500.25)
    result = run(one, other)
    assert result.makespan_s == pytest.approx(1001.0)
    assert result.num_solves < 40


def test_traffic_within_a_host_takes_no_time():
    result = run(Activity("inside", (Phase(flows((0, 1, 5)), 3, 0.25),)))
    assert result.makespan_s == pytest.approx(0.75)
    assert not result.link_bytes.any()


def test_nothing_to_send():
    empty = Flows(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0, int))
    assert run().makespan_s == 0.0
    assert run(Activity("none", (), start_s=2.0)).makespan_s == 2.0
    assert run(Activity("empty", (Phase(empty), Phase(flows((0, 4, 0)))))).makespan_s == 0.0


def test_efficiency_slows_links():
    network = small("one-tier")
    activity = Activity("one", (Phase(flows((0, 4, 1))),))
    assert run(activity, efficiency=0.8).makespan_s == pytest.approx(1.25)
    per_link = np.ones(network.num_links)
    per_link[4] = 0.5
    result = run(activity, efficiency=per_link)
    assert result.makespan_s == pytest.approx(2.0)
    assert result.link_utilisation.max() == pytest.approx(0.5)
    with pytest.raises(SpecError, match="efficiency"):
        run(activity, efficiency=0.0)


@pytest.mark.parametrize("name", ["two-tier", "three-tier-lean", "slim-fly", "torus"])
def test_tolerance_saves_solves_and_costs_no_more_than_it_says(name):
    network = small(name)
    activity = [Activity("random", (Phase(random_flows(name, network, 200)),))]
    exact = simulate(network, activity, "ecmp", tolerance=0.0)
    loose = simulate(network, activity, "ecmp", tolerance=0.05)
    assert loose.num_solves < exact.num_solves / 2
    assert 0.999 * exact.makespan_s <= loose.makespan_s <= 1.05 * exact.makespan_s


def test_messages_of_equal_size_need_one_solution():
    network = small("three-tier")
    drawn = random_flows("three-tier", network, 200)
    equal = Flows(drawn.source, drawn.target, np.full(200, 1e6), drawn.members)
    assert simulate(network, [Activity("equal", (Phase(equal),))], "ecmp", tolerance=0.0).num_solves == 1
