"""Jobs of one accelerator against queueing formulas: a small, seeded share of benchmarks/closed_forms.py."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest

from benchmark_modules import benchmark
from myriad.estimate.confidence import two_sided

CASES = 4


@pytest.fixture(scope="module")
def forms() -> ModuleType:
    module = benchmark("queue_forms")
    module.RUNS = 6  # type: ignore[attr-defined]
    return module


def test_erlang_c_by_hand(forms: ModuleType) -> None:
    assert forms.erlang_c(1, 0.6) == pytest.approx(0.6)
    # Two servers: 2 rho^2 / (1 + rho).
    assert forms.erlang_c(2, 1.0) == pytest.approx(1.0 / 3.0)


@pytest.mark.parametrize(
    "name", ["M/M/c wait", "M/M/c waiting", "M/M/c use", "M/G/1 wait", "M/M/1 priority", "M/M/1 preemption"]
)
def test_the_interval_of_simulated_queues_holds_the_formula(forms: ModuleType, name: str) -> None:
    misses = []
    for one in np.random.SeedSequence(7).spawn(CASES):
        parameters, runs = one.spawn(2)
        exact, values = forms.QUEUES[name](np.random.default_rng(parameters), runs)
        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        misses.append((float(np.mean(values)) - exact) / (two_sided(len(values) - 1) * error))
    # Two or more misses of four have a probability of 1.4 % with true 95 % intervals; the seed is fixed.
    assert sum(abs(miss) <= 1.0 for miss in misses) >= CASES - 1
    assert abs(np.mean(misses)) < 0.8
