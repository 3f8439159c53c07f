"""The page of a price check, and services in a plan: drawn, and nothing asked of anybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import service_fixtures
from myriad.report.html import plan_html
from myriad.report.price_page import price_html
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = {
    "price.en": lambda: price_html(service_fixtures.price_check()),
    "price.zh": lambda: price_html(service_fixtures.price_check(), "zh"),
    "plan.en": lambda: plan_html(service_fixtures.plan()),
    "plan.zh": lambda: plan_html(service_fixtures.plan(), "zh"),
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_draw_and_ask_for_nothing(browser: Browser, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.html"
    path.write_text(PAGES[name](), encoding="utf-8")
    with opened(browser, path, 375) as page:
        for place in page.locator(".chart").all():
            assert place.locator("svg path").count() > 3
        for width in (375, 768, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_bars_and_lines_of_costs(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "price.html"
    path.write_text(price_html(service_fixtures.price_check()), encoding="utf-8")
    with opened(browser, path) as page:
        labels = page.locator("#model-0-cost svg text").all_text_contents()
        assert {"h800-sxm", "h200-sxm"} <= set(labels)
        assert any("deepseek-r1" in label for label in labels)
        assert page.locator("#model-0-utilisation svg path[stroke='#35699b']").count() >= 1
        # The list price lies across at its own height, unrounded: 0.714 of an axis that begins at 0.
        assert any(
            "deepseek-r1" in label for label in page.locator("#model-0-utilisation svg text").all_text_contents()
        )
