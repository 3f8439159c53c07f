"""Chromium through Playwright. Where it is missing these tests are skipped, but in CI they fail."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from myriad.report.html import plan_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1]))
import report_fixtures

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "browser tests need Chromium (apt-get install chromium) and the Python package playwright"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if CHROMIUM is None or sync_playwright is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="session", params=["en", "zh"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the plan of tests/report_fixtures.py in one language."""
    path = tmp_path_factory.mktemp("report") / f"plan.{request.param}.html"
    path.write_text(plan_html(report_fixtures.plan(), request.param), encoding="utf-8")
    return path
