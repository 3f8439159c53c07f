"""Pages of fabrics: drawn, compared, priced, under traffic."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fabric_pages
import myriad
from bill_fixtures import tree_bill
from myriad.report.bill_page import bill_html
from myriad.report.fabric_page import comparison_html, fabric_html
from myriad.report.html import plan_html
from myriad.report.traffic_page import traffic_html
from myriad.spec.bill import Bill, BillRules
from myriad.spec.result import Plan
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def _bill() -> Bill:
    prices = {"dgx-h100": 250e3, "switch": 30e3}
    return tree_bill(64, BillRules(), prices)


@cache
def narrow_plan() -> Plan:
    return myriad.plan(Path(__file__).parents[1] / "golden" / "small-narrow.yaml")


LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])


@LANGUAGES
def test_a_described_fabric_is_drawn_with_its_counts(browser: "Browser", tmp_path: Path, lang: str) -> None:
    description, drawing = fabric_pages.described()
    path = tmp_path / "fabric.html"
    path.write_text(fabric_html(description, drawing, "0", lang), encoding="utf-8")
    with opened(browser, path) as page:
        assert page.locator("#drawn svg .box").count() == len(drawing.boxes)
        assert page.locator("#drawn svg .link").count() == len(drawing.links)
        assert page.locator("#fabric-switches tbody tr").count() == len(description.switches)
        assert page.locator("#growth-is tbody tr").count() == len(description.growth)


@LANGUAGES
def test_compared_fabrics_stand_in_a_table_in_bars_and_in_drawings(
    browser: "Browser", tmp_path: Path, lang: str
) -> None:
    comparison, drawings = fabric_pages.compared()
    path = tmp_path / "fabrics.html"
    path.write_text(comparison_html(comparison, drawings, "0", lang), encoding="utf-8")
    with opened(browser, path) as page:
        assert page.locator("#table-fabrics tbody tr").count() == len(comparison.rows)
        assert page.locator("#drawings svg.fabric").count() == len(drawings)
        page.locator("#table-fabrics thead button").nth(3).click()
        counts = page.locator("#table-fabrics tbody tr > :nth-child(4)").all_inner_texts()
        numbers = [int(text.replace(",", "")) for text in counts if text[:1].isdigit()]
        assert numbers == sorted(numbers)
        for bars in page.locator(".chart").all():
            assert bars.locator("svg path[fill]").count() >= len(drawings)


@LANGUAGES
def test_traffic_shows_the_fabric_in_colours_and_heat_maps(browser: "Browser", tmp_path: Path, lang: str) -> None:
    result = fabric_pages.traffic()
    assert result.pictures is not None
    path = tmp_path / "traffic.html"
    path.write_text(traffic_html(result, "0", lang), encoding="utf-8")
    with opened(browser, path) as page:
        assert page.locator("svg.heat").count() == len(result.pictures.heat.maps)
        assert page.locator("svg.heat .line title").first.text_content()
        assert page.locator("#heat-hottest tbody tr").count() == len(result.pictures.heat.hottest)
        drawn = page.locator("#drawn svg [class*='link use-']").evaluate_all(
            "paths => paths.map(path => getComputedStyle(path).stroke)"
        )
        assert len(set(drawn)) > 2


@LANGUAGES
def test_a_bill_shows_sums_and_sources(browser: "Browser", tmp_path: Path, lang: str) -> None:
    bill = _bill()
    path = tmp_path / "bill.html"
    path.write_text(bill_html(bill, "0", "CNY", 0.14, 1e9, lang), encoding="utf-8")
    with opened(browser, path) as page:
        assert page.locator("#table-bill tbody tr").count() == len(bill.lines)
        assert page.locator("#stack-groups svg path[fill]").count() > 1
        page.locator("input[type=search]").fill(bill.lines[0].name)
        assert 0 < page.locator("#table-bill tbody tr:not([hidden])").count() < len(bill.lines)


@LANGUAGES
def test_a_plan_has_a_section_for_the_fabric_of_a_pool(browser: "Browser", tmp_path: Path, lang: str) -> None:
    plan = narrow_plan()
    (pool,) = plan.fabrics
    path = tmp_path / "plan.html"
    path.write_text(plan_html(plan, lang), encoding="utf-8")
    with opened(browser, path) as page:
        page.locator(".pools a").click()
        assert page.url.endswith("#fabric-0")
        steps = plan.fabrics[pool].steps
        assert page.locator("#fabric-0 figure.drawn .scroll svg").count() == len(steps)
        assert page.locator("#fabric-0 table[id$='sends']").count() == len(steps)


@pytest.mark.parametrize("name", ["described", "compared", "traffic", "bill", "plan"])
def test_pages_fit_a_phone(browser: "Browser", tmp_path: Path, name: str) -> None:
    text = {
        "described": lambda: fabric_html(*fabric_pages.described(), "0"),
        "compared": lambda: comparison_html(*fabric_pages.compared(), "0", "zh"),
        "traffic": lambda: traffic_html(fabric_pages.traffic(), "0"),
        "bill": lambda: bill_html(_bill(), "0", lang="zh"),
        "plan": lambda: plan_html(narrow_plan()),
    }[name]()
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()
