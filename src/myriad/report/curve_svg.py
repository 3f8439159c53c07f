"""A share over a quantity of many sizes as SVG: a line on a logarithmic axis, with points of note."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from myriad.report.bars_svg import HALF_PX
from myriad.report.plot import Scale, beside, label, picture, rule, text_px, twice

_TOP, _BOTTOM, _HIGH = 12.0, 214.0, 256.0
_LEFT: Final = 52.0
_APART: Final = 14.0
"""Least pixels between the names of ticks."""


@dataclass(frozen=True)
class Mark:
    """A point of note."""

    name: str
    at: float
    share: float
    colour: str


@dataclass(frozen=True)
class Curve:
    """A share that falls and rises with a quantity."""

    title: str
    axis: str
    """What lies along it."""
    points: Sequence[tuple[float, float]]
    """Quantity, above 0 and rising, and share."""
    marks: Sequence[Mark]
    ticks: Sequence[float]
    """Quantities that may be named."""
    quantity: Callable[[float], str]
    share: Callable[[float], str]


def curve_svg(curve: Curve, place: str) -> Markup:
    """The picture in both widths."""
    return twice(lambda wide, kind, where: _drawn(curve, wide, kind, where), place, HALF_PX)


def _drawn(curve: Curve, wide: float, kind: str, place: str) -> str:
    first, last = (math.log(curve.points[end][0]) for end in (0, -1))
    across = Scale(first, max(last, first + 1e-9), _LEFT, wide - 12.0)
    shares = [share for _, share in curve.points] + [mark.share for mark in curve.marks]
    low, high = min(shares), max(shares)
    room = max(0.08 * (high - low), 0.005)
    upwards = Scale(max(0.0, low - room), min(1.0, high + room), _BOTTOM, _TOP)
    parts = []
    for share in upwards.ticks(34.0):
        y = upwards.at(share)
        parts += [rule(_LEFT, y, across.end, y, "grid"), label(_LEFT - 6.0, y + 4.0, curve.share(share), "end", "soft")]
    parts += _ticks(curve, across, wide)
    drawn = "L".join(f"{across.at(math.log(at)):.1f} {upwards.at(share):.1f}" for at, share in curve.points)
    parts.append(f'<path class="curve" d="M{drawn}"/>')
    parts += [
        f'<circle cx="{across.at(math.log(mark.at)):.1f}" cy="{upwards.at(mark.share):.1f}" r="4.5" '
        f'fill="{mark.colour}"/>'
        for mark in curve.marks
        if first - 1e-9 <= math.log(mark.at) <= last + 1e-9
    ]
    parts.append(beside((_LEFT + across.end) / 2, _BOTTOM + 37.0, curve.axis, wide, "soft"))
    told = "; ".join(f"{mark.name} {curve.quantity(mark.at)}: {curve.share(mark.share)}" for mark in curve.marks)
    return picture(parts, wide, _HIGH, kind, curve.title, told or curve.axis, place)


def _ticks(curve: Curve, across: Scale, wide: float) -> list[str]:
    """Names of ticks from left to right, as many as there is room for."""
    parts, taken = [], 0.0
    for tick in curve.ticks:
        if not across.low - 1e-9 <= math.log(tick) <= across.high + 1e-9:
            continue
        x, text = across.at(math.log(tick)), curve.quantity(tick)
        half = text_px(text) / 2
        if x - half < taken or x + half > wide:
            continue
        parts += [rule(x, _BOTTOM, x, _BOTTOM + 4.0, "zero"), label(x, _BOTTOM + 18.0, text, "middle", "soft")]
        taken = x + half + _APART
    return parts
