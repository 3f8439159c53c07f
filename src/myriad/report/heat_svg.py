"""A heat map of a fabric as SVG: cells of one colour share a path, so that 96 x 96 of them stay a small picture."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup, escape

from myriad.report.fabric_svg import step_of
from myriad.report.fabric_text import links_name
from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.spec.fabric_heat import ClassUse, Direction, HeatMap, HotLink, SwitchPlace

_LEFT: Final = 40.0
_TOP: Final = 22.0
_WIDE: Final = 530.0
_HIGH: Final = 300.0
"""Pixels that cells fill at most, or thereabouts."""
_LARGEST: Final = 18.0
_SMALLEST: Final = 3.0


def heat_svg(heat: HeatMap, words: Language, numbers: Numbers) -> Markup:
    """The map as a picture, switches from left to right; each says its mean and peak when pointed at."""
    lines, places = len(heat.cells), len(heat.cells[0])
    across = max(_SMALLEST, min(_LARGEST, _WIDE / lines))
    down = max(_SMALLEST, min(_LARGEST, _HIGH / places))
    wide, high = across * lines, down * places
    cells = "".join(f'<path class="{name}" d="{"".join(runs)}"/>' for name, runs in _paths(heat, across, down).items())
    titles = "".join(
        f'<rect class="line" x="{_LEFT + line * across:.1f}" y="{_TOP:.0f}" width="{across:.1f}" '
        f'height="{high:.1f}"><title>{escape(_line_words(heat, line, words, numbers))}</title></rect>'
        for line in range(lines)
    )
    along = "".join(
        f'<text class="soft" x="{_LEFT + (line + 0.5) * across:.1f}" y="{_TOP - 6:.0f}" text-anchor="middle">'
        f"{line * heat.switches_per_cell + 1}</text>"
        for line in _ticked(lines, across, 32)
    )
    beside = "".join(
        f'<text class="soft" x="{_LEFT - 6:.0f}" y="{_TOP + (place + 0.5) * down + 4:.1f}" text-anchor="end">'
        f"{place * heat.reached_per_cell + 1}</text>"
        for place in _ticked(places, down, 16)
    )
    return Markup(
        f'<svg class="fabric heat" viewBox="0 0 {_LEFT + wide + 12:.0f} {_TOP + high + 4:.0f}" '
        f'style="max-width:{1.15 * (_LEFT + wide + 12):.0f}px" role="img" '
        f'aria-label="{escape(map_words(heat, words, numbers))}">'
        f'<rect class="ground" x="{_LEFT:.0f}" y="{_TOP:.0f}" width="{wide:.1f}" height="{high:.1f}"/>'
        f"{cells}{titles}{along}{beside}</svg>"
    )


def _paths(heat: HeatMap, across: float, down: float) -> dict[str, list[str]]:
    """Of each colour its cells; neighbours of one colour are one run where there is no gap between cells."""
    gap = 0.8 if min(across, down) >= 6 else 0.0
    found: dict[str, list[str]] = {}
    for place in range(len(heat.cells[0])):
        of_place = [line[place] for line in heat.cells]
        names = [None if one is None else "dead" if one < 0 else f"use-{step_of(one)}" for one in of_place]
        start = 0
        for line in range(1, len(names) + 1):
            if line < len(names) and names[line] == names[start] and not gap:
                continue
            if (name := names[start]) is not None:
                x, y = _LEFT + start * across, _TOP + place * down
                wide, high = (line - start) * across - gap, down - gap
                found.setdefault(name, []).append(f"M{x:.1f} {y:.1f}h{wide:.1f}v{high:.1f}h{-wide:.1f}z")
            start = line
    return found


def _ticked(count: int, pixels: float, apart: float) -> range:
    """Which of so many lines or cells carry a number."""
    step = next(step for step in (1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100) if step * pixels >= apart)
    return range(0, count, step)


def _line_words(heat: HeatMap, line: int, words: Language, numbers: Numbers) -> str:
    first = line * heat.switches_per_cell
    last = min(first + heat.switches_per_cell, heat.switches)
    number = f"{first + 1}" if last == first + 1 else f"{first + 1}–{last}"
    known = [cell for cell in heat.cells[line] if cell is not None and cell >= 0]
    return words(
        "heat.line",
        switch=words(f"one.{heat.tier}", number=number),
        mean=numbers.percent(heat.means[line]),
        peak=numbers.percent(max(known, default=0.0)),
    )


def way_name(link_class: str, direction: Direction, words: Language) -> str:
    """A class of links, and the way where it has two."""
    name = links_name(link_class, words)
    return name if direction == "out" else words(f"heat.{direction}", name=name)


def map_words(heat: HeatMap, words: Language, numbers: Numbers) -> str:
    """What lies along both sides of a map, and how many share a cell."""
    told = words(
        "heat.map_out" if heat.direction == "out" else "heat.map",
        name=way_name(heat.link_class, heat.direction, words),
        count=numbers.integer(heat.switches),
        tier=words(f"tiers.{heat.tier}"),
        reached=words(f"tiers.{heat.reached_tier}"),
    )
    if heat.switches_per_cell * heat.reached_per_cell == 1:
        return told
    shared = words("heat.shared", switches=heat.switches_per_cell, reached=heat.reached_per_cell)
    return words("words.space").join([told, shared])


def bar_svg(one: ClassUse) -> Markup:
    """Peak and, darker, mean use of a class as one bar."""
    peak, mean = 100 * one.peak_fraction, 100 * one.mean_fraction
    return Markup(
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{peak:.1f}" height="10"/><rect width="{mean:.1f}" height="10"/></svg>'
    )


def place_words(place: SwitchPlace, words: Language) -> str:
    """Where a switch or a card is."""
    told = [words(f"one.{place.tier}", number=place.number + 1)]
    if place.card is not None:
        told.append(words("heat.card", number=place.card + 1))
    if place.group is not None:
        told.append(words("frame.group" if place.tier == "switch" else "frame.pod", number=place.group + 1))
    if place.plane is not None:
        told.append(words("frame.network", number=place.plane + 1))
    return words("words.comma").join(told)


def hot_words(link: HotLink, words: Language, numbers: Numbers) -> tuple[str, str, str, str]:
    """Class, both ends and use of one of the fullest links."""
    return (
        way_name(link.link_class, link.direction, words),
        place_words(link.from_place, words),
        place_words(link.to_place, words),
        numbers.percent(link.use_fraction),
    )
