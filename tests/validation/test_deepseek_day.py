"""DeepSeek's published day of February 2025: what was published adds up, and what the plan predicts lies near it."""

from __future__ import annotations

from types import ModuleType

import pytest

from benchmark_modules import benchmark


@pytest.fixture(scope="module")
def day() -> ModuleType:
    return benchmark("deepseek_day")


@pytest.fixture(scope="module")
def ratios(day: ModuleType) -> dict[str, float]:
    found = day.predicted()
    return {name: found[name] / published for name, published in day.PUBLISHED.items()}


def test_what_was_published_adds_up(day: ModuleType) -> None:
    published = day.PUBLISHED
    nodes = (
        day.INPUT_TOKENS / day.DAY_S / published["prefill, input tokens/s per node"]
        + day.OUTPUT_TOKENS / day.DAY_S / published["decode, output tokens/s per node"]
    )
    assert nodes == pytest.approx(published["nodes, mean of the day"], rel=0.01)
    usd = published["nodes, mean of the day"] * 8 * 24 * day.USD_PER_GPU_HOUR
    assert usd == pytest.approx(published["cost of the day, USD"], rel=1e-3)


def test_list_prices_give_the_published_revenue(ratios: dict[str, float]) -> None:
    assert ratios["revenue of the day, USD"] == pytest.approx(1.0, abs=0.01)


def test_the_plan_lies_near_what_was_published(ratios: dict[str, float]) -> None:
    # The day is in no fit. Which figures are off, which way and why stands in decision 0021.
    assert ratios["decode, output tokens/s per node"] == pytest.approx(1.0, abs=0.2)
    assert ratios["nodes, mean of the day"] == pytest.approx(1.0, abs=0.2)
    assert ratios["cost of the day, USD"] == pytest.approx(1.0, abs=0.2)
    assert 1.0 < ratios["prefill, input tokens/s per node"] < 1.6
