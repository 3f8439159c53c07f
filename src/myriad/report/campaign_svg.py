"""Pictures of a simulated campaign: where its time goes, what interrupts it, what would help, when it finishes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from markupsafe import Markup

from myriad.report.bars_svg import HALF_PX, Bar, Bars, axis_of, bars_svg
from myriad.report.campaign_views import cause_rows, interval, ledger_rows, long, money, number, time_unit
from myriad.report.campaign_words import improvement_name
from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.palette import GAIN_COLOUR, LEDGER_COLOURS, SERIES_COLOURS
from myriad.report.plot import Scale, beside, box, label, picture, rule, text_px, tick_text, twice
from myriad.spec.campaign_result import CampaignResult, Improvement
from myriad.units import DAY_S

TOP_CAUSES: Final = 12
TOP_IMPROVEMENTS: Final = 10
_QUANTILES: Final = (10, 50, 80, 90)
_WALL_COLOUR: Final = "#8794a3"
_LOSS_COLOUR: Final = "#b3452c"


def waterfall_start(result: CampaignResult) -> float:
    """Share at which the axis of the waterfall starts: 0, or in steps of 5 % a little below what trains."""
    rows = ledger_rows(result)
    trained = rows[0][2] if rows and rows[0][0] == "productive" else 0.0
    start = math.floor(20.0 * (trained - 0.4 * (1.0 - trained))) / 20.0
    return start if 0.3 <= start < 1.0 else 0.0 if start < 0.3 else 0.95


def waterfall_svg(result: CampaignResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """From wall time, less every loss, to productive time, in shares."""
    wall_s = result.wall_s.mean
    unit = time_unit(wall_s, words)
    like = wall_s / unit.scale / 10
    start = waterfall_start(result)

    def said(seconds: float, share: float) -> str:
        return f"{numbers.plain(seconds / unit.scale, like)} {unit.name} · {numbers.percent(share)}"

    rows = [Bar(words("campaign.wall"), said(wall_s, 1.0), start, 1.0, _WALL_COLOUR, 1.0, 1.0)]
    left = 1.0
    first, *losses = ledger_rows(result)
    for name, spent, share in [*losses, first]:
        begin, end = (start, share) if name == "productive" else (left, left - share)
        left -= share
        half = (spent.high - spent.low) / 2 / wall_s
        between = interval(spent, unit.scale, words, numbers, like)
        text = said(spent.mean, share)
        rows.append(
            Bar(
                words(f"ledger.{name}"), text, begin, end, LEDGER_COLOURS[name], end - half, min(end + half, 1.0),
                f"{text}; {words('campaign.interval_head')}: {between} {unit.name}",
            )
        )  # fmt: skip
    return bars_svg(Bars(rows, words("campaign.goodput"), start, 1.0, percent=True, broken=start > 0.0), place)


def causes_svg(result: CampaignResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """Interruptions in one life by cause."""
    shown, rest = cause_rows(result, TOP_CAUSES)
    like = shown[0].interruptions.mean / 10
    unit = time_unit(result.wall_s.mean, words)
    rows = []
    for cause in shown:
        often = cause.interruptions
        between = interval(often, 1.0, words, numbers, like)
        took = f"{words('campaign.took')} {numbers.plain(cause.wall_s.mean / unit.scale)} {unit.name}"
        value = numbers.plain(often.mean, like)
        name = f"{cause.name} · {words(f'component.{cause.component}')}"
        said = f"{value} ({between})"
        rows.append(
            Bar(name, said, 0.0, often.mean, SERIES_COLOURS[0], often.low, often.high, f"{name}: {said}; {took}")
        )
    if rest:
        value_of = sum(cause.interruptions.mean for cause in rest)
        name = words("campaign.others", count=len(rest))
        rows.append(Bar(name, numbers.plain(value_of, like), 0.0, value_of, _WALL_COLOUR, value_of, value_of))
    low, high = axis_of([row.high for row in rows])
    return bars_svg(Bars(rows, words("campaign.causes"), low, high, stacked=True), place)


def improvements_svg(result: CampaignResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """Time saved by each change, and what it is worth."""
    unit = time_unit(result.wall_s.mean, words)
    rows = [_improvement(one, unit.scale, unit.name, words, numbers) for one in result.improvements[:TOP_IMPROVEMENTS]]
    low, high = axis_of([end for row in rows for end in (row.low, row.high)])
    return bars_svg(Bars(rows, words("campaign.improvements"), low, high, stacked=True), place)


def _improvement(one: Improvement, scale: float, unit: str, words: Language, numbers: Numbers) -> Bar:
    saved, low, high = (days * DAY_S / scale for days in (one.days_saved.mean, one.days_saved.low, one.days_saved.high))
    said = f"{number(saved, abs(saved), numbers)} {unit}"
    if one.usd_saved is not None:
        said += f" · {money(one.usd_saved.mean, numbers)}"
    colour = GAIN_COLOUR if saved >= 0.0 else _LOSS_COLOUR
    return Bar(improvement_name(one, words), said, 0.0, saved, colour, low, high, words.phrase(one.detail))


def finish_svg(result: CampaignResult, place: str, words: Language, numbers: Numbers) -> Markup:
    """Share of the lives that have finished by then, with the deadline."""
    return twice(lambda wide, kind, where: _finish(result, wide, kind, where, words, numbers), place, HALF_PX)


def _finish(
    result: CampaignResult, wide: float, kind: str, place: str, words: Language, numbers: Numbers
) -> str:  # fmt: skip
    high, top, bottom = 286.0, 26.0, 244.0
    unit = time_unit(result.wall_s.mean, words)
    ends = [
        (percent, end_s / unit.scale) for percent, end_s in enumerate(result.finish_quantiles_s, 1) if end_s is not None
    ]
    shown = [end for _, end in ends]
    if result.deadline_s is not None:
        shown.append(result.deadline_s / unit.scale)
    room = max(0.12 * (max(shown) - min(shown)), 0.002 * max(shown))
    across = Scale(max(0.0, min(shown) - room), max(shown) + room, 46.0, wide - 12.0)
    upwards = Scale(0.0, 1.0, bottom, top)
    parts = _finish_axes(across, upwards, wide, unit.name == words("unit.h"), words)
    middle = [end for percent, end in ends if 10 <= percent <= 90]
    if middle:
        parts.append(box(across.at(middle[0]), top, across.at(middle[-1]) - across.at(middle[0]), bottom - top, "band"))
    points = [f"M{across.at(ends[0][1]):.1f} {bottom:.1f}"]
    points += [f"L{across.at(end):.1f} {upwards.at(percent / 100):.1f}" for percent, end in ends]
    if result.finished.value == 1.0:
        points.append(f"L{across.at(ends[-1][1]):.1f} {top:.1f}H{across.end:.1f}")
    parts.append(f'<path class="curve" d="{"".join(points)}"/>')
    if result.deadline_s is not None:
        x = across.at(result.deadline_s / unit.scale)
        parts.append(rule(x, top - 6.0, x, bottom, "deadline"))
        text = words("campaign.deadline", days=long(result.deadline_s, numbers))
        if result.in_time is not None:
            text += f" · {numbers.change(result.in_time.value)}"
        parts.append(beside(x, 13.0, text, wide, "value deadline-name"))
    parts += _quantiles(dict(ends), across, upwards, unit.scale, words, numbers)
    described = words("words.comma").join(
        words("campaign.quantile", percent=percent, days=long(end * unit.scale, numbers))
        for percent, end in ends
        if percent in _QUANTILES
    )
    return picture(parts, wide, high, kind, words("campaign.finish"), described, place)


def _finish_axes(across: Scale, upwards: Scale, wide: float, hours: bool, words: Language) -> list[str]:
    bottom = upwards.start
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = upwards.at(share)
        parts += [
            rule(across.start, y, across.end, y, "grid"),
            label(across.start - 6.0, y + 4.0, f"{100 * share:.0f} %", "end", "soft"),
        ]
    ticks = across.ticks(62.0)
    parts += [beside(across.at(tick), bottom + 17.0, tick_text(tick, ticks), wide, "soft") for tick in ticks]
    axis = words("campaign.hours_axis" if hours else "campaign.finish_axis")
    return [*parts, beside((across.start + across.end) / 2, bottom + 36.0, axis, wide, "soft")]


def _quantiles(
    ends: dict[int, float], across: Scale, upwards: Scale, scale: float, words: Language, numbers: Numbers
) -> Iterable[str]:
    """A dot on the curve and its label, left of it where there is room: above the curve nothing else is drawn."""
    for percent in _QUANTILES:
        if percent not in ends:
            continue
        x, y = across.at(ends[percent]), upwards.at(percent / 100)
        text = words("campaign.quantile", percent=percent, days=long(ends[percent] * scale, numbers))
        yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        left = x - 8.0 - text_px(text) > across.start
        yield label(x - 8.0 if left else x + 8.0, y + 4.0, text, "end" if left else "start", "value")
