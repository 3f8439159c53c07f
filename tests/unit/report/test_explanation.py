import io

import pytest
from rich.cells import cell_len
from rich.console import Console

import report_fixtures
from myriad.report.explanation import explanation_text
from myriad.spec.explanation import AlikeRun, Assumption, BandGround, Explanation, RowGround
from myriad.spec.result import Sensitivity
from myriad.spec.validation import RowResult


@pytest.fixture
def explanation(plan) -> Explanation:
    estimate = plan.jobs[0].chosen.estimate
    row = RowResult(
        id="a-1", measured=300.0, predicted=333.0, error=0.11, measured_from="tokens/s", source="A paper",
        left_out_errors={"lineage": 0.2, "stack": -0.1}, model="m", family="moe", lineage="m", accelerator="h800-sxm",
        num_gpus=8192, precision="fp8", stack="nemo", parallelism="TP", layout="TP8",
        assumed=("recomputation: what fits, not stated",), step_s=12.3, fits=True, memory_peak_bytes=1.0,
        memory_capacity_bytes=2.0, judges_memory=True,
    )  # fmt: skip
    alike = AlikeRun(
        id="a-2", software="nemo 25.02", switches=("compile",), expert_capacity=1.0, layout="TP8 PP1", measured=330.0,
        over_this=1.1,
    )  # fmt: skip
    return Explanation(
        subject="a-1: a run",
        estimate=estimate,
        operations=report_fixtures.operations(),
        band_ground=BandGround(
            runs=800, stack="nemo", stack_runs=250, accelerator="h800-sxm", accelerator_runs=0, family="moe",
            family_half_width=0.3, coverage={"lineage": 0.8},
        ),
        assumptions=(
            Assumption(
                figures=("stacks/*/stretch/ep",), kind="fitted", value=0.9, low=0.8, high=1.0,
                meaning="exposed expert exchange over that of the collectives alone",
                step_at_low_s=12.0, step_at_high_s=12.7, change_fraction=0.033,
            ),
            Assumption(
                figures=("kernels/h100/gemm/fp8/backward_share",), kind="assumed", value=0.85, low=0.75, high=0.95,
                meaning="a note", step_at_low_s=12.5, step_at_high_s=12.2, change_fraction=0.016,
            ),
        ),
        sensitivity=(Sensitivity(resource="latency", change_fraction=0.1, step_s=12.2, gain_fraction=0.01),),
        row=RowGround(result=row, switches=(), measured_step_s=13.7, in_band=True, alike=(alike,), kin=3),
    )  # fmt: skip


def shown(explanation: Explanation, lang: str, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(explanation_text(explanation, lang))
    return out.getvalue()


def test_an_explanation_says_what_it_knows_in_order(explanation):
    text = " ".join(shown(explanation, "en", 200).split())
    wanted = [
        "Step time 12.3 s (80 % band 11 to 13.8 s)",
        "Measured 300 tokens/s per GPU (13.7 s a step), predicted 333: +11.0 %",
        "inside the band", "left out its line of models +20.0 %, its software −10.0 %",
        "filled by a rule: recomputation",
        "3 other runs", "expert up and gate", "800 runs were fitted: 250 of nemo, 0 on h800-sxm",
        "exposed expert exchange", "× 0.9", "h100: gemm fp8 backward_share", "network latency −10 %",
        "nemo 25.02, compile, tokens dropped at capacity 1",
    ]  # fmt: skip
    places = [text.find(part) for part in wanted]
    assert -1 not in places, wanted[places.index(-1)]
    assert places == sorted(places)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_explanation_fits_eighty_columns(explanation, lang):
    assert max(cell_len(line.rstrip()) for line in shown(explanation, lang).splitlines()) <= 80


def test_a_chinese_explanation_translates_what_others_wrote(explanation):
    text = shown(explanation, "zh")
    assert "专家交换外露时间" in text
    assert "未说明重计算" in text
    assert "exposed" not in text


def test_a_layout_has_nothing_measured_beside_it(explanation):
    text = shown(explanation.model_copy(update={"row": None, "assumptions": ()}), "en")
    assert "Measured" not in text
    assert "depends on" not in text
