"""A run in words, on a terminal and as a page, in both languages."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

import run_reports
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.run_live import run_screen, sparkline, watch
from myriad.report.run_page import run_html
from myriad.report.run_svg import clipped_steps, over_time_svg
from myriad.report.run_text import run_text
from myriad.report.run_views import difference, sentences, verdict
from myriad.spec.run import Compared


def said(*blocks: object, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=terminal, color_system=None)
    for block in blocks:
        console.print(block)
    return out.getvalue()


def test_the_answer_says_pace_share_losses_and_end() -> None:
    words = language("en")
    told = " ".join(sentences(run_reports.eventful(), words, Numbers(words)))
    assert "more than promised. That lies within the band of the promise, 850 ms to 1.08 s." in told
    assert "Interruptions: 2; steps trained again: 73 (4,784,128 tokens)." in told
    assert "the plan said 18.3 min" in told
    going = " ".join(sentences(run_reports.eventful("running"), words, Numbers(words)))
    assert "At this pace it ends on 2026-11-18" in going
    assert "A supervisor watches it." in going


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_text_has_promise_books_and_events(lang: str) -> None:
    text = said(run_text(run_reports.eventful(), lang))
    for part in ("pretrain-0003", "950 ms", "83.6", "16.3", "restart 2, from step 600"):
        assert part in text
    assert said(run_text(run_reports.begun(), lang))
    if lang == "zh":
        before_events = text.split(language(lang)("run.events"))[0]  # supervisors say details in English
        assert not re.search(r"[a-z]{4,} [a-z]{4,}", before_events)


def test_differences_are_points_of_shares_and_verdicts_know_which_way_is_better() -> None:
    words = language("en")
    share = Compared(figure="ettr", promised=0.9, measured=0.8, unit="")
    assert (difference(share, words, Numbers(words)), verdict(share)) == ("−10.0 points", "bad")
    step = Compared(figure="step_s", promised=1.0, low=0.9, high=1.2, measured=1.15, unit="s")
    assert (difference(step, words, Numbers(words)), verdict(step)) == ("+15.0 %", "")
    assert verdict(step.model_copy(update={"measured": 1.3})) == "bad"
    assert verdict(step.model_copy(update={"measured": 0.5})) == "good"
    assert verdict(step.model_copy(update={"measured": None})) == ""


def test_the_screen_fits_and_shows_the_course_of_the_loss() -> None:
    screen = said(run_screen(run_reports.eventful("running")), terminal=True)
    assert len(screen.splitlines()) < 24
    assert "█" in sparkline([1.0, 5.0])
    assert len(sparkline(list(range(1000)), 40)) == 40


def test_the_screen_is_drawn_until_the_run_ends() -> None:
    out = io.StringIO()
    reports = [run_reports.begun(), run_reports.eventful("running"), run_reports.eventful()]
    pauses: list[None] = []
    console = Console(file=out, force_terminal=True, width=120, height=40)
    last = watch(lambda: reports.pop(0), lambda: pauses.append(None), console)
    assert (last.summary.state, len(pauses), reports) == ("finished", 2, [])
    for part in ("queued, step 0 of 20", "running, step 1,000 of 4,000", "finished, step 1,000 of 1,000"):
        assert part in out.getvalue()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_has_every_picture_and_escapes_names(lang: str) -> None:
    report = run_reports.eventful()
    odd = report.events[3].model_copy(update={"text": "<script>alert(1)</script>"})
    page = run_html(report.model_copy(update={"events": (*report.events, odd)}), lang)
    for place in ("ratio", "shares", "when", "loss-step", "loss-time", "step", "memory"):
        assert f'{place}-wide-title"' in page, place
    assert "<script>alert" not in page
    assert 'class="lost"' in page
    assert "step-wide" not in run_html(run_reports.begun(), lang)


def test_pictures_stay_small_however_long_a_run_is() -> None:
    report = run_reports.eventful()
    assert len(over_time_svg(report, "when", language("en"))) < 60_000
    assert clipped_steps(report) == sum(one.step_s > 1.7 for one in report.steps)
