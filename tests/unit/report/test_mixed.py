"""Mixes in reports: chosen, not chosen, and on their own."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

import report_fixtures
from myriad.report.html import plan_html
from myriad.report.mixed import mix_text
from myriad.report.terminal import plan_text


def shown(renderable: RenderableType, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(renderable)
    return out.getvalue()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_mix_fits_eighty_columns(lang: str) -> None:
    text = shown(mix_text(report_fixtures.mix(), lang))
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text


def test_a_mix_says_whether_it_pays_and_how() -> None:
    text = " ".join(shown(mix_text(report_fixtures.mix()), width=200).split())
    wanted = [
        "a pipeline across the pools", "A step of 33.6 M tokens takes 9 s",
        "23.0 % more tokens/s than own alone", "more than 5 M tokens/s; this is 74.6 %", "825 GB cross the link",
        "beyond 1F1B, so that distance costs no pace: 2", "As whole replicas in every pool a step would take 10 s",
        "65.0 %: 80 layers, 16 stages", "66.7 %: 4,096 sequences", "Each pool alone", "lacks 11.4 GiB per accelerator",
        "goodputs multiply",
    ]  # fmt: skip
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)


def test_a_mix_that_does_not_pay_says_so() -> None:
    result = report_fixtures.mix()
    slow = result.best.model_copy(update={"gain_fraction": -0.2})
    text = " ".join(shown(mix_text(result.model_copy(update={"joined": (slow,)}))).split())
    assert "20.0 % fewer tokens/s than own alone: it does not pay" in text
    alone = result.best.model_copy(update={"gain_fraction": None})
    impossible = {"joined": (alone,), "impossible": {"data": "own cannot hold a replica: it is too small"}}
    text = " ".join(shown(mix_text(result.model_copy(update=impossible))).split())
    assert "No pool can do it alone." in text
    assert "As whole replicas in every pool it cannot be done: own cannot hold" in text


@pytest.mark.parametrize("chosen", [True, False])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_plan_with_a_mix(lang: str, chosen: bool) -> None:
    plan = report_fixtures.mixed_plan(chosen)
    text = shown(plan_text(plan, lang))
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 80
    page = plan_html(plan, lang)
    for shown_text in (text, page):
        assert "own + cloud-east" in shown_text
    assert 'id="table-job-0-mix-pipeline"' in page
    assert 'id="table-job-0-mix-alone"' in page
    rent = {"en": "Rent, cloud-east", "zh": "租金（cloud-east）"}[lang]
    assert (rent in page) == chosen
    assert (rent in text) == chosen
    words = {"en": "together as a pipeline", "zh": "上联合训练"}[lang]
    assert (words in " ".join(text.split())) == chosen
    would = {"en": "own + cloud-east together would take", "zh": "若 own + cloud-east 联合"}[lang]
    assert (would in " ".join(text.split())) != chosen
    assert not re.search(r"\{\w+\}", text)


def test_every_sentence_of_a_mix_has_its_chinese_words() -> None:
    page = plan_html(report_fixtures.mixed_plan(True), "zh")
    assert 'lang="en"' not in page.split("<main>")[1].split('id="sources"')[0].replace("说明", "")
