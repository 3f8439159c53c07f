"""Bands around estimates from the errors of runs that were left out of the fit, and whether they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.estimate.uncertainty import half_width
from myriad.spec.fitted import Bands
from myriad.spec.model import Family
from myriad.spec.result import BandBasis

Array = npt.NDArray[np.float64]

SHARE = 0.8

#: What was left out -> what an estimate of such a run would have known.
BASIS: Mapping[str, BandBasis] = {
    "lineage": "known",
    "stack": "unknown stack",
    "accelerator": "unknown accelerator",
}


@dataclass(frozen=True)
class HeldOut:
    """Absolute errors in ln step time of all runs (R,) by what was left out, and each run's groups."""

    families: tuple[Family, ...]
    groups: Mapping[str, Sequence[str]]
    """What was left out -> each run's group."""
    errors: Mapping[str, Array]


def bands(held: HeldOut, use: Mapping[str, npt.NDArray[np.bool_]] | None = None) -> Bands:
    """The narrowest bands that hold `SHARE` of the runs; `use` picks runs by what was left out.

    Runs of one group are alike, so that a group counts as the square root of its runs, between a single voice
    and one for each.
    """
    every = np.ones(len(held.families), bool)
    chosen = use or dict.fromkeys(BASIS, every)
    families = np.array(held.families)
    lineage = held.errors["lineage"]
    widths: dict[Family, float] = {}
    for family in ("dense", "moe", "hybrid"):
        own = (families == family) & chosen["lineage"]
        widths[family] = _holding(lineage, held.groups["lineage"], own if own.any() else chosen["lineage"])
    base = np.array([widths[family] for family in held.families])
    stack, accelerator = (
        max(0.0, _holding(held.errors[kind] ** 2 - base**2, held.groups[kind], chosen[kind])) ** 0.5
        for kind in ("stack", "accelerator")
    )
    return Bands(share=SHARE, families=widths, unknown_stack=stack, unknown_accelerator=accelerator)


def _holding(values: Array, groups: Sequence[str], chosen: npt.NDArray[np.bool_]) -> float:
    """The value that `SHARE` of the chosen runs, weighted as said above, do not exceed."""
    _, group, sizes = np.unique(np.array(groups)[chosen], return_inverse=True, return_counts=True)
    order = np.argsort(values[chosen])
    weights = np.cumsum((1.0 / np.sqrt(sizes))[group][order])
    return float(values[chosen][order][np.searchsorted(weights, SHARE * weights[-1])])


def coverage(held: HeldOut) -> dict[str, float]:
    """What was left out -> share of runs inside their band, where the bands come from all groups but their own."""
    found = {}
    for kind, basis in BASIS.items():
        groups, inside = np.array(held.groups[kind]), np.zeros(len(held.families), bool)
        for group in np.unique(groups):
            own = groups == group
            others = bands(held, {k: ~own if k == kind else np.ones(len(own), bool) for k in BASIS})
            for row in np.flatnonzero(own):
                inside[row] = held.errors[kind][row] <= half_width(others, held.families[row], basis)
        found[kind] = float(inside.mean())
    return found
