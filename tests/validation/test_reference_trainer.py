"""Step times of the reference trainer on measured hardware: kept ones against the estimate; nothing is timed here."""

import statistics

import pytest

from benchmark_modules import benchmark

reference = benchmark("reference_steps")

MOST_ERROR = {"xeon-amx": 0.15, "xeon-cascade-lake": 0.16}
"""Mean over the cases. The second was measured in one round, on operands that stayed in caches: see docs/measure.md."""


@pytest.mark.parametrize("node", reference.NODES)
def test_cases_are_of_many_kinds_and_all_are_estimated(node):
    cases = reference.cases()
    assert len(cases) >= 16
    assert {case.layout.world_size for case in cases} == {1, 2, 4}
    for case in cases:
        assert case.predicted(node).step_s > 0


@pytest.mark.parametrize("node", reference.NODES)
def test_kept_times_are_predicted(node):
    kept = reference.kept(node)
    errors = [
        abs(case.predicted(node).step_s / kept[case.name].median_s - 1.0)
        for case in reference.cases()
        if case.name in kept
    ]
    assert len(errors) >= 10
    assert statistics.mean(errors) <= MOST_ERROR[node]
