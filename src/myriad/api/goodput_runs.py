"""A question about goodput, simulated: the same case, with the chance that the closed form averages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from myriad.api.campaign_runs import runs_of
from myriad.api.goodput_case import Case
from myriad.engine import Local
from myriad.errors import SpecError
from myriad.sim.campaign import CATEGORIES
from myriad.sim.campaign.chunks import Question
from myriad.sim.campaign.statistics import spread_of
from myriad.spec.goodput import SimulatedGoodput
from myriad.units import DAY_S

INTERRUPTIONS: Final = 50.0
"""Of each run at least."""
REPAIRS: Final = 15.0
"""And so many repairs one after the other where spares are counted, so that their number settles."""
MOST_INTERRUPTIONS: Final = 500.0
"""But no more than these, whatever else is asked for: runs take their time by the interruption."""
SHORTEST_S: Final = DAY_S
LONGEST_S: Final = 365 * DAY_S


def simulated(
    case: Case,
    mtti_s: float,
    runs: int,
    seed: int,
    horizon_s: float | None,
    counted: bool,
    progress: Callable[[int, int], None],
) -> SimulatedGoodput:
    """What many simulated runs of a case keep of their time, up to a horizon. Raises SpecError for a single run.

    `counted` says whether somebody counted the spares, so that some runs may wait for repairs.
    """
    if runs < 2:
        raise SpecError(f"runs: expected 0 or at least 2, found {runs}")
    start = time.perf_counter()
    horizon_s = min(_horizon_s(case, mtti_s, counted) if horizon_s is None else horizon_s, MOST_INTERRUPTIONS * mtti_s)
    done = 0

    def finished(number: int) -> None:
        nonlocal done
        done += number
        progress(done, runs)

    campaign = case.protected.campaign(math.inf, horizon_s)
    (found,) = runs_of((Question(campaign, case.breakable),), 0, seed, runs, Local(), finished)
    shares = found.ledger_s / found.wall_s[:, None]
    return SimulatedGoodput(
        runs=runs,
        seed=seed,
        horizon_s=horizon_s,
        ettr=spread_of(shares[:, CATEGORIES.index("productive")]),
        parts={name: float(share) for name, share in zip(CATEGORIES, shares.mean(axis=0), strict=True)},
        simulate_s=time.perf_counter() - start,
    )


def _horizon_s(case: Case, mtti_s: float, counted: bool) -> float:
    longest_repair_s = max((cause.repair_s for cause in case.causes), default=0.0) if counted else 0.0
    return min(max(INTERRUPTIONS * mtti_s, REPAIRS * longest_repair_s, SHORTEST_S), LONGEST_S)
