"""Pictures of simulated campaigns: all of it drawn, within the frame, in both languages and widths."""

import math
import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import pytest

import campaign_fixtures
from myriad.report.bars_svg import waterfall_start
from myriad.report.campaign_course import course_of
from myriad.report.campaign_svg import causes_svg, finish_svg, improvements_svg, waterfall_svg
from myriad.report.language import language
from myriad.report.life_svg import life_svg
from myriad.report.near_svg import near_svg
from myriad.report.numbers import Numbers
from myriad.report.plot import Scale, fitted, round_step, text_px, tick_text
from myriad.spec.campaign_result import CampaignResult

DRAWN = ("waterfall", "causes", "improvements", "finish", "life", "near")


def drawn(name: str, result: CampaignResult, lang: str = "en") -> list[ElementTree.Element]:
    """The pictures for wide and for narrow screens."""
    words = language(lang)
    numbers = Numbers(words, "CNY", 0.14)
    of_result: dict[str, Callable[..., str]] = {
        "waterfall": waterfall_svg, "causes": causes_svg, "improvements": improvements_svg, "finish": finish_svg,
    }  # fmt: skip
    if name in of_result:
        text = of_result[name](result, "place", words, numbers)
    else:
        course = course_of(result)
        assert course is not None
        text = life_svg(course, result.ideal_s, "place", words) if name == "life" else near_svg(course, "place", words)
    return list(ElementTree.fromstring(f"<both>{text}</both>"))


def texts(picture: ElementTree.Element) -> list[ElementTree.Element]:
    return list(picture.iter("text"))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", DRAWN)
def test_labels_lie_within_the_frame_and_numbers_are_numbers(name: str, lang: str) -> None:
    for picture in drawn(name, campaign_fixtures.campaign(), lang):
        *_, wide, high = map(float, picture.attrib["viewBox"].split())
        for one in texts(picture):
            assert one.text
            long = text_px(one.text)
            x = float(one.attrib["x"]) - {"start": 0.0, "middle": 0.5, "end": 1.0}[one.attrib["text-anchor"]] * long
            # The estimate of a width is generous; a browser measures in tests/browser.
            assert x > -0.15 * long - 1.0, one.text
            assert x + long < wide + 0.15 * long + 1.0, one.text
            assert 8.0 < float(one.attrib["y"]) < high
        numbers = re.findall(
            r"[\d.]+|nan|inf", " ".join(value for node in picture.iter() for value in node.attrib.values())
        )
        assert "nan" not in numbers
        assert "inf" not in numbers


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_has_a_title_and_says_its_values_to_readers_that_cannot_see(name: str) -> None:
    wide, narrow = drawn(name, campaign_fixtures.campaign())
    for picture in (wide, narrow):
        assert picture.attrib["role"] == "img"
        ids = {node.attrib["id"] for node in picture.iter() if "id" in node.attrib}
        assert set(picture.attrib["aria-labelledby"].split()) == ids
        assert all(node.text for node in picture if node.tag in ("title", "desc"))
    assert wide.attrib["aria-labelledby"] != narrow.attrib["aria-labelledby"]


def test_the_waterfall_leads_from_the_wall_to_what_trains() -> None:
    result = campaign_fixtures.campaign()
    wide, _ = drawn("waterfall", result)
    bars = [node for node in wide.iter("rect") if node.attrib["class"] == "amount"]
    assert len(bars) == 1 + len(campaign_fixtures.LEDGER_SHARES)
    sides = [(float(bar.attrib["x"]), float(bar.attrib["x"]) + float(bar.attrib["width"])) for bar in bars]
    for (left, _), (_, right) in pairwise(sides[1:-1]):
        assert right == pytest.approx(left, abs=0.2)
    assert sides[-1][1] == pytest.approx(sides[-2][0], abs=0.2)
    assert sides[-1][0] == sides[0][0]
    assert waterfall_start(0.874) == 0.8
    assert "80 %" in [one.text for one in texts(wide)]


@pytest.mark.parametrize(("trained", "start"), [(0.99, 0.95), (0.874, 0.8), (0.6, 0.4), (0.2, 0.0), (0.0, 0.0)])
def test_the_waterfall_starts_below_what_trains(trained: float, start: float) -> None:
    whole = campaign_fixtures.campaign()
    rest = {"productive": trained, "waiting": 1.0 - trained}
    ledger = {name: campaign_fixtures.spread(share * whole.wall_s.mean) for name, share in rest.items()}
    result = whole.model_copy(update={"ledger_s": ledger})
    assert waterfall_start(trained) == pytest.approx(start)
    assert drawn("waterfall", result)


def test_the_curve_of_ends_rises_to_all_of_the_lives() -> None:
    result = campaign_fixtures.campaign()
    wide, _ = drawn("finish", result)
    (curve,) = (node for node in wide.iter("path") if node.attrib["class"] == "curve")
    points = [tuple(map(float, pair.split())) for pair in re.findall(r"[ML]([\d.]+ [\d.]+)", curve.attrib["d"])]
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))
    assert len(list(wide.iter("circle"))) == 4
    assert "deadline 100 days · 93 %" in [one.text for one in texts(wide)]


def test_ends_that_are_all_the_same_are_drawn() -> None:
    whole = campaign_fixtures.campaign()
    same = whole.model_copy(update={"finish_quantiles_s": (8e6,) * 99, "deadline_s": None, "in_time": None})
    assert len(drawn("finish", same)) == 2


def test_a_longer_life_makes_no_larger_pictures() -> None:
    few, many = (campaign_fixtures.campaign(number) for number in (2_000, 8_000))
    sizes = [sum(len(ElementTree.tostring(one)) for one in drawn("life", result)) for result in (few, many)]
    assert sizes[1] < 1.5 * sizes[0]
    assert sizes[1] < 300_000


def test_the_strip_of_incidents_counts_all_of_them() -> None:
    wide, narrow = drawn("life", campaign_fixtures.campaign(400))
    for picture in (wide, narrow):
        counts = [int(match[1]) for one in texts(picture) if one.text and (match := re.match(r"\D+ (\d+)$", one.text))]
        assert sum(counts) == 400


def test_every_incident_of_the_costliest_hours_has_its_number() -> None:
    wide, _ = drawn("near", campaign_fixtures.campaign(400))
    circles = [node for node in wide.iter("circle") if node.attrib["class"] == "number"]
    places = [(float(node.attrib["cx"]), float(node.attrib["cy"])) for node in circles]
    assert len(circles) >= 3
    assert all(math.dist(a, b) >= 16.0 for at, a in enumerate(places) for b in places[at + 1 :])


def test_scales_and_ticks() -> None:
    scale = Scale(0.0, 100.0, 40.0, 540.0)
    assert scale.at(50.0) == 290.0
    assert scale.ticks(60.0) == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    assert [tick_text(tick, [0.0, 0.5, 1.0]) for tick in (0.0, 0.5)] == ["0.0", "0.5"]
    assert tick_text(-2000.0, [-2000.0, 0.0]) == "−2,000"
    assert [round_step(least) for least in (0.3, 1.0, 2.1, 7.0)] == [0.5, 1.0, 5.0, 10.0]


def test_text_is_cut_to_its_room() -> None:
    assert fitted("short", 100.0) == "short"
    cut = fitted("a name that is far too long", 80.0)
    assert cut.endswith("…")
    assert text_px(cut) <= 80.0
    assert text_px("万卡") > text_px("ab")
