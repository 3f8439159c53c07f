"""Student's law against SciPy."""

from __future__ import annotations

import pytest

from myriad.estimate.confidence import student_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 30, 99, 199, 200, 201, 999, 10**6])
def test_student_quantiles_are_scipys(freedom: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    for probability in (0.6, 0.9, 0.975, 0.995):
        assert student_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-6)
