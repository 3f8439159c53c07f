"""The page of a sweep: axes are chosen, values filtered, and nothing is asked of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sweep_fixtures
from myriad.report.sweep_page import sweep_html
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

MARKS = "#sweep-chart svg path[fill^='#']"


@pytest.fixture(scope="module", params=["en", "zh"])
def sweep_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / f"sweep.{request.param}.html"
    path.write_text(sweep_html(sweep_fixtures.result(), request.param), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, sweep_page: Path) -> Iterator[Page]:
    with opened(browser, sweep_page) as page:
        yield page


def choose(page: Page, x: str, y: str, colour: str) -> None:
    for name, value in (("x", x), ("y", y), ("colour", colour)):
        page.locator(f"#sweep-{name}").select_option(value)


def tick(page: Page, value: str) -> Locator:
    return page.get_by_role("checkbox", name=value, exact=True)


def drawn(page: Page) -> tuple[int, int]:
    numbers = [int(part) for part in page.locator("#sweep-count").inner_text().split() if part.isdecimal()]
    return numbers[0], numbers[1]


def points(page: Page) -> int:
    """Circles that are drawn: a line's own path has no fill."""
    return page.locator(MARKS).count()


def test_every_axis_and_metric_can_stand_anywhere(page: Page) -> None:
    offered = page.locator("#sweep-x option").evaluate_all("options => options.map(option => option.value)")
    assert offered[:4] == ["model", "gpus", "scale_out_bytes_per_s", "price_usd_per_gpu_hour"]
    assert "usd_per_million_tokens" in offered
    for x in offered[:6]:
        for y in (offered[0], offered[1], offered[-1]):
            choose(page, x, y, offered[-2])
            assert page.locator("#sweep-chart svg text").count() > 2, (x, y)
            assert points(page) > 0, (x, y)


def test_points_are_the_rows_with_a_layout(page: Page) -> None:
    choose(page, "tokens_per_s", "mfu", "model")
    assert drawn(page) == (5, 8)
    assert points(page) == 5
    assert page.locator("#sweep-legend li").count() == 3


def test_values_of_an_axis_are_filtered(page: Page) -> None:
    choose(page, "tokens_per_s", "mfu", "model")
    tick(page, "sparse").uncheck()
    assert drawn(page) == (4, 8)
    tick(page, "400 Gb/s").uncheck()
    assert drawn(page) == (2, 8)
    assert points(page) == 2
    tick(page, "200 Gb/s").uncheck()
    assert drawn(page) == (0, 8)
    assert points(page) == 0
    tick(page, "400 Gb/s").check()
    assert points(page) == 2


def test_two_axes_make_a_heat_map_of_the_best(page: Page) -> None:
    tick(page, "sparse").uncheck()
    choose(page, "gpus", "model", "usd_per_million_tokens")
    cells = page.locator("#sweep-chart svg text").all_text_contents()
    rows = [row for row in sweep_fixtures.result().rows if row.point.model == "dense"]
    for gpus in (64, 128):
        best = min(row.usd_per_million_tokens for row in rows if row.point.gpus == gpus)
        assert f"{best:.3g}" in cells


def test_a_point_says_what_it_is(page: Page) -> None:
    choose(page, "tokens_per_s", "mfu", "model")
    page.locator(MARKS).first.hover(force=True)
    tip = page.locator("#sweep-chart > div").last
    assert "TP8" in tip.inner_text()


def test_rows_can_be_sorted_filtered_and_loaded(page: Page) -> None:
    table = page.locator("#table-rows tbody tr")
    assert table.count() == 8
    page.locator('[data-filter="table-rows"]').fill("sparse")
    assert page.locator("#table-rows tbody tr:not([hidden])").count() == 4
    assert page.locator("#table-rows tbody tr.chosen").count() > 0


def test_it_is_dark_and_narrow_where_the_reader_is(browser: Browser, sweep_page: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 375, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.goto(sweep_page.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert len(set(grounds)) == 2
