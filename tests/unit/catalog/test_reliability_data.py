"""Profiles of published clusters, held to what was published of them."""

from __future__ import annotations

from typing import get_args

import pytest

from myriad import catalog
from myriad.api.failures import breakable_of
from myriad.sim.failures import expected_incidents
from myriad.spec.life import Life
from myriad.spec.reliability import Component, Reliability

DAY_S = 86400.0
NODE = catalog.counted_node("dgx-h100:8")[0]


def expected(name: str, nodes: int, days: float, age_days: float = 0.0) -> dict[str, float]:
    found = breakable_of(name, NODE, nodes, Life(age=age_days * DAY_S))
    counts = expected_incidents(found, 0.0, days * DAY_S)
    return {name: float(count) for (name, _), count in zip(found.causes, counts, strict=True)}


def test_llama3_has_its_counts():
    counts = expected("llama3-h100", 2048, 54)
    planned = counts.pop("planned")
    assert planned == pytest.approx(47, rel=1e-4)
    assert sum(counts.values()) == pytest.approx(419, rel=1e-5)
    table = [148, 72, 54, 35, 32, 19, 17, 7, 7, 6, 6, 3, 3, 2, 2, 2, 2, 2]
    assert sorted(counts.values(), reverse=True) == pytest.approx(table, rel=1e-4)


@pytest.mark.parametrize(("name", "rate"), [("meta-rsc1-a100", 6.50), ("meta-rsc2-a100", 2.34), ("ft-hsdp-h100", 2.3)])
def test_totals_per_1000_node_days(name, rate):
    assert sum(expected(name, 1000, 1).values()) == pytest.approx(rate, rel=1e-4)


def test_fault_tolerant_hsdp_has_its_count_and_interval():
    days = 678 * 2.6 / 24
    counts = expected("ft-hsdp-h100", 4000, days)
    assert sum(counts.values()) == pytest.approx(678, rel=0.01)
    assert counts["silent-data-corruption"] == pytest.approx(37, rel=0.01)


def test_fire_flyer_has_its_counts_of_a_year():
    counts = expected("fire-flyer2-a100", 1250, 365.25)
    assert counts.pop("memory") == pytest.approx(108, rel=1e-4)
    assert counts.pop("link-flash-cut") == pytest.approx(200, rel=1e-4)
    assert sum(counts.values()) == pytest.approx(12_970, rel=1e-4)


def test_racks_of_72_fail_within_their_range():
    node = catalog.counted_node("gb200-nvl72:72")[0]
    found = breakable_of("gb200", node, 18)
    per_gpu_day = expected_incidents(found, 0.0, DAY_S).sum() / 72
    assert 1 / 3000 < per_gpu_day < 1 / 1000
    for _, cause in found.causes:
        assert cause.rate.low is not None
        assert cause.rate.high is not None
    for bound, days in (("low", 3000), ("high", 1000)):
        total = sum(getattr(cause.rate, bound) for _, cause in found.causes)
        assert total == pytest.approx(1000 / days, rel=1e-3)


def test_the_fleet_at_half_a_year_is_that_of_llama3_and_what_it_does_not_count():
    counts = expected("h100-fleet", 2048, 54, age_days=153)
    others = sum(counts.pop(name) for name in ("fail-slow", "power-domain", "cooling", "storage"))
    assert sum(counts.values()) == pytest.approx(419, rel=0.005)
    assert others < 10


def test_the_fleet_has_every_component_and_effect():
    fleet = catalog.reliability("default")
    assert {cause.component for cause in fleet.causes.values()} == set(get_args(Component))
    assert {cause.effect for cause in fleet.causes.values()} == {"stop", "slow", "corrupt"}
    assert fleet.lemons.share > 0.0


@pytest.mark.parametrize("name", catalog.names("reliability"))
def test_rates_say_where_they_are_from(name):
    entry = catalog.entry("reliability", name)
    assert isinstance(entry.spec, Reliability)
    for key in entry.spec.causes:
        figure = entry.figures[f"causes.{key}.rate.per_1000_unit_days"]
        assert figure.note, key
        assert entry.sources[figure.source].title
