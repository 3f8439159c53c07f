"""Predicted against measured as one SVG picture: legible on light and dark ground, without scripts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from myriad.report.palette import DARK, LIGHT, SERIES_COLOURS
from myriad.spec.fitted import Bands
from myriad.spec.validation import RowResult

WIDTH: Final = 760
_LEFT, _RIGHT = 62, 14
_LEGEND_ROW = 20
_MAIN_HEIGHT, _RATIO_HEIGHT, _GAP, _FOOT = 340, 190, 58, 44
_OTHERS: Final = "others"
_FONT: Final = "font-family='system-ui, sans-serif' font-size='12.5'"


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis from `low` to `high` on pixels `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterable[float]:
        decades = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
        return (10.0**decade for decade in decades)


def scatter_svg(groups: Mapping[str, Sequence[RowResult]], bands: Bands, alone: bool = True) -> str:
    """Predicted against measured rates above, their ratio below, one colour per group, as the text of an SVG.

    Shaded are the bands of the families that are there. More groups than colours: the smallest are `others`.
    `alone` adds a ground of its own, light or dark as the reader prefers; else the picture takes the colours
    of the page that it stands in.
    """
    shown = _coloured(groups)
    rows = [row for _, _, of_group in shown for row in of_group]
    legend, legend_height = _legend([(name, colour, len(of_group)) for name, colour, of_group in shown])
    top = legend_height + 12
    height = top + _MAIN_HEIGHT + _GAP + _RATIO_HEIGHT + _FOOT
    rates = [rate for row in rows for rate in (row.measured, row.predicted)]
    low, high = min(rates) / 1.25, max(rates) * 1.25
    across = _Axis(low, high, _LEFT, WIDTH - _RIGHT)
    upwards = _Axis(low, high, top + _MAIN_HEIGHT, top)
    widest = max(2.0, *(max(ratio, 1 / ratio) * 1.08 for ratio in (1 + row.error for row in rows)))
    ratios = _Axis(1 / widest, widest, height - _FOOT, height - _FOOT - _RATIO_HEIGHT)
    families = sorted({row.family for row in rows}, key=lambda family: bands.families[family])
    widths = [bands.families[family] for family in reversed(families)]
    shaded = f"shaded: {bands.share:.0%} bands of {', '.join(families)}"
    unit = rows[0].unit
    parts = [
        *legend,
        *_main(shown, across, upwards, widths, unit),
        *_ratio(shown, across, ratios, widths, f"measured, {unit}", shaded),
    ]
    label = f"Predicted against measured {unit} of {len(rows)} runs"
    ground = _ground() if alone else ""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0f}' role='img' "
        f"aria-label='{escape(label)}' fill='currentColor' {_FONT}>{ground}{''.join(parts)}</svg>\n"
    )


def scatter_page(groups: Mapping[str, Sequence[RowResult]], bands: Bands, title: str) -> str:
    """The same picture as one HTML page."""
    style = f"body{{margin:1.5rem auto;max-width:{WIDTH}px;background:{LIGHT['paper']};color:{LIGHT['ink']};"
    dark = f"@media(prefers-color-scheme:dark){{body{{background:{DARK['paper']};color:{DARK['ink']}}}}}"
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{style}font:16px system-ui,sans-serif}}{dark}"
        f"</style></head><body><h1 style='font-size:1.3rem'>{escape(title)}</h1>"
        f"{scatter_svg(groups, bands, alone=False)}</body></html>\n"
    )


def _coloured(groups: Mapping[str, Sequence[RowResult]]) -> list[tuple[str, str, Sequence[RowResult]]]:
    """Name, colour and rows of each group, the largest first."""
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    *colours, last = SERIES_COLOURS
    if len(ordered) > len(SERIES_COLOURS):
        rest = [row for _, rows in ordered[len(colours) :] for row in rows]
        ordered = [*ordered[: len(colours)], (_OTHERS, rest)]
    return [(name, colour, rows) for (name, rows), colour in zip(ordered, [*colours, last], strict=False)]


def _ground() -> str:
    """Colours of a picture that stands alone."""
    return (
        f"<style>svg{{color:{LIGHT['ink']};background:{LIGHT['paper']}}}"
        f"@media(prefers-color-scheme:dark){{svg{{color:{DARK['ink']};background:{DARK['paper']}}}}}</style>"
    )


def _legend(entries: list[tuple[str, str, int]]) -> tuple[list[str], int]:
    x, y, parts = float(_LEFT), 16, []
    for name, colour, count in entries:
        text = f"{name} ({count})"
        width = 30 + 7.1 * len(text)
        if x + width > WIDTH - _RIGHT:
            x, y = float(_LEFT), y + _LEGEND_ROW
        parts.append(f"<circle cx='{x + 5:.1f}' cy='{y - 4}' r='5' fill='{colour}'/>{_text(x + 15, y, text, 'start')}")
        x += width
    return parts, y


def _main(
    shown: list[tuple[str, str, Sequence[RowResult]]], across: _Axis, upwards: _Axis, widths: list[float], unit: str
) -> list[str]:
    parts = _frame(across, upwards)
    parts += [_line(across.start, upwards.at(t), across.end, upwards.at(t), 0.15) for t in upwards.ticks()]
    parts += [_text(across.start - 7, upwards.at(t) + 4, _short(t), "end") for t in upwards.ticks()]
    parts += [_line(across.at(t), upwards.start, across.at(t), upwards.end, 0.15) for t in across.ticks()]
    low, high = across.low, across.high
    for width in widths:
        by = math.exp(width)
        corners = ((low, low * by), (high / by, high), (high, high), (high, high / by), (low * by, low), (low, low))
        points = " ".join(f"{across.at(x):.1f},{upwards.at(y):.1f}" for x, y in corners)
        parts.append(f"<polygon points='{points}' opacity='0.11'/>")
    parts.append(_line(across.start, upwards.start, across.end, upwards.end, 0.7))
    for _, colour, rows in shown:
        dots = "".join(
            f"<circle cx='{across.at(r.measured):.1f}' cy='{upwards.at(r.predicted):.1f}' r='2.7'/>" for r in rows
        )
        parts.append(f"<g fill='{colour}' fill-opacity='0.75'>{dots}</g>")
    middle = (upwards.start + upwards.end) / 2
    parts.append(_text(16, middle, f"predicted, {unit}", "middle", f"rotate(-90 16 {middle:.0f})"))
    return parts


def _ratio(
    shown: list[tuple[str, str, Sequence[RowResult]]],
    across: _Axis,
    ratios: _Axis,
    widths: list[float],
    label: str,
    shaded: str,
) -> list[str]:
    parts = _frame(across, ratios)
    marks = [mark for mark in (0.25, 0.5, 2 / 3, 0.8, 1.0, 1.25, 1.5, 2.0, 4.0) if ratios.low < mark < ratios.high]
    for mark in marks:
        parts.append(_line(across.start, ratios.at(mark), across.end, ratios.at(mark), 0.7 if mark == 1.0 else 0.15))
        parts.append(
            _text(across.start - 7, ratios.at(mark) + 4, "0 %" if mark == 1.0 else f"{100 * (mark - 1):+.0f} %", "end")
        )
    for tick in across.ticks():
        parts.append(_line(across.at(tick), ratios.start, across.at(tick), ratios.end, 0.15))
        parts.append(_text(across.at(tick), ratios.start + 17, _short(tick), "middle"))
    for width in widths:
        top, bottom = ratios.at(math.exp(width)), ratios.at(math.exp(-width))
        size = f"width='{across.end - across.start:.1f}' height='{bottom - top:.1f}'"
        parts.append(f"<rect x='{across.start:.1f}' y='{top:.1f}' {size} opacity='0.11'/>")
    for _, colour, rows in shown:
        dots = "".join(
            f"<circle cx='{across.at(r.measured):.1f}' cy='{ratios.at(1 + r.error):.1f}' r='2.7'>"
            f"<title>{escape(f'{r.id}: {r.model}, {r.num_gpus} x {r.accelerator}, {r.error:+.0%}')}</title></circle>"
            for r in rows
        )
        parts.append(f"<g fill='{colour}' fill-opacity='0.75'>{dots}</g>")
    parts.append(_text(across.start, ratios.end - 9, "error: predicted / measured − 1", "start"))
    parts.append(_text(across.end, ratios.end - 9, shaded, "end"))
    parts.append(_text((across.start + across.end) / 2, ratios.start + 37, label, "middle"))
    return parts


def _frame(across: _Axis, upwards: _Axis) -> list[str]:
    size = f"width='{across.end - across.start:.1f}' height='{upwards.start - upwards.end:.1f}'"
    place = f"x='{across.start:.1f}' y='{upwards.end:.1f}'"
    return [f"<rect {place} {size} fill='none' stroke='currentColor' stroke-opacity='0.4'/>"]


def _line(x1: float, y1: float, x2: float, y2: float, opacity: float) -> str:
    ends = f"x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}'"
    return f"<line {ends} stroke='currentColor' stroke-opacity='{opacity}'/>"


def _text(x: float, y: float, text: str, anchor: str, transform: str = "") -> str:
    turned = f" transform='{transform}'" if transform else ""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'{turned}>{escape(text)}</text>"


def _short(value: float) -> str:
    """`100`, `10 k`, `1 M`."""
    for scale, letter in ((1e6, " M"), (1e3, " k")):
        if value >= scale:
            return f"{value / scale:g}{letter}"
    return f"{value:g}"
