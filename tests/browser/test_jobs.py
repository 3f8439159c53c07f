"""The page of many jobs: figures, use and queue over time, waits and ETTR by size, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs_fixtures import jobs_result
from myriad.report.jobs_page import jobs_html
from myriad.spec.job_statistics import JobStatistics
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PUBLISHED = JobStatistics(mean_wait=400, median_wait=7)


@pytest.fixture(scope="module", params=["en", "zh"])
def jobs_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jobs") / f"jobs.{request.param}.html"
    path.write_text(jobs_html(jobs_result(), "A100", PUBLISHED, request.param), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, jobs_page: Path) -> Iterator[Page]:
    with opened(browser, jobs_page) as page:
        yield page


def test_lines_and_columns_are_drawn(page: Page) -> None:
    assert page.get_by_role("heading", level=1).inner_text() == "Jobs <of> ours · 128 x A100"
    for name in ("use", "queue", "waits-0", "waits-1"):
        lines = page.locator(f"#{name} svg path[fill='none'][stroke^='#']")
        assert max(len(line.get_attribute("d") or "") for line in lines.all()) > 60, name
    for name in ("spent-chart", "ettr"):
        assert page.locator(f"#{name} svg path[fill^='#']").count() >= 6, name


def test_policies_stand_side_by_side(page: Page) -> None:
    heads = page.locator("#table-policies th[scope=col]").all_inner_texts()
    assert heads[1:] == ["fifo", "slurm-backfill"]
    rows = page.locator("#table-policies tbody tr")
    assert rows.count() == 13
    first = float(rows.nth(0).locator("td").nth(0).get_attribute("data-value") or 0)
    assert first == pytest.approx(jobs_result().policies[0].utilisation.mean)
    sizes = page.locator("#table-sizes tbody tr")
    assert sizes.count() == sum(len(one.sizes) for one in jobs_result().policies)


def test_sizes_sort_by_their_waits(page: Page) -> None:
    page.locator("#table-sizes thead button").nth(4).click()
    cells = page.locator("#table-sizes tbody tr td:nth-child(5)").all()
    values = [float(cell.get_attribute("data-value") or 0) for cell in cells]
    assert values == sorted(values)


def test_nothing_is_wider_than_a_phone(browser: Browser, jobs_page: Path) -> None:
    with opened(browser, jobs_page, 360) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
