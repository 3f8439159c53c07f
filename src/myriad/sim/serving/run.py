"""Fleet, tables and requests in; the state after the last request out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError
from myriad.sim.compiled import kept
from myriad.sim.serving import state as at
from myriad.sim.serving.arrivals import Arrivals
from myriad.sim.serving.events import loop_of
from myriad.sim.serving.setup import initial_state
from myriad.spec.fleet import Fleet
from myriad.spec.iteration import IterationTable

_run_events = kept(loop_of)

SLICE = 200_000
"""Events between two looks at the progress."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Run(NamedTuple):
    """What a simulation leaves behind: both arrays, one row per request of each, and when replicas came and went."""

    ints: Ints
    floats: Floats
    requests: Ints
    times_s: Floats
    changed_s: Floats
    changed_pool: Ints
    changed_by: Ints

    def unit_rows(self, pool: int) -> tuple[Ints, Floats]:
        """The rows of a pool's replicas."""
        row = self.ints[at.FIRST_POOL] + pool * at.POOL_WIDTH
        first, end = self.ints[row + at.POOL_FIRST_UNIT], self.ints[row + at.POOL_UNITS_END]
        shape = (-1, at.UNIT_WIDTH)
        return self.ints[first:end].reshape(shape), self.floats[first:end].reshape(shape)


def run_fleet(
    fleet: Fleet,
    tables: tuple[IterationTable, ...],
    arrivals: Arrivals,
    seed: int = 0,
    stepping: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """The state after the last request. `stepping` takes every iteration by itself, to check that runs of them agree.

    Raises SpecError if a pool has no table, there is no request, or hashed blocks do not fit the paged cache.
    """
    if len(tables) != len(fleet.pools):
        raise SpecError(f"found {len(tables)} iteration tables for {len(fleet.pools)} pools of replicas")
    if not len(arrivals):
        raise SpecError("found no request to simulate")
    state = initial_state(fleet, tables, arrivals, seed, stepping)
    changes: list[tuple[float, int, int]] = []
    done = False
    while not done:
        done = _run_events(state.ints, state.floats, SLICE)
        changed = int(state.ints[at.CHANGED])
        for place in range(changed, changed + 2 * int(state.ints[at.CHANGES]), 2):
            changes.append((float(state.floats[place]), int(state.ints[place]), int(state.ints[place + 1])))
        state.ints[at.CHANGES] = 0
        if progress is not None:
            progress(int(state.ints[at.FINISHED]), len(arrivals))
    ints, floats = np.asarray(state.ints, dtype=np.int64), np.asarray(state.floats, dtype=np.float64)
    first, end = ints[at.FIRST_REQUEST], ints[at.REQUESTS_END]
    pool = (np.array([change[1] for change in changes], dtype=np.int64) - ints[at.FIRST_POOL]) // at.POOL_WIDTH
    return Run(
        ints=ints, floats=floats, requests=ints[first:end].reshape(-1, at.REQUEST_WIDTH),
        times_s=floats[first:end].reshape(-1, at.REQUEST_WIDTH),
        changed_s=np.array([change[0] for change in changes]), changed_pool=pool,
        changed_by=np.array([change[2] for change in changes], dtype=np.int64),
    )  # fmt: skip
