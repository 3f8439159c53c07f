"""Incidents: what they reach, how long they take, how they come together."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.sim.failures import EFFECTS, draw_incidents, expected_incidents
from myriad.spec.reliability import Duration
from small_failures import DAY_S, YEAR_S, breakable, cause

SEED = np.random.SeedSequence(7)


def test_nothing_breaks_at_rate_zero():
    found = draw_incidents(breakable(10, {"never": cause(0.0)}), YEAR_S, SEED)
    assert len(found) == 0
    assert found.cause.dtype == np.int64
    assert len(draw_incidents(breakable(10, {}), YEAR_S, SEED)) == 0


def test_columns_have_one_length_and_lie_in_the_horizon():
    parts = {"a": cause(3.0), "b": cause(2.0, effect="slow", speed=0.5, lasts=Duration(mean=60.0)), "c": cause(5.0)}
    found = draw_incidents(breakable(500, parts), 30 * DAY_S, SEED)
    assert {len(getattr(found, key)) for key in found.__dataclass_fields__} == {len(found)}
    assert (np.diff(found.start_s) >= 0.0).all()
    assert found.start_s.min() >= 0.0
    assert found.start_s.max() < 30 * DAY_S
    assert found.node.min() >= 0
    assert (found.node + found.num_nodes).max() <= 500
    assert set(found.cause) == {0, 1, 2}
    slow = found.effect == EFFECTS.index("slow")
    assert (found.cause[slow] == 1).all()
    assert (found.speed[slow] == 0.5).all()
    assert (found.lasts_s[slow] == 60.0).all()
    assert (found.speed[~slow] == 1.0).all()
    assert np.isinf(found.lasts_s[~slow]).all()


@pytest.mark.parametrize(
    ("reach", "size"), [("node", 1), ("leaf", 16), ("rack", 4), ("power-domain", 32), ("pool", 100)]
)
def test_an_event_reaches_the_domain_that_holds_its_node(reach, size):
    found = draw_incidents(breakable(100, {"x": cause(20.0, reach=reach)}), 60 * DAY_S, SEED)
    assert len(found) > 50
    assert (found.node % size == 0).all()
    assert (found.num_nodes == np.minimum(size, 100 - found.node)).all()
    assert len(set(found.node)) > 0.7 * min(-(-100 // size), 60)


def test_an_event_that_reaches_nothing_names_a_node_and_repairs_none():
    found = draw_incidents(breakable(100, {"x": cause(20.0, reach="none")}), 60 * DAY_S, SEED)
    assert (found.num_nodes == 0).all()
    assert (found.repair_s == 0.0).all()
    assert len(set(found.node)) > 30


@pytest.mark.parametrize("unit", ["switch", "rack", "power-domain", "pool"])
def test_events_of_what_many_nodes_share_come_to_any_of_them(unit):
    found = draw_incidents(breakable(100, {"x": cause(2000.0, unit=unit, reach="node")}), 400 * DAY_S, SEED)
    assert set(found.node) == set(range(100))


def test_units_are_counted():
    parts = {unit: cause(1.0, unit=unit) for unit in ("accelerator", "node", "link", "switch", "rack", "pool")}
    assert expected_incidents(breakable(100, parts, links_per_node=2), 0.0, 10 * DAY_S) == pytest.approx(
        [8.0, 1.0, 2.0, 0.1, 0.25, 0.01]
    )


def test_a_share_of_events_is_repaired():
    some = cause(50.0, repaired=0.3, repair=Duration(mean=600.0))
    found = draw_incidents(breakable(1000, {"x": some}), 60 * DAY_S, SEED)
    assert set(found.repair_s) == {0.0, 600.0}
    assert (found.repair_s > 0.0).mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("law", "deviation"),
    [
        (Duration(mean=100.0), 0.0),
        (Duration(mean=100.0, law="exponential"), 100.0),
        (Duration(mean=100.0, law="lognormal", variation=0.5), 50.0),
    ],
)
def test_durations_have_their_mean_and_deviation(law, deviation):
    found = draw_incidents(breakable(1000, {"x": cause(100.0, detection=law)}), 100 * DAY_S, SEED)
    assert found.detection_s.mean() == pytest.approx(100.0, rel=0.05)
    assert found.detection_s.std() == pytest.approx(deviation, rel=0.1)


def test_detection_diagnosis_and_repair_are_independent():
    law = Duration(mean=100.0, law="lognormal")
    found = draw_incidents(
        breakable(1000, {"x": cause(100.0, detection=law, diagnosis=law, repair=law)}), 100 * DAY_S, SEED
    )
    together = np.corrcoef(np.log([found.detection_s, found.diagnosis_s, found.repair_s]))
    assert np.abs(together - np.eye(3)).max() < 0.05


def test_bursts_come_together_on_one_node():
    found = draw_incidents(
        breakable(2000, {"x": cause(5.0, burst=4.0, burst_within=60.0)}), 365 * DAY_S, np.random.SeedSequence(3)
    )
    first = np.lexsort((found.start_s, found.node))
    node, start = found.node[first], found.start_s[first]
    new = (np.diff(node, prepend=-1) != 0) | (np.diff(start, prepend=-np.inf) > 2 * 3600.0)
    sizes = np.diff(np.append(np.flatnonzero(new), len(new)))
    assert len(found) == pytest.approx(5.0 * 2000 / 1000 * 365, rel=0.12)
    assert sizes.mean() == pytest.approx(4.0, rel=0.08)
    assert (sizes == 1).mean() == pytest.approx(0.25, abs=0.05)
    assert np.diff(start)[~new[1:]].mean() == pytest.approx(60.0, rel=0.1)


def test_nothing_happens_to_nodes_before_they_join():
    joined = np.where(np.arange(200) < 100, 0.0, 50 * DAY_S)
    found = draw_incidents(breakable(200, {"x": cause(50.0)}, joined_s=joined), 100 * DAY_S, SEED)
    late = found.node >= 100
    assert found.start_s[late].min() >= 50 * DAY_S
    assert late.mean() == pytest.approx(1 / 3, abs=0.05)


def test_nodes_that_never_join_never_fail():
    joined = np.where(np.arange(20) < 10, 0.0, 500 * DAY_S)
    found = draw_incidents(breakable(20, {"x": cause(50.0, shape=0.5)}, joined_s=joined), 100 * DAY_S, SEED)
    assert found.node.max() < 10


def test_burn_in_takes_early_failures_out_of_service_time():
    early = {"x": cause(20.0, shape=0.4, unit="accelerator", replaced=False)}
    counts = [
        len(draw_incidents(breakable(100, early, age_s=np.full(100, age)), 30 * DAY_S, SEED))
        for age in (0.0, 7 * DAY_S, YEAR_S)
    ]
    assert counts[0] > 1.5 * counts[1] > 3.0 * counts[2]


def test_wear_grows_with_age():
    old = {"x": cause(20.0, shape=3.0, unit="accelerator")}
    young = draw_incidents(breakable(100, old), 30 * DAY_S, SEED)
    aged = draw_incidents(breakable(100, old, age_s=np.full(100, 2 * YEAR_S)), 30 * DAY_S, SEED)
    assert len(young) < 10 < 100 < len(aged)


def test_lemons_fail_so_many_times_as_often():
    found = draw_incidents(
        breakable(1000, {"x": cause(20.0)}, lemon_share=0.01, lemon_times=50.0), 365 * DAY_S, np.random.SeedSequence(5)
    )
    of_nodes = np.sort(np.bincount(found.node, minlength=1000))
    usual = 7.3 / (0.99 + 0.5)
    assert of_nodes[-10:].mean() == pytest.approx(50 * usual, rel=0.1)
    assert of_nodes[:-10].mean() == pytest.approx(usual, rel=0.05)


def test_software_has_no_lemons():
    found = draw_incidents(
        breakable(1000, {"x": cause(20.0, component="software")}, lemon_share=0.01, lemon_times=50.0), YEAR_S, SEED
    )
    assert np.bincount(found.node).max() < 30


def test_repairs_renew_after_they_end():
    """A part that wears out lives longer where each repair makes it new; one that fails young fails more."""
    horizon = 5 * YEAR_S
    for shape, fewer in ((3.0, True), (0.5, False)):
        kept, new = (
            len(draw_incidents(breakable(200, {"x": cause(3.0, shape=shape, replaced=replaced)}), horizon, SEED))
            for replaced in (False, True)
        )
        assert (new < 0.6 * kept) if fewer else (new > 1.2 * kept)


def test_a_unit_under_repair_does_not_fail_again():
    found = draw_incidents(
        breakable(1, {"x": cause(50.0, shape=0.5, repair=Duration(mean=20 * DAY_S))}), 5 * YEAR_S, SEED
    )
    assert len(found) > 20
    assert np.diff(found.start_s).min() > 19.999 * DAY_S
