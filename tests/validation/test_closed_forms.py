"""Simulated campaigns against exact formulas: a small, seeded share of benchmarks/closed_forms.py."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from benchmark_modules import benchmark

CASES = 4


@pytest.fixture(scope="module")
def studies() -> ModuleType:
    return benchmark("closed_forms")


@pytest.mark.parametrize("name", ["wall time", "other interval", "k of n", "renewals", "alternating"])
def test_the_interval_of_a_simulation_holds_the_exact_value(studies, name):
    # The first cases of the benchmark's own table.
    cases = studies.compared(name, studies.STUDIES[name], CASES, seed=0)
    assert sum(case.holds for case in cases) >= CASES - 1
    assert abs(np.mean([case.miss for case in cases])) < 0.9


def test_dalys_formula_by_hand(studies):
    # One segment, a restart that takes no time: M (e^(t / M) - 1).
    assert studies.daly_wall_s(1, 10.0, 5.0, 0.0, 10.0) == pytest.approx(10.0 * (np.e - 1.0))


def test_the_chain_of_one_node_is_known_in_closed_form(studies):
    fails, repairs, time_s = 0.2, 0.7, 9.0
    both = fails + repairs
    exact = repairs / both + fails / both**2 / time_s * -np.expm1(-both * time_s)
    assert studies.mean_availability(1, 1, fails, repairs, None, time_s) == pytest.approx(exact, rel=1e-9)


def test_the_chain_of_independent_nodes_tends_to_the_binomial(studies):
    share = 0.7 / 0.9
    exact = share**3 + 3.0 * share**2 * (1.0 - share)
    assert studies.mean_availability(3, 2, 0.2, 0.7, None, 1e7) == pytest.approx(exact, rel=1e-6)


def test_exponential_renewals_are_time_over_mean(studies):
    assert studies.expected_renewals(5.0, 1.0, 20.0) == pytest.approx(4.0, rel=1e-3)
