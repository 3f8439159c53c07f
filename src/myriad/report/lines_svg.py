"""Lines over steps or time as SVG: the course of a figure, beside the band and the value that were promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from myriad.report.life_svg import along, line
from myriad.report.plot import NARROW_PX, Scale, beside, box, label, picture, rule, text_px, tick_text, twice

Array = npt.NDArray[np.float64]

WIDE_PX = 560.0
_TOP, _BOTTOM, _HIGH = 14.0, 200.0, 242.0


@dataclass(frozen=True)
class Line:
    """One line through points from left to right."""

    x: Array
    y: Array
    kind: str = "curve"
    """Class of the style sheet."""


@dataclass(frozen=True)
class Lines:
    """A picture of lines on two axes."""

    title: str
    axis: str
    """What lies along it."""
    lines: Sequence[Line]
    said: Callable[[float, list[float]], str]
    """A tick of the upright axis, and all of them, as text."""
    described: str
    low: float
    high: float
    """Ends of the upright axis; what lies beyond is cut."""
    band: tuple[float, float] | None = None
    promise: float | None = None
    marks: Sequence[float] = ()
    """Where upright marks stand."""
    end: float | None = None
    """Of the axis, where it goes beyond the last point."""


def lines_svg(lines: Lines, place: str, wide_px: float = WIDE_PX) -> Markup:
    """The picture in both widths."""
    return twice(lambda wide, kind, where: _drawn(lines, wide, kind, where), place, wide_px)


def range_of(values: Array, *others: float | None, from_zero: bool = False) -> tuple[float, float]:
    """Both ends of an upright axis that holds the values, but for a few far above, and all others."""
    shown = [one for one in others if one is not None]
    low = min([float(values.min()), *shown])
    high = max([float(np.quantile(values, 0.99)) if len(values) > 20 else float(values.max()), *shown])
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return (0.0 if from_zero else low - room), high + room


def _drawn(lines: Lines, wide: float, kind: str, place: str) -> str:
    upwards = Scale(lines.low, lines.high, _BOTTOM, _TOP)
    ticks = upwards.ticks(36.0)
    names = [lines.said(tick, ticks) for tick in ticks]
    left = min(max(text_px(name) for name in names) + 8.0, 0.3 * wide)
    first = min(float(one.x[0]) for one in lines.lines)
    last = max([float(one.x[-1]) for one in lines.lines] + ([] if lines.end is None else [lines.end]))
    across = Scale(first, last if last > first else first + 1.0, left, wide - 12.0)
    parts = []
    if lines.band is not None:
        low, high = (min(max(end, lines.low), lines.high) for end in lines.band)
        top = upwards.at(high)
        parts.append(box(left, top, across.end - left, upwards.at(low) - top, "band"))
    for tick, name in zip(ticks, names, strict=True):
        y = upwards.at(tick)
        parts += [rule(left, y, across.end, y, "grid"), label(left - 6.0, y + 4.0, name, "end", "soft")]
    for mark in lines.marks:
        x = across.at(mark)
        parts.append(rule(x, _TOP, x, _BOTTOM, "incident"))
    if lines.promise is not None and lines.low <= lines.promise <= lines.high:
        y = upwards.at(lines.promise)
        parts.append(rule(left, y, across.end, y, "promise"))
    for one in lines.lines:
        path = line(along(one.x, across), along(np.clip(one.y, lines.low, lines.high), upwards))
        parts.append(f'<path class="{one.kind}" d="{path}"/>')
    below = across.ticks(70.0 if wide > NARROW_PX else 56.0)
    parts += [beside(across.at(tick), _BOTTOM + 17.0, tick_text(tick, below), wide, "soft") for tick in below]
    parts.append(beside((left + across.end) / 2, _BOTTOM + 36.0, lines.axis, wide, "soft"))
    return picture(parts, wide, _HIGH, kind, lines.title, lines.described, place)
