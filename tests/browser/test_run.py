"""The page of a run: drawn, within its width, and nothing asked of anybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import run_reports
from myriad.report.run_page import run_html
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [360, 1280])
def test_promise_and_reality_are_drawn_within_the_page(
    browser: Browser, tmp_path: Path, lang: str, width: int
) -> None:  # fmt: skip
    path = tmp_path / "run.html"
    path.write_text(run_html(run_reports.eventful(), lang), encoding="utf-8")
    with opened(browser, path, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        kind = "narrow" if width == 360 else "wide"
        shown = page.locator(f"svg.plot.{kind}")
        assert shown.count() == 7
        assert all(one.is_visible() for one in shown.all())
        assert page.locator(f"svg.plot.{kind} path.lost").count() == 4  # two stretches by step, two over time
        assert page.locator(f"svg.plot.{kind}[aria-labelledby^=loss-time] path.curve").count() == 3
        assert page.locator(f"svg.plot.{kind} path.incidents").count() == 2, "one for each interruption"
        real = page.locator(f"svg.plot.{kind}[aria-labelledby^=shares] rect").all()
        widths = [box["width"] for box in (one.bounding_box() for one in real) if box]
        assert len(widths) == 16
        assert sum(widths[:8]) == pytest.approx(sum(widths[8:]), rel=0.01), "both bars are the whole time"


def test_a_run_that_has_only_begun_has_a_page(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    path.write_text(run_html(run_reports.begun()), encoding="utf-8")
    with opened(browser, path) as page:
        assert page.get_by_text("It has made no step yet.").is_visible()
