import math
from dataclasses import replace
from pathlib import Path

import pytest

from myriad import catalog
from myriad.api.assumptions import ASSUMED_SHARE_CHANGE, assumptions
from myriad.api.training import setting_of
from myriad.estimate.device import device
from myriad.estimate.setting import Setting
from myriad.estimate.training import estimate_layout
from myriad.spec.explanation import Assumption
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout

WORK = TrainingWork(seq_len=8192, global_batch=128, stack="nemo@25.02")
LAYOUT = Layout(tp=2, dp=4)


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of("llama3.1-8b", "h100:8", WORK)


@pytest.fixture(scope="module")
def found(setting: Setting) -> tuple[Assumption, ...]:
    return assumptions(setting, LAYOUT)


def of(found: tuple[Assumption, ...], figure: str) -> Assumption:
    return next(one for one in found if figure in one.figures)


def test_the_strongest_comes_first_and_what_does_nothing_is_left_out(found):
    changes = [one.change_fraction for one in found]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] > 0
    assert {one.kind for one in found} == {"fitted", "assumed", "derived"}


def test_a_factor_is_moved_by_its_standard_deviation(setting, found):
    (factor,) = (f for f in catalog.training_fit().factors if f.figures == ("stacks/nemo/gemm_share",))
    one = of(found, "stacks/nemo/gemm_share")
    assert one.value == factor.factor
    assert math.log(one.high / one.value) == pytest.approx(factor.uncertainty)
    share = setting.stack.gemm_share * math.exp(factor.uncertainty)
    faster = replace(setting, stack=setting.stack.model_copy(update={"gemm_share": share}))
    assert one.step_at_high_s == pytest.approx(estimate_layout(faster, LAYOUT).step_s)
    assert one.step_at_high_s < estimate_layout(setting, LAYOUT).step_s < one.step_at_low_s


def test_a_share_that_nobody_measured_is_moved_by_a_tenth_and_stays_a_share(setting, found):
    kernels, _ = catalog.kernels("h100-sxm")
    one = of(found, "kernels/h100/sustained_fraction")
    assert one.kind != "fitted"
    assert one.high == min(kernels.sustained_fraction + ASSUMED_SHARE_CHANGE, 1.0)
    chip = device(
        setting.cluster.accelerator, kernels.model_copy(update={"sustained_fraction": one.low}), WORK.precision
    )
    assert one.step_at_low_s == pytest.approx(estimate_layout(setting.on(chip, setting.stack), LAYOUT).step_s)


def test_figures_of_other_precisions_releases_and_software_have_no_say(found):
    named = " ".join(figure for one in found for figure in one.figures if one.kind != "fitted")
    assert "nvfp4" not in named
    assert "megatron" not in named
    releases = [figure for one in found for figure in one.figures if "/releases/" in figure]
    assert set(releases) <= {"stacks/nemo/releases/25.02/gemm_share"}


def test_nothing_is_fitted_in_software_of_the_user(tmp_path: Path, monkeypatch):
    shipped = Path(catalog.__file__).parents[1] / "data" / "stacks" / "nemo.yaml"
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "mine.yaml").write_text(shipped.read_text("utf-8").replace("aliases: [", "aliases: [x-"))
    monkeypatch.setenv(catalog.USER_CATALOG, str(tmp_path))
    mine = setting_of("llama3.1-8b", "h100:8", WORK.model_copy(update={"stack": "mine"}))
    fitted = [one for one in assumptions(mine, LAYOUT) if one.kind == "fitted"]
    assert fitted
    assert all(one.figures[0].startswith("kernels/") for one in fitted)
