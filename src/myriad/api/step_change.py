"""A training step where the network gives each kind of traffic less than the estimate took for granted."""

from __future__ import annotations

from collections.abc import Mapping

from myriad.api.training import scaled
from myriad.estimate.setting import Setting
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import Layout

_INSIDE = ("cp", "ep")
"""Kinds inside a micro-batch: what they lose, the bubble loses too."""


def changed_parts_s(setting: Setting, layout: Layout, slowdown: Mapping[str, float]) -> dict[str, float]:
    """Parts of the step time where the collectives of each kind take so many times as long in the network, in seconds.

    By the estimate's own formulas: for each kind the scale-out links are slowed down by that ratio, and the exposed
    time of that kind is taken from there, so that what the scale-up links bound, or compute hides, stays so. Of kinds
    inside a micro-batch the bubble grows too. Other parts stay.
    """
    whole = estimate_layout(setting, layout).time_parts_s
    parts = dict(whole)
    for kind, ratio in slowdown.items():
        slowed = estimate_layout(scaled(setting, "scale_out", 1.0 / ratio), layout).time_parts_s
        moved = (f"{kind}_comm", "bubble") if kind in _INSIDE else (f"{kind}_comm",)
        for part in moved:
            parts[part] += slowed[part] - whole[part]
    return parts
