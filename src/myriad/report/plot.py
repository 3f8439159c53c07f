"""What pictures drawn here are put together from: SVG text and shapes, scales, and room for labels.

A picture is drawn twice, for wide and for narrow screens, and the style sheet shows one: text keeps its size on a
phone, and a page needs no script to draw it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from markupsafe import Markup, escape

FONT_PX: Final = 12.0
NARROW_PX: Final = 328.0
"""Width of a picture for a phone of 360 pixels."""
_LATIN, _LATIN_WIDE, _IDEOGRAPH = 0.6, 0.8, 1.02
"""Widths of characters over the height of the font, of a wide font in semibold."""


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, apart_px: float) -> list[float]:
        """Round values at least so many pixels apart."""
        most = max(1, int(abs(self.end - self.start) / apart_px))
        step = round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below `least`."""
    ten = 10.0 ** math.floor(math.log10(least))
    return next(times * ten for times in (1.0, 2.0, 5.0, 10.0) if times * ten >= least * (1 - 1e-9))


def tick_text(value: float, ticks: list[float]) -> str:
    """A tick with the decimals that tell it from its neighbours."""
    step = min((after - before for before, after in pairwise(ticks)), default=1.0)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{decimals}f}".replace("-", "−")


def text_px(text: str, size_px: float = FONT_PX) -> float:
    """About the width of a text, rather more than less."""
    return size_px * sum(
        _IDEOGRAPH if ord(sign) > 0x2E7F else _LATIN_WIDE if sign.isupper() or sign in "mwMW%@" else _LATIN
        for sign in text
    )


def fitted(text: str, room_px: float) -> str:
    """The text, cut short where it is wider than its room."""
    if text_px(text) <= room_px:
        return text
    while text and text_px(text + "…") > room_px:
        text = text[:-1]
    return text.rstrip() + "…"


def label(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    """A line of text."""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def beside(x: float, y: float, text: str, width_px: float, kind: str = "") -> str:
    """A label centred on x, or moved as far as it must to stay within the picture."""
    half = text_px(text) / 2 + 2.0
    return label(min(max(x, half), max(width_px - half, half)), y, text, "middle", kind)


def box(x: float, y: float, wide: float, high: float, kind: str, title: str = "", colour: str = "") -> str:
    """A rectangle; of no width where it would be negative."""
    said = f"<title>{escape(title)}</title>" if title else ""
    filled = f' fill="{colour}"' if colour else ""
    size = f'width="{max(wide, 0.0):.1f}" height="{max(high, 0.0):.1f}"'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size}{filled}>{said}</rect>'


def rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def picture(parts: Iterable[str], wide: float, high: float, kind: str, title: str, described: str, place: str) -> str:
    """The SVG; `place` is an id that nothing else on the page has."""
    return (
        f'<svg class="plot {kind}" viewBox="0 0 {wide:.0f} {high:.0f}" style="max-width:{1.15 * wide:.0f}px" '
        f'role="img" aria-labelledby="{place}-title {place}-desc"><title id="{place}-title">{escape(title)}</title>'
        f'<desc id="{place}-desc">{escape(described)}</desc>{"".join(parts)}</svg>'
    )


def twice(draw: Callable[[float, str, str], str], place: str, wide_px: float) -> Markup:
    """A picture for wide and for narrow screens; `draw` takes width, kind and place."""
    return Markup(draw(wide_px, "wide", f"{place}-wide") + draw(NARROW_PX, "narrow", f"{place}-narrow"))
