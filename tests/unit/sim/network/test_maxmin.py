"""Fair rates in cases that can be done by hand."""

from __future__ import annotations

import numpy as np

from myriad.sim.network.maxmin import Incidence, max_min_rates, set_rates, set_rates_plain


def test_a_chain_of_links():
    # Three links of 1, 2, 4: a flow over all, and one more on each.
    rates = max_min_rates([0, 3, 4, 5, 6], [0, 1, 2, 0, 1, 2], [1.0, 2.0, 4.0], [1, 1, 1, 1])
    np.testing.assert_allclose(rates, [0.5, 0.5, 1.5, 3.5])


def test_members_weights_and_rows_without_resources():
    rates = max_min_rates([0, 1, 2, 2, 3], [0, 0, 1], [12.0, 0.0], [3, 1, 1, 1], [1.0, 0.5, 1.0])
    np.testing.assert_allclose(rates, [12 / 3.5, 12 / 3.5, np.inf, 0.0])
    assert max_min_rates([0, 1], [0], [1.0], [0]).tolist() == [0.0]


def test_only_rows_that_are_asked_for_change():
    shares = Incidence(np.array([0, 1, 2, 3]), np.array([0, 0, 0], np.int32), np.array([12.0]))
    for setter in (set_rates, set_rates_plain):
        rates = np.array([2.0, 0.0, 0.0])
        setter(shares, np.ones(3), np.array([False, True, True]), rates)
        np.testing.assert_allclose(rates, [2.0, 5.0, 5.0])
