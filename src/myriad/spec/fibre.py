"""Long fibres: what a kilometre costs in time and in light. The one place that knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

FibreKind = Literal["single-mode", "hollow-core"]


@dataclass(frozen=True)
class Fibre:
    """One kind of fibre."""

    seconds_per_metre: float
    decibels_per_metre: float
    """At 1550 nm."""


FIBRES: Final[dict[FibreKind, Fibre]] = {
    # Group index 1.468 and at most 0.2 dB/km (ITU-T G.652.D and data sheets; the lowest-loss silica has 0.16).
    "single-mode": Fibre(1.468 / 299_792_458, 0.2e-3),
    # Light travels in air: 3.3 to 3.5 us per km are published for deployed links; the middle is taken, about 30 % less
    # than in glass. 0.091 dB/km: Petrovich et al., "Broadband optical fibre with an attenuation lower than 0.1 decibel
    # per kilometre", Nature Photonics 2025; its deployed cables may have more.
    "hollow-core": Fibre(3.4e-9, 0.091e-3),
}
