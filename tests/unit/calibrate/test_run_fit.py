"""Runs of machines that are known to be slower than their plans: what slows them is found again, and nothing else."""

from __future__ import annotations

import math

import pytest

from myriad import catalog
from myriad.api.training import setting_of
from myriad.calibrate.run_fit import Knob, Machine, Measured, Told, fit_run, knobs_of, updated_rate
from myriad.spec.calibration import Stack
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout


@pytest.fixture(scope="module")
def machine() -> Machine:
    work = TrainingWork(seq_len=8192, global_batch=512, precision="bf16", stack="fsdp")
    kernels, calibrated = catalog.kernels("h100-sxm")
    stack = catalog.entry("stacks", "fsdp").spec
    assert isinstance(stack, Stack)
    setting = setting_of("llama3-8b", "dgx-h100:64", work)
    return Machine(setting, Layout(dp=64, zero=3), kernels, stack, calibrated).at({})


def slowed(machine: Machine, **factors: float) -> tuple[Measured, Measured]:
    """Step and computing time as they would be measured where knobs have these factors."""
    knobs: dict[str, Knob] = {one.name: one for one in knobs_of(machine)}
    step_s, computing_s, _ = machine.at({knobs[name]: factor for name, factor in factors.items()}).times()
    return Measured(step_s, 0.01), Measured(computing_s, 0.02)


def by_name(told: tuple[Told, ...]) -> dict[str, Told]:
    return {one.knob.name: one for one in told}


def test_a_slower_chip_and_a_slower_network_are_told_apart(machine: Machine) -> None:
    step, computing = slowed(machine, compute=0.8, dp=1.5)
    told = by_name(fit_run(machine, step, computing))
    assert set(told) == {"compute", "dp"}
    for name, true in (("compute", 0.8), ("dp", 1.5)):
        assert abs(math.log(told[name].factor / true)) < 2.0 * told[name].uncertainty
    assert told["compute"].factor == pytest.approx(0.8, rel=0.02)
    after = machine.at({one.knob: one.factor for one in told.values()}).times()
    assert after[0] == pytest.approx(step.seconds, rel=0.01)
    assert after[1] == pytest.approx(computing.seconds, rel=0.01)


def test_the_step_alone_goes_to_what_explains_most_of_it(machine: Machine) -> None:
    step, _ = slowed(machine, compute=0.8)
    told = by_name(fit_run(machine, step, None))
    assert set(told) == {"compute"}
    assert told["compute"].factor == pytest.approx(0.8, rel=0.02)
    assert told["compute"].uncertainty < 0.05


def test_a_step_far_below_the_plan_is_explained_as_far_as_a_peak_allows(machine: Machine) -> None:
    planned_s = machine.times()[0]
    after_s = []
    for share in (0.75, 0.5):
        told = by_name(fit_run(machine, Measured(share * planned_s, 0.01), None))
        assert "compute" in told
        after_s.append(machine.at({one.knob: one.factor for one in told.values()}).times()[0])
    assert after_s[0] == pytest.approx(0.75 * planned_s, rel=0.06)
    assert after_s[1] < after_s[0]


def test_a_run_as_planned_changes_nothing(machine: Machine) -> None:
    for one in fit_run(machine, *slowed(machine)):
        assert one.factor == pytest.approx(1.0, abs=1e-3)


def test_few_interruptions_move_a_rate_little_and_many_all_the_way() -> None:
    assert updated_rate(0.1, 2.0, 0) == pytest.approx(0.952, abs=1e-3)
    assert updated_rate(100.0, 2.0, 200) == pytest.approx(1.98, abs=0.01)
