"""Max-min fair rates by linear programs alone, to judge those that are worked out by filling."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from myriad.sim.network.paths import Paths


def max_min_by_programs(usage: np.ndarray, capacity: np.ndarray, flow: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(F,) rates that are max-min fair when flows may split over their ways as they like.

    `usage` (ways, resources) says what a way takes of each resource per unit of rate, `flow` (ways,) whose it is. The
    least rate is raised as far as it goes; flows whose bound has a price then (a dual above 0) cannot do better
    and are held there; and so on for the rest.
    """
    num_flows, ways = len(members), len(flow)
    scale = capacity.max()
    of = np.zeros((num_flows, ways))
    of[flow, np.arange(ways)] = 1.0
    held = np.full(num_flows, np.nan)
    links = np.hstack([(usage * members[flow, None]).T, np.zeros((len(capacity), 1))])
    while np.isnan(held).any():
        rising = np.isnan(held)
        program = linprog(
            np.concatenate([np.zeros(ways), [-1.0]]),
            A_ub=np.vstack([links, np.hstack([-of[rising], np.ones((rising.sum(), 1))])]),
            b_ub=np.concatenate([capacity / scale, np.zeros(rising.sum())]),
            A_eq=np.hstack([of[~rising], np.zeros(((~rising).sum(), 1))]) if (~rising).any() else None,
            b_eq=held[~rising] if (~rising).any() else None,
            method="highs",
        )
        assert program.status == 0, program.message
        price = -program.ineqlin.marginals[len(capacity) :]
        held[np.flatnonzero(rising)[price > 1e-7]] = program.x[-1] * (1 - 1e-12)
    return held * scale


def usage_of(paths: Paths) -> np.ndarray:
    """(rows, resources) of paths that are laid already."""
    usage = np.zeros((len(paths.bytes_), len(paths.codes)))
    weight = np.ones(len(paths.resource)) if paths.weight is None else paths.weight
    np.add.at(usage, (np.repeat(np.arange(len(usage)), np.diff(paths.indptr)), paths.resource), weight)
    return usage
