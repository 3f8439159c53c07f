"""Pictures of the goodput of a job: where its time goes, ETTR by checkpoint interval and by size, what would help."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from myriad.report.bars_svg import WALL_COLOUR, Bar, Bars, Step, axis_of, bars_svg, waterfall
from myriad.report.curve_svg import Curve, Mark, curve_svg
from myriad.report.goodput_text import change_name, fine_percent, interval_name
from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.palette import GAIN_COLOUR, LEDGER_COLOURS, SERIES_COLOURS
from myriad.spec.goodput import GoodputResult
from myriad.units import DAY_S, HOUR_S

INTERVAL_COLOURS: Final = dict(zip(("given", "best", "young", "daly"), SERIES_COLOURS[1:], strict=False))
_TICKS_S: Final = (1.0, 10.0, 60.0, 600.0, HOUR_S, 6 * HOUR_S, DAY_S, 7 * DAY_S, 70 * DAY_S)
_SHOWN: Final = 5e-5
"""Smallest share that is drawn."""


def parts_svg(result: GoodputResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """From all of the time, less every loss, to what trains."""

    def step(name: str, share: float) -> Step:
        return Step(words(f"ledger.{name}"), fine_percent(share, numbers), share, LEDGER_COLOURS[name])

    losses = sorted(
        (
            step(name, share)
            for name, share in result.parts.items()
            if name != "productive" and share >= _SHOWN
        ),
        key=lambda one: -one.share,
    )  # fmt: skip
    whole = Step(words("goodput.whole"), numbers.percent(1.0), 1.0, WALL_COLOUR)
    kept = step("productive", result.parts["productive"])
    return bars_svg(waterfall(words("goodput.parts"), whole, losses, kept, numbers.change), place)


def intervals_svg(result: GoodputResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """Expected ETTR over the time between checkpoints."""
    curve = Curve(
        title=words("goodput.by_interval"),
        axis=words("goodput.interval_axis"),
        points=sorted((one.interval_s, one.ettr) for one in result.curve),
        marks=[
            Mark(interval_name(one.name, words), one.interval_s, one.ettr, INTERVAL_COLOURS[one.name])
            for one in result.intervals
            if one.interval_s > 0.0
        ],
        ticks=_TICKS_S,
        quantity=numbers.seconds,
        share=numbers.change,
    )
    return curve_svg(curve, place)


def sizes_svg(result: GoodputResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """Expected ETTR over the number of accelerators."""
    here = numbers.gpus(result.accelerators)
    curve = Curve(
        title=words("goodput.by_size"),
        axis=words("goodput.size_axis"),
        points=sorted((float(size.accelerators), size.ettr) for size in result.sizes),
        marks=[Mark(here, float(result.accelerators), result.ettr, INTERVAL_COLOURS["given"])],
        ticks=[float(size.accelerators) for size in result.sizes],
        quantity=numbers.integer,
        share=numbers.change,
    )
    return curve_svg(curve, place)


def changes_svg(result: GoodputResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """What one change would give, in points of ETTR."""
    rows = [
        Bar(
            change_name(one.name, words), f"+{100 * one.gain:.2f} · {fine_percent(one.ettr, numbers)}", 0.0,
            100 * one.gain, GAIN_COLOUR, 100 * one.gain, 100 * one.gain,
        )
        for one in result.changes
    ]  # fmt: skip
    low, high = axis_of([row.end for row in rows])
    return bars_svg(Bars(rows, words("goodput.changes"), low, high, stacked=True), place)
