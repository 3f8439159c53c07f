"""Rows of bars as SVG: where time goes, what interrupts, what would help, each with the interval of its mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from myriad.report.plot import FONT_PX, NARROW_PX, Scale, box, fitted, label, picture, rule, text_px, tick_text, twice

WALL_COLOUR: Final = "#8794a3"
"""Of what is neither kept nor one loss."""
HALF_PX: Final = 560.0
"""Width of a picture beside another one."""
_BAR, _ROW, _FOOT = 14.0, 26.0, 22.0
_STACKED, _LINE = 40.0, 20.0
"""Height of a row whose text stands above its bar, and how much more it needs where the value has its own line."""
_GAP = 10.0
_WORTH_BREAKING = 0.3
"""Share from which on an axis does not start at 0."""


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
    share: Callable[[float], str] | None = None
    """How a tick is written where the axis is one of shares."""
    broken: bool = False
    """Whether the axis starts above zero, so that bars from its start stand for more than they show."""
    stacked: bool = False
    """Whether text stands above bars on wide screens too."""


def bars_svg(bars: Bars, place: str) -> Markup:
    """The picture in both widths."""
    return twice(lambda wide, kind, where: _drawn(bars, wide, kind, where), place, HALF_PX)


@dataclass(frozen=True)
class Step:
    """One share of a whole, and what is said of it."""

    name: str
    said: str
    share: float
    colour: str
    half: float = 0.0
    """Half of the interval of the share."""
    title: str = ""


def waterfall_start(kept: float) -> float:
    """Share at which the axis of a waterfall starts: 0, or in steps of 5 % a little below what is kept."""
    start = math.floor(20.0 * (kept - 0.4 * (1.0 - kept))) / 20.0
    return 0.0 if start < _WORTH_BREAKING else min(start, 0.95)


def waterfall(title: str, whole: Step, losses: Sequence[Step], kept: Step, share: Callable[[float], str]) -> Bars:
    """From the whole, less every loss in turn, to what is kept."""
    start = waterfall_start(kept.share)
    rows = [Bar(whole.name, whole.said, start, 1.0, whole.colour, 1.0, 1.0)]
    left = 1.0
    for step in (*losses, kept):
        begin, end = (start, step.share) if step is kept else (left, left - step.share)
        left -= step.share
        low, high = end - step.half, min(end + step.half, 1.0)
        rows.append(Bar(step.name, step.said, begin, end, step.colour, max(low, start), high, step.title))
    return Bars(rows, title, start, 1.0, share=share, broken=start > 0.0)


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
    tight = [stacked and text_px(row.name) + text_px(row.said) + _GAP > wide for row in bars.rows]
    heights = [(_STACKED if stacked else _ROW) + _LINE * more for more in tight]
    bottom = sum(heights)
    parts = _axis(bars, across, bottom)
    y = 0.0
    for row, more, high in zip(bars.rows, tight, heights, strict=True):
        top = y + (high - _BAR - 4.0 if stacked else (high - _BAR) / 2)
        parts += [_bar(row, across, top), *_interval(row, across, top)]
        if bars.broken and row.begin == bars.low:
            x = across.start + 14.0
            parts.append(f'<path class="break" d="M{x:.1f} {top - 2:.1f}l5 6l-5 6l5 6"/>')
        name_y = y + FONT_PX + 3.0 if stacked else top + 11.5
        room = left - _GAP if not stacked else wide if more else wide - text_px(row.said) - _GAP
        x, anchor = (0.0, "start") if stacked else (left - _GAP, "end")
        parts.append(label(x, name_y, fitted(row.name, room), anchor))
        parts.append(label(wide, name_y + (_LINE - 4.0 if more else 0.0), row.said, "end", "value"))
        y += high
    described = "; ".join(f"{row.name}: {row.said}" for row in bars.rows)
    return picture(parts, wide, bottom + _FOOT, kind, bars.title, described, place)


def _axis(bars: Bars, across: Scale, bottom: float) -> list[str]:
    ticks = across.ticks(70.0)
    parts = []
    for tick in ticks:
        x = across.at(tick)
        text = bars.share(tick) if bars.share else tick_text(tick, ticks)
        parts.append(rule(x, 0.0, x, bottom, "zero" if tick == 0.0 else "grid"))
        half = text_px(text) / 2
        at = min(max(x, half), max(across.end + 10.0 - half, half))
        parts.append(label(at, bottom + 15.0, text, "middle", "soft"))
    return parts


def _bar(row: Bar, across: Scale, top: float) -> str:
    start, end = sorted((across.at(row.begin), across.at(row.end)))
    return box(start, top, max(end - start, 0.8), _BAR, "amount", row.title or f"{row.name}: {row.said}", row.colour)


def _interval(row: Bar, across: Scale, top: float) -> list[str]:
    """A line from end to end of the interval; none where it is too short to see."""
    low, high = across.at(row.low), across.at(row.high)
    if high - low < 1.5:
        return []
    y = top + _BAR / 2
    ends = [rule(x, y - 3.0, x, y + 3.0, "whisker") for x in (low, high)]
    return [rule(low, y, high, y, "whisker"), *ends]
