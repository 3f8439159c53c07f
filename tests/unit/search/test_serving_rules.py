"""Layouts of a serving replica: what divides, what engines run, and that every layout is accounted for."""

from __future__ import annotations

import pytest

from myriad import catalog
from myriad.estimate.serving.machine import Cut
from myriad.search.serving_rules import ServingCase, division_problem, rules_of, violations
from myriad.search.serving_space import batches, enumerate_serving_layouts
from myriad.spec.serving import ServingLayout, ServingWork


def case(model: str, engine: str = "vllm", precision: str = "fp8", dispatch: str | None = None) -> ServingCase:
    work = ServingWork(engine=engine, precision=precision, dispatch=dispatch)
    return ServingCase(catalog.model(model), catalog.cluster("h200:64"), work)


@pytest.mark.parametrize(
    ("of", "layout", "reason"),
    [
        (case("qwen3-32b"), {"tp": 3}, "tp does not divide the attention heads or feed-forward width"),
        (case("qwen3-32b"), {"tp": 4, "ep": 2}, "the model has no experts to spread"),
        (case("qwen3-32b"), {"pp": 65}, "fewer layers than pipeline stages"),
        (case("deepseek-v3"), {"dp": 6, "ep": 6}, "ep does not divide the experts"),
        (case("deepseek-v3", precision="fp8-block"), {"tp": 32}, "fp8-block: pieces of a feed-forward are no whole"),
        (case("deepseek-v3", precision="fp8-block"), {"dp": 32, "ep": 32}, ""),
    ],
)
def test_what_cannot_exist_says_why(of: ServingCase, layout: dict[str, int], reason: str) -> None:
    problem = division_problem(of, ServingLayout(**layout))
    assert problem.startswith(reason)
    assert bool(problem) == bool(reason)


@pytest.mark.parametrize(
    ("engine", "layout", "runs"),
    [
        ("vllm", {"dp": 8, "ep": 8}, True),
        ("vllm", {"dp": 8, "ep": 4}, False),
        ("sglang", {"tp": 2, "dp": 4, "ep": 4}, True),
        ("sglang", {"dp": 4, "pp": 2, "ep": 4}, False),
        ("trtllm", {"dp": 8, "ep": 8}, True),
        ("trtllm", {"tp": 2, "dp": 4, "ep": 8}, False),
    ],
)
def test_engines_run_what_they_offer(engine: str, layout: dict[str, int], runs: bool) -> None:
    of = case("deepseek-v3", engine)
    bad, counts = violations(rules_of(engine), of, Cut.of([ServingLayout(**layout)]))
    assert bad.tolist() == [not runs]
    assert all(reason.startswith(f"{engine}: ") for reason in counts)


@pytest.mark.parametrize("model", ["qwen3-32b", "deepseek-v3"])
def test_every_layout_is_kept_or_has_a_reason(model: str) -> None:
    found = enumerate_serving_layouts(case(model), 64)
    assert found.total == len(found.layouts.tp) + sum(found.rejected.values())
    assert (found.layouts.gpus <= 64).all()
    x = found.layouts
    assert len(set(zip(x.tp, x.pp, x.dp, x.ep, strict=True))) == len(x.tp)


def test_tokens_sent_to_their_experts_alone_need_experts_apart() -> None:
    kept = enumerate_serving_layouts(case("deepseek-v3", "sglang", dispatch="all-to-all"), 64).layouts
    assert ((kept.moe_tp == 1.0) | (kept.dp == 1.0)).all()


def test_batches_rise_by_the_ratio() -> None:
    grid = batches(1.25)
    assert grid[0] < 1.0 < 4096.0 < grid[-1]
    assert (grid[1:] / grid[:-1]).round(9).tolist() == [1.25] * (len(grid) - 1)
