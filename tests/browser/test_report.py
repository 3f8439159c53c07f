import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import report_fixtures
from myriad.report.timeline_page import timeline_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TABLE = "#table-job-0-layouts"
CHANGED = "old => document.querySelector('#job-0-step svg text').getAttribute('fill') !== old"


class Watched:
    """A page with everything that it asked for and complained about."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


def opened(browser: "Browser", report: Path, width: int = 1280, scheme: str = "light") -> Watched:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    watched = Watched(context.new_page())
    watched.page.goto(report.as_uri())
    return watched


@pytest.fixture
def watched(browser: "Browser", report: Path) -> Iterator[Watched]:
    watched = opened(browser, report)
    yield watched
    assert watched.complaints == []
    assert watched.requests == [report.as_uri()]
    watched.page.context.close()


def column(page: "Page", number: int) -> list[str]:
    cells = page.locator(f"{TABLE} tbody tr:not([hidden]) > :nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_every_chart_is_drawn(watched: Watched) -> None:
    charts = watched.page.locator(".chart")
    assert charts.count() == 8
    for index in range(charts.count()):
        assert charts.nth(index).locator("svg path[fill]").count() > 3
        assert charts.nth(index).locator("svg text").count() > 3


def test_key_figures_stand_with_their_bands(watched: Watched) -> None:
    bands = watched.page.locator("#job-0 .figures .band")
    assert bands.count() == 3
    shown = bands.all_inner_texts()
    assert "11" in shown[0]
    assert "13.8 s" in shown[0]
    assert "75.3" in shown[1]
    assert all(band.is_visible() for band in bands.all())


def test_a_column_sorts_both_ways_by_mouse_and_keyboard(watched: Watched) -> None:
    button = watched.page.locator(f"{TABLE} thead th:nth-child(8) button")
    button.click()
    assert button.locator("..").get_attribute("aria-sort") == "ascending"
    memory = [float(text) for text in column(watched.page, 8)]
    assert memory == sorted(memory)
    button.focus()
    watched.page.keyboard.press("Enter")
    memory = [float(text) for text in column(watched.page, 8)]
    assert memory == sorted(memory, reverse=True)
    assert button.locator("..").get_attribute("aria-sort") == "descending"


def test_rows_filter_by_text_and_framework(watched: Watched) -> None:
    page = watched.page
    assert len(column(page, 2)) == 20
    page.locator('[data-filter="table-job-0-layouts"]').fill("tp4 core_attn")
    assert column(page, 2)
    assert all("TP4" in name and "core_attn" in name for name in column(page, 2))
    page.locator('[data-filter="table-job-0-layouts"]').fill("")
    page.locator('[data-select="table-job-0-layouts"]').select_option("torchtitan")
    assert len(column(page, 2)) == 7
    assert "7" in page.locator('[data-count="table-job-0-layouts"]').inner_text()
    page.locator('[data-select="table-sources"]').select_option("assumed")
    assert page.locator("#table-sources tbody tr:not([hidden])").count() == 2


def test_the_plan_downloads_as_json(watched: Watched) -> None:
    with watched.page.expect_download() as download:
        watched.page.locator("#download").click()
    watched.requests[:] = [url for url in watched.requests if not url.startswith("blob:")]
    assert download.value.suggested_filename == "plan.json"
    assert json.loads(download.value.path().read_text(encoding="utf-8"))["format"] == "myriad-plan-1"


def test_dark_mode_changes_page_and_charts(browser: "Browser", report: Path) -> None:
    grounds, labels = [], []
    for scheme in ("light", "dark"):
        page = opened(browser, report, scheme=scheme).page
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        labels.append(page.locator("#job-0-step svg text").first.get_attribute("fill"))
        page.context.close()
    assert len(set(grounds)) == 2
    assert len(set(labels)) == 2


def test_no_width_scrolls_sideways(browser: "Browser", report: Path) -> None:
    page = opened(browser, report, width=375).page
    for width in (375, 768, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.context.close()


def test_it_prints_in_light_colours(browser: "Browser", report: Path, tmp_path: Path) -> None:
    page = opened(browser, report, scheme="dark").page
    label = page.locator("#job-0-step svg text").first
    on_screen = label.get_attribute("fill")
    page.emulate_media(media="print", color_scheme="dark")
    page.wait_for_function(CHANGED, arg=on_screen)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.pdf(path=tmp_path / "plan.pdf", prefer_css_page_size=True)
    assert (tmp_path / "plan.pdf").stat().st_size > 50_000
    page.context.close()


@pytest.fixture(params=["en", "zh"])
def drawn(request: pytest.FixtureRequest, browser: "Browser", tmp_path: Path) -> Iterator[Watched]:
    path = tmp_path / "step.html"
    path.write_text(timeline_html(report_fixtures.timeline(), request.param), encoding="utf-8")
    watched = opened(browser, path)
    yield watched
    assert watched.complaints == []
    assert watched.requests == [path.as_uri()]
    watched.page.context.close()


def numbers_shown(page: "Page") -> list[str]:
    return [text for text in page.locator("#step-timeline svg text").all_text_contents() if text.isdecimal()]


def test_the_timeline_is_drawn_with_its_micro_batches(drawn: Watched) -> None:
    assert drawn.page.locator("#step-timeline svg path").count() > 10
    assert {"0", "5"} <= set(numbers_shown(drawn.page))
    assert drawn.page.locator("#stages tbody tr").count() == 8


def test_the_timeline_zooms_and_tells_what_runs(drawn: Watched) -> None:
    page = drawn.page
    before = len(numbers_shown(page))
    place = page.locator("#step-timeline")
    box = place.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 18)
    page.keyboard.down("Control")
    for _ in range(6):
        page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_function(
        "old => [...document.querySelectorAll('#step-timeline svg text')]"
        ".filter(t => /^[0-9]+$/.test(t.textContent)).length !== old",
        arg=before,
    )
    page.mouse.move(box["x"] + 80, box["y"] + 20)
    page.wait_for_function("document.querySelector('#step-timeline').innerText.includes('–')")
    assert page.locator("#step-timeline > div").last.inner_text().strip()
