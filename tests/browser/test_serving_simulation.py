"""The page of a simulated run: curves, the load over time, the table, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from myriad.report.serving_simulation_page import simulation_html
from myriad.sim.serving import simulate
from myriad.spec.fleet import Autoscaling, Fleet, ReplicaPool
from myriad.spec.serving import Objective
from myriad.spec.serving_simulation import ServingSimulation
from page_fixtures import opened
from serving_tables import curved_table, mixed_requests

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHARTS = ("curve-0", "curve-1", "curve-2", "curve-3", "load", "replicas")


@pytest.fixture(scope="module")
def found() -> ServingSimulation:
    scaling = Autoscaling(most=4, target_requests=4, interval=5.0, start_up=10.0)
    fleet = Fleet(replicas=ReplicaPool(autoscaling=scaling))
    objective = Objective(ttft=5.0, tpot=0.05, percentile=90)
    return simulate(fleet, (curved_table(),), mixed_requests(500, 2.0), objective).result


@pytest.fixture(scope="module", params=["en", "zh"])
def simulation_page(
    request: pytest.FixtureRequest, found: ServingSimulation, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("simulation") / f"simulation.{request.param}.html"
    path.write_text(simulation_html(found, "Llama <3.1> 8B", "H100", request.param), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, simulation_page: Path) -> Iterator[Page]:
    with opened(browser, simulation_page) as page:
        yield page


def test_every_chart_is_drawn(page: Page) -> None:
    assert page.get_by_role("heading", level=1).inner_text() == "Llama <3.1> 8B · 1 x H100"
    for name in CHARTS:
        lines = page.locator(f"#{name} svg path[fill='none'][stroke^='#']")
        assert max(len(line.get_attribute("d") or "") for line in lines.all()) > 200, name


def test_a_promise_is_drawn_at_its_time_and_share(page: Page) -> None:
    for name, limit in (("curve-0", "5 s"), ("curve-1", "50 ms")):
        text = page.locator(f"#{name}").inner_text()
        assert limit in text
        assert "p90" in text
    assert "p90" not in page.locator("#curve-3").inner_text()


def test_a_curve_tells_how_many_took_at_most_so_long(page: Page) -> None:
    place = page.locator("#curve-3")
    place.hover(position={"x": 200, "y": 120})
    tip = page.locator("#curve-3 > div").last.inner_text()
    assert " s" in tip
    assert "%" in tip


def test_the_table_has_intervals_and_can_be_sorted(page: Page, found: ServingSimulation) -> None:
    rows = page.locator("#table-percentiles tbody tr")
    assert rows.count() == 5
    assert found.ttft.p95.low is not None
    assert all(" - " in cell for cell in rows.first.locator("td").all_inner_texts()[:5])
    page.locator("#table-percentiles thead button").nth(1).click()
    means = [float(row.locator("td").first.get_attribute("data-value") or "") for row in rows.all()]
    assert means == sorted(means)


def test_it_is_dark_and_narrow_where_the_reader_is(browser: Browser, simulation_page: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 375, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.goto(simulation_page.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert len(set(grounds)) == 2
