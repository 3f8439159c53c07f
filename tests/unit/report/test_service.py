"""Services and price checks in reports: every figure there, nothing lost in either language."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console, RenderableType

import service_fixtures
from myriad.report.html import plan_html
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.price_page import price_html
from myriad.report.price_text import price_text
from myriad.report.price_views import KINDS, parts_of
from myriad.report.service_views import margin_of, sides_of, token_rows
from myriad.report.service_words import services_words
from myriad.report.terminal import plan_text


def shown(block: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(block)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_sides_say_what_each_reads_and_writes() -> None:
    prefill, decode = sides_of(service_fixtures.estimate())
    assert (prefill.side, prefill.replicas.gpus) == ("prefill", 32)
    assert prefill.tokens_per_s_per_gpu == pytest.approx(50 * 4000 / 32 / 0.8)
    assert decode.tokens_per_s_per_gpu == pytest.approx(50 * 1000 / 64)
    (both,) = sides_of(service_fixtures.estimate(apart=False))
    assert both.side == "both"


def test_parts_of_a_request_sum_to_its_mean_token() -> None:
    check = service_fixtures.price_check()
    for row in check.rows:
        if row.cost is not None:
            assert sum(parts_of(row.cost.usd, check).values()) == pytest.approx(row.cost.usd.blended)


def test_rows_of_tokens_hold_cost_and_price() -> None:
    rows = token_rows(service_fixtures.cost())
    assert [row.kind for row in rows] == [*KINDS, "blended"]
    assert (rows[0].usd, rows[0].price_usd) == (0.1, 0.55)


def test_margins_are_of_revenue() -> None:
    chosen = service_fixtures.plan().services[0].chosen
    assert chosen is not None
    assert margin_of(chosen) == pytest.approx(1 - 1.7 / 9)
    assert margin_of(chosen.model_copy(update={"revenue_usd_per_year": None})) is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_plans_tell_of_their_services(lang: str) -> None:
    plan = service_fixtures.plan()
    words = language(lang)
    text = squeezed(shown(plan_text(plan, lang)))
    assert "assistant <1>" in text
    assert "TP1 DP32 EP32" in text
    assert words("service.prefill") in text
    numbers = Numbers(words, plan.currency, plan.usd_per_currency)
    assert len(services_words(plan, words, numbers)) == 2
    page = plan_html(plan, lang)
    assert "assistant &lt;1&gt;" in page
    assert 'id="service-1"' in page
    assert 'id="table-services"' in page


def test_plans_without_jobs_do_not_mention_them() -> None:
    alone = service_fixtures.plan().model_copy(update={"jobs": (), "total_cost_usd": None})
    assert "training jobs" not in squeezed(shown(plan_text(alone)))
    assert 'id="table-jobs"' not in plan_html(alone)


def test_services_that_lose_money_say_so() -> None:
    plan = service_fixtures.plan()
    service = plan.services[0]
    assert service.chosen is not None
    poor = service.chosen.model_copy(update={"revenue_usd_per_year": 1e6})
    losing = plan.model_copy(update={"services": (service.model_copy(update={"chosen": poor}),)})
    assert "less than it costs by" in squeezed(shown(plan_text(losing)))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_price_checks_name_costs_prices_and_reasons(lang: str) -> None:
    check = service_fixtures.price_check()
    text = squeezed(shown(price_text(check, lang)))
    for expected in ("h800-sxm", "0.124", "deepseek-r1-2025", "2.19", language(lang)("price.margin")):
        assert expected in text
    assert language(lang).phrase("other services take all of its accelerators") in text
    page = price_html(check, lang)
    assert '"model-0-cost"' in page
    assert '"model-1-cost"' not in page  # nothing to draw where nothing is priced
