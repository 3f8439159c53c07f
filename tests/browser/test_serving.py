"""The page of a search over deployments: fronts to hover over, tables to sort, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from myriad import api
from myriad.report.serving_page import serving_html
from myriad.spec.serving import Objective, Requests, ServingWork
from myriad.spec.serving_search import ServingSearch
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MARKS = "#front svg path[fill^='#']"


@pytest.fixture(scope="module")
def found() -> ServingSearch:
    return api.search_serving(
        "llama3.1-8b", "h100:4", Requests(input_tokens=2000, output_tokens=500), Objective(ttft=1.0, tpot=0.03),
        work=ServingWork(engine="vllm"), top=5,
    )  # fmt: skip


@pytest.fixture(scope="module", params=["en", "zh"])
def serving_page(
    request: pytest.FixtureRequest, found: ServingSearch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("serving") / f"serving.{request.param}.html"
    path.write_text(serving_html(found, "Llama <3.1> 8B", "H100", request.param), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, serving_page: Path) -> Iterator[Page]:
    with opened(browser, serving_page) as page:
        yield page


def test_every_point_of_every_front_is_drawn(page: Page, found: ServingSearch) -> None:
    points = sum(len(points) for points in found.curves.values())
    legend = len(found.curves)
    assert page.locator(MARKS).count() >= points + legend
    assert page.get_by_role("heading", level=1).inner_text() == "Llama <3.1> 8B · 4 x H100"


def test_a_point_says_which_deployment_it_is(page: Page) -> None:
    page.locator(MARKS).nth(3).hover(force=True)
    tip = page.locator("#front > div").last.inner_text()
    assert "TP" in tip
    assert "TTFT" in tip
    assert "bf16" in tip or "fp8" in tip


def test_the_ranking_can_be_sorted(page: Page, found: ServingSearch) -> None:
    rows = page.locator("#table-ranked tbody tr")
    assert rows.count() == len(found.ranked)
    head = page.locator("#table-ranked thead button").first
    head.click()
    head.click()
    assert rows.first.locator("td").first.inner_text() == str(len(found.ranked))


def test_it_is_dark_and_narrow_where_the_reader_is(browser: Browser, serving_page: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 375, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.goto(serving_page.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert len(set(grounds)) == 2
