"""Pictures of a run: promise beside reality, loss, step time, memory, where the time went and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from markupsafe import Markup

from myriad.report.bars_svg import Bar, Bars, axis_of, bars_svg
from myriad.report.language import Language
from myriad.report.lines_svg import Array, Line, Lines, lines_svg, range_of
from myriad.report.numbers import Numbers, significant
from myriad.report.palette import GAIN_COLOUR, LEDGER_COLOURS, SERIES_COLOURS
from myriad.report.plot import Scale, beside, box, label, picture, text_px, tick_text, twice
from myriad.report.run_views import (
    clock_unit,
    difference,
    figure_name,
    ledger_rows,
    of_figure,
    shown,
    verdict,
)
from myriad.spec.run import Compared, RunReport, StepRecord
from myriad.units import GIB

WHOLE_PX: Final = 1120.0
_COLOURS: Final = {"good": GAIN_COLOUR, "bad": "#b3452c", "": SERIES_COLOURS[0]}
_MOST_OFF: Final = 1.5
"""What lies further above its promise, as a share of it, is cut, and said."""
_ROW, _BAR = 34.0, 22.0


def ratio_rows(report: RunReport) -> list[Compared]:
    """Figures of which both promise and measurement are known and above 0."""
    return [one for one in report.compared if one.promised and one.measured and not one.figure.startswith("ledger.")]


def ratios_svg(report: RunReport, place: str, words: Language, numbers: Numbers) -> Markup:
    """How far each figure lies from its promise, as a share of it: to the left less, to the right more."""
    rows = []
    for one in ratio_rows(report):
        assert one.promised
        assert one.measured
        ends = (one.measured, one.measured_low or one.measured, one.measured_high or one.measured)
        off, low, high = (min(end / one.promised - 1.0, _MOST_OFF) for end in ends)
        said = f"{shown(one.measured, one.unit, numbers)} · {difference(one, words, numbers)}"
        rows.append(Bar(figure_name(one.figure, words), said, 0.0, off, _COLOURS[verdict(one)], low, high))
    left, right = axis_of([end for row in rows for end in (row.end, row.low, row.high)])
    return bars_svg(
        Bars(
            rows, words("run.ratio"), left, right, share=lambda at: numbers.change(at, signed=at != 0.0), stacked=True
        ),
        place,
    )


def loss_svg(report: RunReport, place: str, words: Language, by_time: bool) -> Markup:
    """The loss of steps that lasted, and of those that did not, over steps or over time."""
    steps = [one for one in report.steps if one.loss is not None]
    unit, axis = _clock(report, words) if by_time else (1.0, words("run.step_axis"))
    kept, lost = _split(steps)
    drawn = [_loss_line(part, report, unit, by_time, "lost") for part in lost]
    # Over time nothing was trained between two lives.
    groups = groupby(kept, key=lambda one: one.life if by_time else "")
    stretches = [list(part) for _, part in groups]
    drawn += [_loss_line(part, report, unit, by_time, "curve") for part in stretches]
    values = np.array([one.loss for one in steps], dtype=float)
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.1
    return lines_svg(
        Lines(
            title=words("run.loss_by_time" if by_time else "run.loss_by_step"), axis=axis, lines=drawn, said=tick_text,
            described=words("run.loss_is", loss=significant(float(values[-1]))), low=low - room, high=high + room,
            end=report.wall_s / unit if by_time else None,
        ),
        place,
    )  # fmt: skip


def _loss_line(steps: Sequence[StepRecord], report: RunReport, unit: float, by_time: bool, kind: str) -> Line:
    x = _hours(steps, report, unit) if by_time else np.array([one.step for one in steps], dtype=float)
    return Line(x, np.array([one.loss for one in steps], dtype=float), kind)


def _split(steps: Sequence[StepRecord]) -> tuple[list[StepRecord], list[list[StepRecord]]]:
    """Steps that lasted, by step; and stretches of those that did not."""
    kept = sorted((one for one in steps if one.kept), key=lambda one: one.step)
    stretches = groupby(steps, key=lambda one: (one.life, one.kept))
    return kept, [list(part) for (_, lasted), part in stretches if not lasted]


def _hours(steps: Sequence[StepRecord], report: RunReport, unit: float) -> Array:
    return np.array([one.time_s - report.summary.created_s for one in steps]) / unit


def _clock(report: RunReport, words: Language) -> tuple[float, str]:
    unit, axis = clock_unit(report.wall_s, words)
    return unit.scale, axis


def clipped_steps(report: RunReport) -> int:
    """Steps that lie above the picture of step times."""
    _, high = _step_range(report)
    return sum(one.step_s > high for one in report.steps)


def _step_range(report: RunReport) -> tuple[float, float]:
    step = of_figure(report, "step_s")
    ends = (step.promised, step.low, step.high) if step else ()
    return range_of(np.array([one.step_s for one in report.steps]), *ends)


def step_svg(report: RunReport, place: str, words: Language, numbers: Numbers) -> Markup:
    """The time of every step over time, with the band of the promise."""
    unit, axis = _clock(report, words)
    step = of_figure(report, "step_s")
    assert step is not None
    low, high = _step_range(report)
    lives = [list(part) for _, part in groupby(report.steps, key=lambda one: one.life)]
    begins = [_hours(part[:1], report, unit)[0] for part in lives[1:]]
    return lines_svg(
        Lines(
            title=words("run.step_time"), axis=axis,
            lines=[Line(_hours(part, report, unit), np.array([one.step_s for one in part])) for part in lives],
            said=_seconds, low=max(low, 0.0), high=high,
            described=f"{words('run.promised')} {shown(step.promised, 's', numbers)}; "
            f"{words('run.measured')} {shown(step.measured, 's', numbers)}",
            band=(step.low, step.high) if step.low is not None and step.high is not None else None,
            promise=step.promised, marks=begins, end=report.wall_s / unit,
        ),
        place,
    )  # fmt: skip


def _seconds(value: float, ticks: list[float]) -> str:
    return f"{tick_text(value, ticks)} s"


def memory_svg(report: RunReport, place: str, words: Language, numbers: Numbers) -> Markup:
    """The largest peak of any rank so far, over time; empty where no rank told."""
    steps = [one for one in report.steps if one.memory_bytes is not None]
    if not steps:
        return Markup()
    unit, axis = _clock(report, words)
    promised = of_figure(report, "memory_peak_bytes")
    peaks = np.array([one.memory_bytes for one in steps], dtype=float) / GIB
    promise = promised.promised / GIB if promised and promised.promised else None
    low, high = range_of(peaks, promise, from_zero=True)
    return lines_svg(
        Lines(
            title=words("run.memory"), axis=axis, lines=[Line(_hours(steps, report, unit), peaks)],
            said=lambda value, ticks: f"{tick_text(value, ticks)} GiB", low=low, high=high, promise=promise,
            described=f"{words('run.promised')} {shown(report.promise.memory_peak_bytes, 'B', numbers)}; "
            f"{words('run.measured')} {shown(float(peaks.max()) * GIB, 'B', numbers)}",
            end=report.wall_s / unit,
        ),
        place,
    )  # fmt: skip


def books_svg(report: RunReport, place: str, words: Language, numbers: Numbers) -> Markup:
    """The promised and the real shares of the wall time, each as one bar."""
    return twice(lambda wide, kind, where: _books(report, wide, kind, where, words, numbers), place, WHOLE_PX)


def _books(report: RunReport, wide: float, kind: str, place: str, words: Language, numbers: Numbers) -> str:
    rows = ledger_rows(report)
    sides: list[tuple[str, list[tuple[str, float]]]] = []
    if report.promise.ledger:
        sides.append((words("run.promised"), [(name, share or 0.0) for name, share, _, _ in rows]))
    sides.append((words("run.real"), [(name, share) for name, _, share, _ in rows]))
    left = max(text_px(name) for name, _ in sides) + 10.0
    across = Scale(0.0, 1.0, left, wide - 16.0)
    parts, described = [], []
    for index, (side, shares) in enumerate(sides):
        y = 6.0 + index * _ROW
        parts.append(label(left - 8.0, y + 15.0, side, "end"))
        begin = 0.0
        for name, share in shares:
            said = f"{words(f'ledger.{name}')}: {numbers.percent(share)}"
            wide_px = across.at(min(begin + share, 1.0)) - across.at(min(begin, 1.0))
            parts.append(box(across.at(min(begin, 1.0)), y, wide_px, _BAR, "amount", f"{side}, {said}",
                             LEDGER_COLOURS[name]))  # fmt: skip
            begin += share
        told = words("words.comma").join(
            f"{words(f'ledger.{name}')} {numbers.percent(share)}" for name, share in shares if share
        )
        described.append(f"{side}: {told}")
    bottom = 6.0 + len(sides) * _ROW
    ticks = [0.0, 0.25, 0.5, 0.75, 1.0]
    parts += [beside(across.at(tick), bottom + 8.0, numbers.change(tick), wide, "soft") for tick in ticks]
    return picture(parts, wide, bottom + 16.0, kind, words("run.books"), "; ".join(described), place)


def over_time_svg(report: RunReport, place: str, words: Language) -> Markup:
    """What the run was doing, from its start until now."""
    return twice(lambda wide, kind, where: _over_time(report, wide, kind, where, words), place, WHOLE_PX)


def _over_time(report: RunReport, wide: float, kind: str, place: str, words: Language) -> str:
    unit, axis = _clock(report, words)
    across = Scale(0.0, max(report.wall_s / unit, 1e-9), 4.0, wide - 16.0)
    edges = np.linspace(0.0, max(report.wall_s, 1e-9), int(across.end - across.start) // 2 + 1)
    parts = list(_strip(report, edges, across, 6.0))
    for at_s in report.interrupted_s:
        x = across.at((at_s - report.summary.created_s) / unit)
        parts.append(f'<path class="incidents" d="M{x:.1f} 32l4 8h-8z"/>')
    ticks = across.ticks(60.0)
    parts += [beside(across.at(tick), 56.0, tick_text(tick, ticks), wide, "soft") for tick in ticks]
    parts.append(beside((across.start + across.end) / 2, 75.0, axis, wide, "soft"))
    kinds = dict.fromkeys(words(f"ledger.{one.category}") for one in report.segments)
    described = words("words.comma").join(kinds)
    return picture(parts, wide, 82.0, kind, words("run.over_time"), described, place)


def _strip(report: RunReport, edges: Array, across: Scale, top: float) -> Iterable[str]:
    """Share of each category in each bin of time, one path per category: no more marks than pixels."""
    step = (across.end - across.start) / (len(edges) - 1)
    base = np.zeros(len(edges) - 1)
    start_s = report.summary.created_s
    for name, colour in LEDGER_COLOURS.items():
        spans = [(one.begin_s - start_s, one.end_s - start_s) for one in report.segments if one.category == name]
        if not spans:
            continue
        tall = 24.0 * _covered(np.array(spans), edges) / np.diff(edges)
        cells = [
            f"M{across.start + index * step:.1f} {top + base[index]:.1f}h{step + 0.3:.2f}v{tall[index]:.1f}"
            f"h{-step - 0.3:.2f}z"
            for index in np.flatnonzero(tall >= 0.05).tolist()
        ]
        base += tall
        if cells:
            yield f'<path d="{"".join(cells)}" fill="{colour}"/>'


def _covered(spans: Array, edges: Array) -> Array:
    """Seconds of each bin that spans, in order and apart, cover."""
    ends = np.concatenate([[0.0], np.cumsum(spans[:, 1] - spans[:, 0])])
    at = np.searchsorted(spans[:, 0], edges, side="right")
    inside = np.where(at > 0, np.minimum(edges, spans[np.maximum(at - 1, 0), 1]) - spans[np.maximum(at - 1, 0), 0], 0.0)
    return np.diff(ends[np.maximum(at - 1, 0)] + inside)
