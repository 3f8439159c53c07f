"""The costliest hours of a simulated life as SVG: every step down and standstill of a few incidents, numbered."""

from __future__ import annotations

from typing import Final

import numpy as np
from markupsafe import Markup

from myriad.report.campaign_life import LifeTrace, costliest_stretch
from myriad.report.language import Language
from myriad.report.life_svg import BIN_PX, STRIP_PX, WHOLE_PX, Array, along, line, strip
from myriad.report.plot import Scale, beside, label, picture, rule, tick_text, twice
from myriad.units import HOUR_S

_LANE: Final = 18.0
_LEFT: Final = 46.0
_TALL: Final = 170.0


def clock(seconds: float, words: Language) -> str:
    """A time of a life: day and hour, counted from its start."""
    minutes = round(seconds / 60.0)
    return words("campaign.clock", day=minutes // 1440 + 1, time=f"{minutes // 60 % 24:02d}:{minutes % 60:02d}")


def near_svg(trace: LifeTrace, place: str, words: Language) -> Markup:
    """The hours around the costliest incident, with its neighbours."""
    return twice(lambda wide, kind, where: _drawn(trace, wide, kind, where, words), place, WHOLE_PX)


def _drawn(trace: LifeTrace, wide: float, kind: str, place: str, words: Language) -> str:
    found = costliest_stretch(trace)
    assert found is not None
    start_s, end_s, incidents = found
    across = Scale(0.0, (end_s - start_s) / HOUR_S, _LEFT, wide - 12.0)
    places = [across.at((one.start_s - start_s) / HOUR_S) for one in incidents]
    lanes = _lanes(places)
    top = _LANE * (max(lanes) + 1) + 8.0
    bottom = top + _TALL
    hours, work_h = _stretch(trace, start_s, end_s)
    room = 0.06 * (float(np.ptp(work_h)) or 1.0)
    upwards = Scale(float(work_h.min()) - room, float(work_h.max()) + room, bottom, top)
    rises = upwards.ticks(34.0)
    parts = []
    for tick in rises:
        y = upwards.at(tick)
        parts.append(rule(_LEFT, y, across.end, y, "grid"))
        parts.append(label(_LEFT - 6.0, y + 4.0, tick_text(tick, rises), "end", "soft"))
    for number, (x, lane) in enumerate(zip(places, lanes, strict=True), 1):
        y = top - 8.0 - _LANE * lane
        parts.append(rule(x, y, x, bottom, "incident"))
        parts.append(f'<circle class="number" cx="{x:.1f}" cy="{y:.1f}" r="8"/>')
        parts.append(label(x, y + 4.0, str(number), "middle", "numbered"))
    parts.append(f'<path class="curve" d="{line(along(hours, across), along(work_h, upwards))}"/>')
    y = bottom + 8.0
    bins = max(1, int((across.end - _LEFT) / BIN_PX))
    parts += strip(trace, np.linspace(start_s, end_s, bins + 1), _LEFT, across.end, y)
    y += STRIP_PX
    ticks = across.ticks(46.0)
    parts += [beside(across.at(tick), y + 16.0, tick_text(tick, ticks), wide, "soft") for tick in ticks]
    axis = words("campaign.near_axis", at=clock(start_s, words))
    parts.append(beside((_LEFT + across.end) / 2, y + 35.0, axis, wide, "soft"))
    described = words("words.comma").join(f"{one.cause} ({clock(one.start_s, words)})" for one in incidents)
    return picture(parts, wide, y + 43.0, kind, words("campaign.near"), described, place)


def _stretch(trace: LifeTrace, start_s: float, end_s: float) -> tuple[Array, Array]:
    """Hours and hours of work from the start of the stretch."""
    inside = (trace.point_s > start_s) & (trace.point_s < end_s)
    at_ends = np.interp([start_s, end_s], trace.point_s, trace.work_s)
    point_s = np.concatenate([[start_s], trace.point_s[inside], [end_s]])
    work_s = np.concatenate([at_ends[:1], trace.work_s[inside], at_ends[1:]])
    return (point_s - start_s) / HOUR_S, (work_s - at_ends[0]) / HOUR_S


def _lanes(places: list[float]) -> list[int]:
    """Heights of numbers, so that neighbours do not cover each other."""
    ends: list[float] = []
    lanes = []
    for x in places:
        lane = next((index for index, end in enumerate(ends) if end <= x), len(ends))
        ends[lane : lane + 1] = [x + _LANE]
        lanes.append(lane)
    return lanes
