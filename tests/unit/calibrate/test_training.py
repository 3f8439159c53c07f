"""The fit: known factors come back, priors hold what runs do not tell, odd runs do not bend the rest."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.calibrate.job import measured_runs
from myriad.calibrate.parameters import parameters
from myriad.calibrate.training import Linear, linearise, ln_step, measured, solve, touches, with_values
from myriad.spec.fitted import Factor
from myriad.validate.layouts import run_of
from myriad.validate.rows import shipped_rows

RNG = np.random.default_rng(1)
SLOPES = RNG.normal(size=(200, 3))
TRUE = np.array([0.2, -0.1, 0.3])
LOOSE = np.full(3, 10.0)


def linear(slopes=SLOPES) -> Linear:
    return Linear(np.zeros(slopes.shape[1]), np.zeros(len(slopes)), slopes)


def row(name: str):
    return next(row for row in shipped_rows() if row.id == name)


def own(name: str, figure: str) -> Factor:
    return Factor(figures=(figure,), meaning=name, factor=1.0, spread=0.2, uncertainty=0.2, rows=0)


def test_known_factors_come_back():
    found, deviations = solve(linear(), SLOPES @ TRUE, LOOSE, np.ones(200))
    assert found == pytest.approx(TRUE, abs=1e-6)
    assert (deviations < 0.02).all()


def test_a_few_odd_runs_do_not_bend_the_rest():
    steps = SLOPES @ TRUE
    steps[:10] += 3.0
    found, _ = solve(linear(), steps, LOOSE, np.ones(200))
    assert found == pytest.approx(TRUE, abs=0.03)


def test_what_runs_do_not_tell_stays_as_assumed():
    blind = SLOPES.copy()
    blind[:, 2] = 0.0
    found, deviations = solve(linear(blind), SLOPES[:, :2] @ TRUE[:2], np.array([10.0, 10.0, 0.3]), np.ones(200))
    assert found[2] == 0.0
    assert deviations[2] == pytest.approx(0.3)


def test_runs_of_weight_zero_do_not_count():
    steps = SLOPES @ TRUE
    steps[100:] = SLOPES[100:] @ -TRUE
    weights = np.concatenate([np.ones(100), np.zeros(100)])
    assert solve(linear(), steps, LOOSE, weights)[0] == pytest.approx(TRUE, abs=1e-6)


def test_a_factor_touches_the_runs_of_its_software_chip_precision_and_release():
    old, new = (measured(run, run.layouts[0]) for run in (run_of(row("mb-277"), {}), run_of(row("mb-039"), {})))
    assert old.run.work.stack == "megatron-bridge@25.09"
    for figure, touched in (
        ("stacks/*/stream_passes", (True, True)),
        ("stacks/nemo/stream_passes", (False, False)),
        ("stacks/megatron-bridge/releases/25.09/gemm_share", (True, False)),
        ("kernels/h100/training_share/fp8", (True, True)),
        ("kernels/h100/training_share/bf16", (False, False)),
        ("kernels/gb200/attention_training_share", (False, False)),
    ):
        assert tuple(touches(own("any", figure), one) for one in (old, new)) == touched, figure


def test_slopes_are_those_of_the_estimate():
    (one,) = measured_runs([row("ie-001")])
    factors = (own("products", "stacks/internevo/gemm_share"), own("elsewhere", "stacks/nemo/gemm_share"))
    found = linearise([one], factors, np.zeros(2))
    assert found.slopes[0, 1] == 0.0
    assert -1.0 < found.slopes[0, 0] < -0.5  # most of this step is matrix products
    faster = with_values(factors, np.array([0.05, 0.0]))
    assert ln_step(one, faster[:1]) == pytest.approx(found.ln_steps_at(np.array([0.05, 0.0]))[0], abs=1e-3)


def test_parameters_are_few_and_belong_to_no_model_or_run():
    every = parameters()
    rows = [row for row in shipped_rows() if row.quality == "primary"]
    assert len(every) < len(rows) / 8
    assert len({p.figures for p in every}) == len(every)
    figures = [figure for p in every for figure in p.figures]
    assert all(figure.startswith(("stacks/", "kernels/")) for figure in figures)
