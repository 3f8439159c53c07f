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
    """The narrowest bands that hold `SHARE` of the runs; `use` picks runs by what was left out."""
    chosen = use or {kind: np.ones(len(held.families), bool) for kind in BASIS}
    families = np.array(held.families)
    every = held.errors["lineage"]
    widths: dict[Family, float] = {}
    for family in ("dense", "moe", "hybrid"):
        own = every[(families == family) & chosen["lineage"]]
        widths[family] = float(np.quantile(own if len(own) else every[chosen["lineage"]], SHARE))
    base = np.array([widths[family] for family in held.families])
    more = {
        kind: max(0.0, float(np.quantile((held.errors[kind] ** 2 - base**2)[chosen[kind]], SHARE))) ** 0.5
        for kind in ("stack", "accelerator")
    }
    return Bands(share=SHARE, families=widths, unknown_stack=more["stack"], unknown_accelerator=more["accelerator"])


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
