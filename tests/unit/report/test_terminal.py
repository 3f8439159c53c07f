import io

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from myriad.errors import SpecError
from myriad.report.terminal import estimate_text, plan_text, search_text
from myriad.spec.result import Plan


def shown(renderable: RenderableType, width: int = 80, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None).print(
        renderable
    )
    return out.getvalue()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_plan_fits_eighty_columns_without_colour(plan: Plan, lang: str) -> None:
    text = shown(plan_text(plan, lang))
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    assert "\x1b" in shown(plan_text(plan, lang), colour=True)


def test_a_plan_says_what_matters_in_order(plan: Plan) -> None:
    text = " ".join(shown(plan_text(plan)).split())
    wanted = [
        "Human, car, home", "2 of 3 training jobs", "pretrain-pro meets deadline", "Train MiMo-V2-Pro",
        "pipeline bubble", "Stage 0 (first, fullest)", "Stage 7 (last)", "The 5 best layouts",
        "77,827 does not fit in memory",
        "The given layout beside the best", "Pools side by side", "Hardware, written off", "Domain of validity",
        "device-4b misses deadline", "driving no pool fits",
    ]  # fmt: skip
    places = [text.index(part) for part in wanted]
    assert places == sorted(places)


def test_an_estimate_with_operations(plan: Plan) -> None:
    import report_fixtures

    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.estimate
    text = shown(estimate_text(plan.jobs[0].chosen.estimate, report_fixtures.operations()))
    assert "8,192 GPUs" in text
    assert "fits, 8.6 GiB to spare" in text
    assert "expert up and gate" in text
    assert "no tensor, context, pipeline or expert parallelism" in text


def test_stages_are_told_with_what_lies_there(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.estimate
    lines = shown(estimate_text(plan.jobs[0].chosen.estimate)).splitlines()
    table = [" ".join(line.split()) for line in lines[lines.index(next(x for x in lines if "Layers on the" in x)) :]]
    assert "0 2*2 4 moe embedding 123" in table
    assert "2 to 6 3, 2 5 moe 154" in table
    assert any(line.startswith("7 3, 2 5 moe 2 prediction depths, head") for line in table)
    chinese = shown(estimate_text(plan.jobs[0].chosen.estimate, lang="zh"))
    assert "2 个多 token 预测层、输出层" in chinese


def test_an_estimate_that_does_not_fit_says_so(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.estimate
    big = plan.jobs[0].chosen.estimate.model_copy(update={"fits": False, "memory_peak_bytes": 90 * 2.0**30})
    assert "does not fit, 10.0 GiB too much" in shown(estimate_text(big))


def test_a_search_lists_every_ranked_layout(plan: Plan) -> None:
    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.search
    text = shown(search_text(plan.jobs[0].chosen.search), width=120)
    assert all(f"\n{' ' if rank < 10 else ''}{rank} " in text for rank in range(1, 21))
    assert "412,560 layouts enumerated" in text


def test_unknown_language(plan: Plan) -> None:
    with pytest.raises(SpecError, match="unknown language"):
        plan_text(plan, "xx")
