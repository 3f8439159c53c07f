import io

import pytest
from rich.cells import cell_len
from rich.console import Console

import report_fixtures
from myriad.errors import SpecError
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.timeline import timeline_text
from myriad.report.timeline_chart import height_px, timeline_chart
from myriad.report.timeline_page import timeline_html
from myriad.report.timeline_words import timeline_words
from myriad.spec.timeline import StepTimeline

WORDS = language("en")
NUMBERS = Numbers(WORDS)


def shown(timeline: StepTimeline, lang: str = "en", width: int = 80, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    console.print(timeline_text(timeline, lang))
    return out.getvalue()


def rows(text: str) -> list[str]:
    return [
        line for line in text.splitlines() if line[:2] in {f"{n} " for n in range(8)} and "0" in line and "=" in line
    ]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_timeline_fits_eighty_columns_without_colour(lang):
    text = shown(report_fixtures.timeline(), lang)
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert "\x1b" in shown(report_fixtures.timeline(), colour=True)


def test_every_stage_has_a_row_with_its_first_and_last_micro_batches():
    found = rows(shown(report_fixtures.timeline()))
    assert len(found) == 8
    for stage, row in enumerate(found):
        assert row.startswith(f"{stage} ")
        assert row.index("0") < row.index("5-") < row.rindex("5=")
    assert found[0][2] == "0"
    starts = [row.index("0-") for row in found[1:]]
    assert starts == sorted(starts)


def test_where_the_step_is_long_its_start_and_end_are_shown():
    text = shown(report_fixtures.timeline(micro_batches=60))
    found = rows(text)
    assert all(row.count("┊") == 1 for row in found)
    before, after = found[0].split("┊")
    assert before.split("-")[0].endswith("0")
    assert "59=" in after
    assert "59" not in before


def test_it_says_why_the_closed_form_differs():
    timeline = report_fixtures.timeline()

    def said(**changes: object) -> str:
        return " ".join(timeline_words(timeline.model_copy(update=changes), WORDS, NUMBERS))

    assert "6 micro-batches through 8 stages take 3.9 s; the closed form says 3.48 s (+12.0 %)" in said()
    assert "Chunks are unequal" in said()
    assert "only a bound" not in said()
    assert "only a bound" in said(within_closed_form=False)
    alike = said(equal_chunks=True, transfers_s=0.0, closed_transfers_s=0.0)
    assert "the closed form of the bubble is exact" in alike
    assert "transfers" not in alike


def test_windows_stand_side_by_side_in_the_chart():
    timeline = report_fixtures.timeline(micro_batches=60)
    windows = ((0.0, 1.0), (5.0, 5.5), (13.0, timeline.pipeline_s))
    chart = timeline_chart(timeline.model_copy(update={"windows_s": windows}), WORDS, NUMBERS)
    assert chart["windows"] == [[0, 0.0, 1.0], [1.0, 5.0, 5.5], [1.5, 13.0, timeline.pipeline_s]]
    assert chart["end"] == pytest.approx(1.5 + timeline.pipeline_s - 13.0)
    assert chart["cuts"] == ["left out: 4 s", "left out: 7.5 s"]
    for row in chart["segments"]:
        assert all(0 <= s[0] < s[1] <= chart["end"] + 1e-6 for s in row)
    for curve in chart["memory"]:
        places = [x for x, _ in curve["points"]]
        assert places == sorted(places)


def test_operations_that_run_together_share_their_row():
    timeline = report_fixtures.timeline()
    pairs = tuple(index == 3 for index in range(len(timeline.operations.kind)))
    o = timeline.operations.model_copy(update={"with_next": pairs})
    chart = timeline_chart(timeline.model_copy(update={"operations": o}), WORDS, NUMBERS)
    assert [s[5] for s in chart["segments"][0]][:6] == [0, 0, 0, 1, 2, 0]


def test_the_picture_grows_with_the_stages():
    few = report_fixtures.timeline()
    many = few.model_copy(update={"stages": few.stages * 16})
    assert height_px(few) < height_px(many) < 16 * height_px(few)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_needs_nothing_else(lang):
    page = timeline_html(report_fixtures.timeline(), lang)
    assert page.startswith("<!doctype html>")
    assert 'id="step-timeline"' in page
    assert "http://" not in page.split("<script>")[0]


def test_there_are_two_languages():
    with pytest.raises(SpecError, match="unknown language"):
        timeline_text(report_fixtures.timeline(), "tlh")
