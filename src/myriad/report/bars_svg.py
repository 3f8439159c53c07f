"""Rows of bars as SVG: where time goes, what interrupts, what would help, each with the interval of its mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from myriad.report.plot import FONT_PX, NARROW_PX, Scale, box, fitted, label, picture, rule, text_px, tick_text, twice

HALF_PX: Final = 560.0
"""Width of a picture beside another one."""
_BAR, _ROW, _FOOT = 14.0, 26.0, 22.0
_STACKED = 40.0
"""Height of a row whose text stands above its bar."""
_GAP = 10.0


@dataclass(frozen=True)
class Bar:
    """A bar from `begin` to `end`, with the interval of where it ends."""

    name: str
    said: str
    """Its value in words."""
    begin: float
    end: float
    colour: str
    low: float
    high: float
    title: str = ""
    """What it says when pointed at."""


@dataclass(frozen=True)
class Bars:
    """A picture of bars on one axis."""

    rows: Sequence[Bar]
    title: str
    low: float
    high: float
    percent: bool = False
    """Whether ticks are shares."""
    broken: bool = False
    """Whether the axis starts above zero, so that bars from its start stand for more than they show."""
    stacked: bool = False
    """Whether text stands above bars on wide screens too."""


def bars_svg(bars: Bars, place: str) -> Markup:
    """The picture in both widths."""
    return twice(lambda wide, kind, where: _drawn(bars, wide, kind, where), place, HALF_PX)


def axis_of(ends: Sequence[float]) -> tuple[float, float]:
    """Both ends of an axis that holds zero and all values, with a little room."""
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = 0.04 * (high - low or 1.0)
    return low - (room if low < 0.0 else 0.0), high + room


def _drawn(bars: Bars, wide: float, kind: str, place: str) -> str:
    stacked = bars.stacked or wide <= NARROW_PX
    most_name = max(text_px(row.name) for row in bars.rows)
    most_said = max(text_px(row.said) for row in bars.rows)
    left = 4.0 if stacked else min(most_name, 0.4 * wide) + _GAP
    right = 10.0 if stacked else most_said + _GAP
    across = Scale(bars.low, bars.high, left, wide - right)
    row_px = _STACKED if stacked else _ROW
    high = row_px * len(bars.rows) + _FOOT
    parts = _axis(bars, across, high - _FOOT)
    for index, row in enumerate(bars.rows):
        top = index * row_px + (row_px - _BAR - 4.0 if stacked else (row_px - _BAR) / 2)
        parts += [_bar(row, across, top), *_interval(row, across, top)]
        if bars.broken and row.begin == bars.low:
            x = across.start + 14.0
            parts.append(f'<path class="break" d="M{x:.1f} {top - 2:.1f}l5 6l-5 6l5 6"/>')
        text_y = index * row_px + FONT_PX + 3.0 if stacked else top + 11.5
        room = wide - most_said - _GAP if stacked else left - _GAP
        parts.append(label(0.0 if stacked else left - _GAP, text_y, fitted(row.name, room), *_side(stacked)))
        parts.append(label(wide, text_y, row.said, "end", "value"))
    described = "; ".join(f"{row.name}: {row.said}" for row in bars.rows)
    return picture(parts, wide, high, kind, bars.title, described, place)


def _side(stacked: bool) -> tuple[str, str]:
    return ("start" if stacked else "end", "")


def _axis(bars: Bars, across: Scale, bottom: float) -> list[str]:
    ticks = across.ticks(70.0)
    parts = []
    for tick in ticks:
        x = across.at(tick)
        shown = [100.0 * one for one in ticks] if bars.percent else ticks
        text = tick_text(100.0 * tick, shown) + " %" if bars.percent else tick_text(tick, shown)
        parts.append(rule(x, 0.0, x, bottom, "zero" if tick == 0.0 else "grid"))
        half = text_px(text) / 2
        at = min(max(x, half), max(across.end + 10.0 - half, half))
        parts.append(label(at, bottom + 15.0, text, "middle", "soft"))
    return parts


def _bar(row: Bar, across: Scale, top: float) -> str:
    start, end = sorted((across.at(row.begin), across.at(row.end)))
    return box(start, top, max(end - start, 0.8), _BAR, "bar", row.title or f"{row.name}: {row.said}", row.colour)


def _interval(row: Bar, across: Scale, top: float) -> list[str]:
    """A line from end to end of the interval; none where it is too short to see."""
    low, high = across.at(row.low), across.at(row.high)
    if high - low < 1.5:
        return []
    y = top + _BAR / 2
    ends = [rule(x, y - 3.0, x, y + 3.0, "whisker") for x in (low, high)]
    return [rule(low, y, high, y, "whisker"), *ends]
