from xml.etree import ElementTree

import pytest

import fabric_pages
from myriad.report.fabric_svg import describe, drawing_svg, step_of, title_words
from myriad.report.heat_svg import heat_svg, hot_words, map_words
from myriad.report.language import language
from myriad.report.numbers import Numbers

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(svg).replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1))


@pytest.mark.parametrize("code", ["en", "zh"])
def test_every_box_and_line_says_what_it_stands_for(code: str) -> None:
    words = language(code)
    _, drawing = fabric_pages.described()
    picture = parsed(drawing_svg(drawing, "here", words, Numbers(words)))
    boxes = [group for group in picture.iter(f"{SVG}g") if "box" in group.get("class", "").split()]
    lines = [path for path in picture.iter(f"{SVG}path") if "link" in path.get("class", "").split()]
    assert (len(boxes), len(lines)) == (len(drawing.boxes), len(drawing.links))
    assert all((shape.findtext(f"{SVG}title") or "").strip() for shape in [*boxes, *lines])
    assert picture.get("aria-labelledby") == "here-title here-desc"
    assert picture.findtext(f"{SVG}title") == title_words(drawing, words, Numbers(words))
    assert "{" not in "".join(picture.itertext())


def test_a_reader_that_cannot_see_is_told_the_counts_and_where_bandwidth_narrows() -> None:
    words = language("en")
    drawing = fabric_pages.compared()[1]["slim-fly"]
    told = describe(drawing, words, Numbers(words))
    assert told[0] == f"{drawing.tiers['switch']} switches"
    narrow = fabric_pages.traffic().pictures
    assert narrow is not None
    told = describe(narrow.drawing, words, Numbers(words))
    assert any("Leaf–spine: 2.0" in line and line.endswith(": 1 oversubscribed") for line in told), told


def test_lines_take_the_colour_of_their_fullest_link() -> None:
    pictures = fabric_pages.traffic().pictures
    assert pictures is not None
    words = language("en")
    picture = parsed(drawing_svg(pictures.drawing, "x", words, Numbers(words)))
    classes = [path.get("class") for path in picture.iter(f"{SVG}path")]
    expected = []
    for link in pictures.drawing.links:
        assert link.use is not None
        full = max(link.use.up_peak, link.use.down_peak)
        expected.append("link dead" if link.use.dead == link.links else f"link use-{step_of(full)}")
    assert classes == expected
    assert len(set(classes)) > 2


def test_steps_of_colour_cover_every_share() -> None:
    assert [step_of(share) for share in (0.0, 0.005, 0.02, 0.5, 0.95, 1.0)] == [0, 0, 1, 6, 8, 8]


@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_heat_map_has_a_line_per_switch_and_a_mark_for_links_that_are_down(code: str) -> None:
    pictures = fabric_pages.traffic().pictures
    assert pictures is not None
    words = language(code)
    for whole in pictures.heat.maps:
        (_, *others), *lines_after = whole.cells
        heat = whole.model_copy(update={"cells": ((-1.0, *others), *lines_after)})
        picture = parsed(heat_svg(heat, words, Numbers(words)))
        lines = [rect for rect in picture.iter(f"{SVG}rect") if rect.get("class") == "line"]
        assert len(lines) == heat.switches
        assert lines[0].findtext(f"{SVG}title")
        (dead,) = [path.get("d") or "" for path in picture.iter(f"{SVG}path") if path.get("class") == "dead"]
        assert dead.count("M") == 1
        assert str(heat.switches) in map_words(heat, words, Numbers(words))
    first = hot_words(pictures.heat.hottest[0], words, Numbers(words))
    assert all(first)
