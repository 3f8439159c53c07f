"""The page of the goodput of a job: curves within their frames, and all parts of the time."""

from xml.etree import ElementTree

import pytest

import goodput_fixtures
from myriad.report.goodput_page import goodput_html
from myriad.report.goodput_svg import changes_svg, intervals_svg, parts_svg, sizes_svg
from myriad.report.language import language
from myriad.report.numbers import Numbers

WORDS = language("en")


def drawn(text: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<both>{text}</both>"))


def test_the_parts_fall_from_all_of_the_time_to_what_trains() -> None:
    for picture in drawn(parts_svg(goodput_fixtures.goodput(), "parts", WORDS, Numbers(WORDS))):
        bars = [node for node in picture.iter("rect") if node.attrib["class"] == "amount"]
        assert len(bars) == 1 + len(goodput_fixtures.PARTS)
        ends = [float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in bars]
        assert ends[-1] == pytest.approx(float(bars[-2].attrib["x"]), abs=0.2)


@pytest.mark.parametrize(("draw", "marks"), [(intervals_svg, 4), (sizes_svg, 1)])
def test_a_curve_and_its_points_of_note_lie_within_the_frame(draw, marks: int) -> None:  # type: ignore[no-untyped-def]
    for picture in drawn(draw(goodput_fixtures.goodput(), "curve", WORDS, Numbers(WORDS))):
        *_, wide, high = map(float, picture.attrib["viewBox"].split())
        circles = [(float(node.attrib["cx"]), float(node.attrib["cy"])) for node in picture.iter("circle")]
        (path,) = (node.attrib["d"] for node in picture.iter("path"))
        line = [tuple(map(float, pair.split())) for pair in path[1:].split("L")]
        assert len(circles) == marks
        assert all(0.0 < x < wide and 0.0 < y < high for x, y in (*circles, *line))
        assert [x for x, _ in line] == sorted(x for x, _ in line)


def test_changes_are_told_in_points() -> None:
    text = changes_svg(goodput_fixtures.goodput(), "better", WORDS, Numbers(WORDS))
    assert "+7.51 · 91.85 %" in text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_has_its_words_and_data(lang: str) -> None:
    page = goodput_html(goodput_fixtures.goodput(), lang)
    assert language(lang)("goodput.by_interval") in page
    assert '"format":"myriad-goodput-1"' in page
    assert page.count('<svg class="plot') == 8
