"""One simulated life as SVG: work over time, what the job did, incidents by component.

However many events a life has, a picture has no more marks than pixels: time is cut into bins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from myriad.report.campaign_course import STATES, Course
from myriad.report.campaign_views import time_unit
from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.palette import LEDGER_COLOURS
from myriad.report.plot import Scale, beside, fitted, label, picture, rule, text_px, tick_text, twice

WHOLE_PX: Final = 900.0
BIN_PX: Final = 3.0
_ROW: Final = 18.0
STRIP_PX: Final = 14.0
"""Height of the strip of states."""
_TOP_COMPONENTS: Final = 10
STATE_COLOURS: Final = {
    "running": LEDGER_COLOURS["productive"], "slowed": LEDGER_COLOURS["degraded"],
    "stopped": LEDGER_COLOURS["detection"], "restarting": LEDGER_COLOURS["restart"],
    "waiting": LEDGER_COLOURS["waiting"], "down": LEDGER_COLOURS["maintenance"],
}  # fmt: skip
Array = npt.NDArray[np.float64]


def states_present(course: Course) -> list[str]:
    """States that the job was in, for the legend."""
    return [state for index, state in enumerate(STATES) if (course.states == index).any()]


def life_svg(course: Course, ideal_s: float, place: str, words: Language) -> Markup:
    """The whole life: work done against the same work undisturbed, states, incidents by component."""
    return twice(lambda wide, kind, where: _life(course, ideal_s, wide, kind, where, words), place, WHOLE_PX)


def _life(course: Course, ideal_s: float, wide: float, kind: str, place: str, words: Language) -> str:
    rows = _components(course, words)
    named = max([text_px(f"{name} {count}") for name, count, _ in rows] + [text_px("100 %")])
    left = min(named + 10.0, 0.42 * wide)
    unit = time_unit(course.end_s, words)
    across = Scale(0.0, course.end_s / unit.scale, left, wide - 12.0)
    top, tall = 8.0, 150.0 if wide < WHOLE_PX else 190.0
    whole_s = max(ideal_s, float(course.work_s.max()))
    upwards = Scale(0.0, 1.0, top + tall, top)
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = upwards.at(share)
        parts += [
            rule(left, y, wide - 12.0, y, "grid"),
            label(left - 6.0, y + 4.0, Numbers(words).change(share), "end", "soft"),
        ]
    ideal_end = min(ideal_s, course.end_s)
    parts.append(
        f'<path class="ideal" d="M{left:.1f} {upwards.at(0.0):.1f}'
        f'L{across.at(ideal_end / unit.scale):.1f} {upwards.at(ideal_end / whole_s):.1f}"/>'
    )
    x = along(course.point_s / unit.scale, across)
    parts.append(f'<path class="curve" d="{line(x, along(course.work_s / whole_s, upwards))}"/>')
    y = top + tall + 12.0
    edges = np.linspace(0.0, course.end_s, int((across.end - left) / BIN_PX) + 1)
    parts += strip(course, edges, left, across.end, y)
    y += STRIP_PX + 10.0
    for name, count, starts_s in rows:
        parts.append(label(left - 6.0, y + 13.0, f"{fitted(name, left - 6.0 - text_px(f' {count}'))} {count}", "end"))
        parts.append(rule(left, y + _ROW - 1.0, across.end, y + _ROW - 1.0, "grid"))
        parts.append(_marks(np.histogram(starts_s, edges)[0], left, (across.end - left) / (len(edges) - 1), y))
        y += _ROW
    ticks = across.ticks(60.0)
    parts += [beside(across.at(tick), y + 15.0, tick_text(tick, ticks), wide, "soft") for tick in ticks]
    axis = words("campaign.hours_axis" if unit.name == words("unit.h") else "campaign.finish_axis")
    parts.append(beside((left + across.end) / 2, y + 34.0, axis, wide, "soft"))
    described = words("words.comma").join(f"{name} {count}" for name, count, _ in rows)
    return picture(parts, wide, y + 42.0, kind, words("campaign.life"), described, place)


def _components(course: Course, words: Language) -> list[tuple[str, int, Array]]:
    """Component, its incidents and their starts, the most frequent first; the rarest together in a last row."""
    counts = Counter(incident.component for incident in course.incidents)
    order = [component for component, _ in counts.most_common()]
    alone = order if len(order) <= _TOP_COMPONENTS else order[: _TOP_COMPONENTS - 1]
    rows = [(words(f"component.{one}"), counts[one], _starts(course, {one})) for one in alone]
    if rest := set(order) - set(alone):
        rows.append((words("campaign.other_components"), sum(counts[one] for one in rest), _starts(course, rest)))
    return rows


def _starts(course: Course, components: set[str]) -> Array:
    return np.array([one.start_s for one in course.incidents if one.component in components])


def along(values: Array, scale: Scale) -> Array:
    """Pixels of values."""
    return scale.start + (values - scale.low) / (scale.high - scale.low) * (scale.end - scale.start)


def line(x: Array, y: Array) -> str:
    """A path through the points; of those on one half of a pixel only the first, lowest, highest and last."""
    column = np.floor(2.0 * x).astype(np.int64)
    bounds = np.flatnonzero(np.append(np.append(True, column[1:] != column[:-1]), True))
    kept: list[int] = []
    for first, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        inside = y[first:end]
        kept += sorted({first, first + int(inside.argmin()), first + int(inside.argmax()), end - 1})
    return "M" + "L".join(f"{x[index]:.1f} {y[index]:.1f}" for index in kept)


def strip(course: Course, edges: Array, left: float, right: float, top: float) -> Iterable[str]:
    """Share of each state in each bin of time, one path per state."""
    lengths = np.diff(edges)
    step = (right - left) / len(lengths)
    base = np.zeros(len(lengths))
    for state in states_present(course):
        tall = STRIP_PX * course.state_s(state, edges) / lengths
        cells = [
            f"M{left + index * step:.1f} {top + base[index]:.1f}h{step + 0.3:.2f}v{tall[index]:.1f}h{-step - 0.3:.2f}z"
            for index in np.flatnonzero(tall >= 0.05).tolist()
        ]
        base += tall
        if cells:
            yield f'<path d="{"".join(cells)}" fill="{STATE_COLOURS[state]}"/>'


def _marks(counts: npt.NDArray[np.int64], left: float, step: float, top: float) -> str:
    """One bar per bin with incidents, as high as they are many."""
    most = int(counts.max(initial=1))
    bars = []
    for index in np.flatnonzero(counts).tolist():
        high = (_ROW - 4.0) * (0.45 + 0.55 * counts[index] / most)
        bars.append(f"M{left + index * step:.1f} {top + _ROW - 1.0:.1f}v{-high:.1f}h{step - 0.6:.1f}v{high:.1f}z")
    return f'<path class="incidents" d="{"".join(bars)}"/>'
