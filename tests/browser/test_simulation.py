"""The report of a plan with the simulated lives of its jobs in it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import campaign_fixtures
import goodput_fixtures
import report_fixtures
from myriad.report.goodput_page import goodput_html
from myriad.report.html import plan_html
from page_fixtures import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = ("waterfall", "finish", "life", "near", "better", "causes")
BOXES = """pictures => pictures.filter(one => one.getBoundingClientRect().width > 0).map(one => {
  const frame = one.getBoundingClientRect();
  return {frame: [frame.left, frame.top, frame.right, frame.bottom], texts: [...one.querySelectorAll('text')].map(
    text => { const box = text.getBoundingClientRect();
              return [text.textContent, box.left, box.top, box.right, box.bottom]; })};
})"""


@pytest.fixture(scope="module", params=["en", "zh"])
def proved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = report_fixtures.plan()
    simulated = campaign_fixtures.simulated()
    campaigns = tuple(
        campaign.model_copy(update={"job": job.name})
        for campaign, job in zip(simulated.campaigns, plan.jobs, strict=False)
    )
    path = tmp_path_factory.mktemp("proved") / f"plan.{request.param}.html"
    changed = simulated.model_copy(
        update={"campaigns": campaigns, "missing": {plan.jobs[2].name: "no pool can run it"}}
    )
    path.write_text(plan_html(plan, request.param, changed), encoding="utf-8")
    return path


def _overlapping(boxes: list[list[Any]]) -> list[tuple[object, object]]:
    return [
        (a[0], b[0])
        for at, a in enumerate(boxes)
        for b in boxes[at + 1 :]
        if min(a[3], b[3]) - max(a[1], b[1]) > 1.0 and min(a[4], b[4]) - max(a[2], b[2]) > 4.0
    ]


def _readable(pictures: list[dict[str, list[Any]]], count: int) -> None:
    """So many pictures, whose labels lie within them, are large enough, and do not cover each other."""
    assert len(pictures) == count
    for picture in pictures:
        left, top, right, bottom = picture["frame"]
        for text, x1, y1, x2, y2 in picture["texts"]:
            assert left - 1 <= x1, text
            assert x2 <= right + 1, text
            assert top - 1 <= y1, text
            assert y2 <= bottom + 1, text
            assert y2 - y1 > 11, f"{text}: too small to read"
        assert _overlapping(picture["texts"]) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_pictures_are_shown_once_with_labels_that_can_be_read(browser: "Browser", proved: Path, width: int) -> None:
    with opened(browser, proved, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = page.locator("#proof-0 svg.plot").evaluate_all(BOXES)
        _readable(found, len(PICTURES))


def _line_colour(page: "Page") -> str:
    return str(page.evaluate("getComputedStyle(document.querySelector('#proof-0 .plot .grid')).stroke"))


def test_the_section_stands_behind_its_job_and_has_its_tables(browser: "Browser", proved: Path) -> None:
    with opened(browser, proved) as page:
        order = page.locator("main > section").evaluate_all("all => all.map(one => one.id)")
        assert order.index("proof-0") == order.index("job-0") + 1
        assert page.locator(".bar a[href='#proof-0']").count() == 1
        page.locator(".proofs a").first.click()
        assert page.url.endswith("#proof-0")
        assert page.locator(".proofs p").count() == 3
        assert page.locator("#table-proof-0-better tbody tr").count() == 6
        assert page.locator("#table-proof-0-checkpoints tbody tr").count() == 2
        numbers = page.locator("#proof-0 svg.wide circle.number").count()
        assert page.locator("#table-proof-0-near tbody tr").count() == numbers > 2
        saved = page.locator("#table-proof-0-better thead button").nth(2)
        saved.click()
        first = page.locator("#table-proof-0-better tbody tr").first.inner_text()
        saved.click()
        assert page.locator("#table-proof-0-better tbody tr").first.inner_text() != first
        assert page.locator("#proof-1 svg.plot.wide").count() == 1  # neither an end nor a life to draw


def test_pictures_take_the_colours_of_the_page(browser: "Browser", proved: Path) -> None:
    with opened(browser, proved) as page:
        light = _line_colour(page)
        page.emulate_media(color_scheme="dark")
        assert _line_colour(page) != light
        page.emulate_media(media="print", color_scheme="dark")
        life = page.locator("#proof-0 section[aria-labelledby='proof-0-life-head']")
        assert life.locator("svg.wide").is_visible()
        assert not life.locator("svg.narrow").is_visible()
        amounts = page.locator("#proof-0 .halves svg.narrow .amount")
        assert amounts.count() > 10
        assert all(amount.is_visible() for amount in amounts.all())


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_goodput_is_drawn_with_labels_that_can_be_read(
    browser: "Browser", tmp_path: Path, lang: str, width: int
) -> None:
    path = tmp_path / "goodput.html"
    path.write_text(goodput_html(goodput_fixtures.goodput(), lang), encoding="utf-8")
    with opened(browser, path, width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        _readable(page.locator("svg.plot").evaluate_all(BOXES), 4)
