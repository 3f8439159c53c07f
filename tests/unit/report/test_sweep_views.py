import io

import pytest
from rich.console import Console

import sweep_fixtures
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.sweep_page import sweep_html
from myriad.report.sweep_text import size_text, sweep_text
from myriad.report.sweep_views import by_model, front, metrics_of, reasons, value_text

RESULT = sweep_fixtures.result()
NUMBERS = Numbers(language("en"))


def test_a_front_is_beaten_by_nobody():
    rows = by_model(RESULT)["dense"]
    best = front(rows)
    assert best[0].found.tokens_per_s == max(row.found.tokens_per_s for row in rows)
    assert best[-1].usd_per_million_tokens == min(row.usd_per_million_tokens for row in rows)
    for row in best:
        assert not any(
            other.found.tokens_per_s >= row.found.tokens_per_s
            and other.usd_per_million_tokens < row.usd_per_million_tokens
            for other in rows
        )


def test_models_are_not_held_against_each_other():
    assert {model: len(rows) for model, rows in by_model(RESULT).items()} == {"dense": 4, "sparse": 1}


def test_metrics_that_no_row_has_are_not_offered():
    metrics = metrics_of([row.flat() for row in RESULT.rows])
    assert "usd_per_million_tokens" in metrics
    assert "days" not in metrics


def test_points_without_a_layout_are_counted_by_reason():
    assert [(count, status) for count, status, _ in reasons(RESULT)] == [(2, "infeasible"), (1, "error")]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("gpus", 16384, "16,384"), ("scale_out_bandwidth", 50e9, "400 Gb/s"), ("scale_up_bandwidth", 450e9, "450 GB/s"),
        ("price", 2.5, "2.5"), ("precision", "bf16", "bf16"), ("mtp_depths", None, "–"),
        ("memory_headroom", 0.05, "5 %"),        ("deadline", 86400 * 90, "90 days"), ("tokens", 15e12, "15 T"),
        ("expert_imbalance", 1.25, "1.25"),
    ],
)  # fmt: skip
def test_values_are_shown_in_the_units_of_people(key, value, text):
    assert value_text(key, value, NUMBERS) == text


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_summary_fits_80_columns(lang):
    console = Console(width=80, file=io.StringIO(), color_system=None, highlight=False, markup=False)
    console.print(sweep_text(RESULT, lang))
    printed = console.file.getvalue()
    assert "Fabric <b>and</b> size" in printed
    assert "TP8 PP1 DP16" in printed
    assert max(map(len, printed.splitlines())) <= 80
    assert ("不可行" if lang == "zh" else "infeasible") in printed


def test_the_size_is_said_before_it_starts():
    assert size_text({"model": 2, "gpus": 3, "stack": 1}, 6, 6, 2) == (
        "grid of 6: model 2 x gpus 3; searches: 6, done before: 2"
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_escapes_what_users_write_and_holds_every_row(lang):
    page = sweep_html(RESULT, lang)
    assert "Fabric &lt;b&gt;and&lt;/b&gt; size" in page
    assert "<b>and</b>" not in page
    assert "<i>odd</i>" not in page
    assert page.count("<tr") == 2 + 1 + len(RESULT.rows) + sum(len(front(rows)) for rows in by_model(RESULT).values())
