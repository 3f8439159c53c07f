"""How far a measured step may lie from an estimated one."""

from __future__ import annotations

import math

from myriad.spec.fitted import Bands
from myriad.spec.model import Family
from myriad.spec.result import Band, BandBasis


def half_width(bands: Bands, family: Family, basis: BandBasis) -> float:
    """Half-width of the band in ln of the step time.

    The widths for what the estimate does not know add up in squares, as independent errors do.
    """
    squares = bands.families[family] ** 2
    if basis in ("unknown stack", "unknown both"):
        squares += bands.unknown_stack**2
    if basis in ("unknown accelerator", "unknown both"):
        squares += bands.unknown_accelerator**2
    return math.sqrt(squares)


def band(step_s: float, bands: Bands, family: Family, basis: BandBasis) -> Band:
    """The step times in seconds between which so much of what is measured lies."""
    wide = math.exp(half_width(bands, family, basis))
    return Band(share=bands.share, low_step_s=step_s / wide, high_step_s=step_s * wide, basis=basis)
