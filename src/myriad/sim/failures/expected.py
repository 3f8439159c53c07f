"""How many incidents to expect: the closed form of what is drawn."""

from __future__ import annotations

import numpy as np

from myriad.estimate.failure_rates import expected_events
from myriad.sim.failures.incidents import Breakable, FloatArray
from myriad.sim.failures.units import groups_of


def expected_incidents(breakable: Breakable, start_s: float, end_s: float) -> FloatArray:
    """Events between two times by cause, in expectation.

    Exact where no repair renews an ageing unit, but for bursts that reach over the end; see `expected_events`. Lemons
    change none of it: the rate is the mean over them and all others.
    """
    usual = np.ones(breakable.num_nodes)
    by_cause = []
    for _, cause in breakable.causes:
        groups = groups_of(breakable, cause, usual)
        each = expected_events(
            cause.rate.per_1000_unit_days,
            groups.units,
            start_s,
            end_s,
            shape=cause.shape,
            joined_s=groups.joined_s,
            age_s=groups.age_s,
        )
        by_cause.append(float(each.sum()))
    return np.array(by_cause)
