"""A large search, and the flagship plan with its report."""

from __future__ import annotations

from pathlib import Path

import myriad
from myriad.report.html import plan_html
from myriad.spec.job import TrainingWork

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_search(benchmark) -> None:
    work = TrainingWork(seq_len=4096, global_batch=8192)
    found = benchmark.pedantic(myriad.search_training, ("mimo-v2-pro", "h800:16384", work), rounds=3)
    benchmark.extra_info["layouts_per_s"] = found.layouts_per_s
    assert found.layouts_evaluated > 1000


def test_plan_and_report(benchmark) -> None:
    def plan_to_html() -> str:
        return plan_html(myriad.plan(EXAMPLES / "human-car-home.yaml"), "en")

    assert "<html" in benchmark.pedantic(plan_to_html, rounds=2)
