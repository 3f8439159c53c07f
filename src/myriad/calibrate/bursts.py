"""Events that come together: the same cause on the same node within far less time than chance would bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.estimate.poisson import at_least
from myriad.units import DAY_S

FloatArray = npt.NDArray[np.float64]

CHANCE_PAIRS: Final = 0.2
"""Pairs of independent events that are let into the window of bursts, in expectation over the whole log."""
LONGEST_S: Final = DAY_S
"""Events that lie further apart do not come together."""
SIGNIFICANCE: Final = 0.01


@dataclass(frozen=True)
class Bursts:
    """How the events of one cause hang together."""

    first: npt.NDArray[np.bool_]
    """By event: whether it is the first of its burst; all where events come alone."""
    size: float
    """Mean number of events of a burst."""
    gap_s: float
    """Mean time between two of a burst."""


def bursts_of(time_s: FloatArray, node: npt.NDArray[np.int64], out_s: FloatArray, window_s: float) -> Bursts:
    """The bursts of one cause; events without a node (-1) come alone, and none follows one that took its node out.

    Two events on a node are of one burst where gaps so short are expected `CHANCE_PAIRS` times in the whole log if each
    node had its events at any time: gap * sum of n (n - 1) / window. There are bursts where that many such pairs are
    improbable by `SIGNIFICANCE`. A node that merely fails often has no bursts.
    """
    alone = Bursts(np.ones(len(time_s), dtype=bool), 1.0, 0.0)
    known = np.flatnonzero(node >= 0)
    if len(known) < 2:
        return alone
    each = np.bincount(node[known]).astype(float)
    longest_s = min(CHANCE_PAIRS * window_s / max(float(each @ (each - 1.0)), 1.0), LONGEST_S)
    order = known[np.lexsort((time_s[known], node[known]))]
    gap = np.diff(time_s[order])
    together = (np.diff(node[order]) == 0) & (gap <= longest_s) & ~(out_s[order[:-1]] > 0.0)
    if at_least(int(together.sum()), CHANCE_PAIRS) > SIGNIFICANCE:
        return alone
    first = np.ones(len(time_s), dtype=bool)
    first[order[1:][together]] = False
    return Bursts(first, len(time_s) / int(first.sum()), float(gap[together].mean()))
