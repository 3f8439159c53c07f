"""What the drawn timeline shows, as plain values; `report.js` turns them into a picture.

Of a step that is not there as a whole, its windows are drawn one beside the other. Times in `segments`, `transfers`
and `memory` are places on that axis, in seconds; `windows` says which time each of its parts shows.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.palette import OPERATION_COLOURS, SERIES_COLOURS, TRANSFER_COLOUR
from myriad.spec.layout import Layout
from myriad.spec.timeline import OPERATION_KINDS, StepTimeline
from myriad.units import GIB

Chart = dict[str, object]
Array = npt.NDArray[np.float64]

ROW_PX, MEMORY_PX, AROUND_PX = 20, 130, 150
"""Height of a stage, of the memory curves, and of axes, legend and slider."""
_ROWS_AT_FULL_HEIGHT = 24


def timeline_chart(timeline: StepTimeline, language: Language, numbers: Numbers) -> Chart:
    """The chart of a timeline."""
    windows = timeline.windows_s
    kinds = sorted(set(timeline.operations.kind))
    return {
        "kind": "timeline",
        "stages": [str(stage.stage) for stage in timeline.stages],
        "kinds": [
            {
                "name": language(f"operation.{OPERATION_KINDS[kind]}"),
                "colours": OPERATION_COLOURS[OPERATION_KINDS[kind]],
            }
            for kind in kinds
        ],
        "segments": _segments(timeline, kinds),
        "transfers": _transfers(timeline),
        "transfer": {"name": language("chart.transfers"), "colour": TRANSFER_COLOUR},
        "memory": [
            {
                "name": language("chart.stage", number=stage),
                "colour": SERIES_COLOURS[index],
                "points": _curve(timeline, stage),
            }
            for index, stage in enumerate(_telling(timeline))
        ],
        "windows": [[place, begin, end] for place, (begin, end) in zip(_places(windows), windows, strict=True)],
        "cuts": [
            language("chart.cut", span=numbers.seconds(after[0] - before[1])) for before, after in pairwise(windows)
        ],
        "end": sum(end - begin for begin, end in windows),
        "row_px": row_px(timeline),
        "memory_px": MEMORY_PX,
        "axis": language("chart.time_axis"),
        "memory_axis": language("chart.activations_axis"),
        "stage_axis": language("column.stage"),
        "micro_batch": language("chart.micro_batch"),
        "chunk": language("chart.chunk"),
    }


def shade_of(layout: Layout, stage: int, chunk: int, micro_batch: int) -> int:
    """Which of two shades tells an operation from its neighbours: by its chunk, its direction or its micro-batch."""
    if layout.vpp > 1:
        return chunk // layout.pp % 2
    return int(chunk != stage) if layout.schedule == "dualpipe" else micro_batch % 2


def kinds_of(timeline: StepTimeline) -> list[str]:
    """The kinds of operations that it has, keys of `OPERATION_KINDS`."""
    return [OPERATION_KINDS[kind] for kind in sorted(set(timeline.operations.kind))]


def row_px(timeline: StepTimeline) -> int:
    """Height of a stage: less where there are many."""
    return max(6, round(ROW_PX * min(1.0, _ROWS_AT_FULL_HEIGHT / len(timeline.stages))))


def height_px(timeline: StepTimeline) -> int:
    """Height of the whole picture."""
    return row_px(timeline) * len(timeline.stages) + MEMORY_PX + AROUND_PX


def _places(windows: tuple[tuple[float, float], ...]) -> list[float]:
    """Where each window starts on the axis."""
    lengths = [end - begin for begin, end in windows]
    return [sum(lengths[:index]) for index in range(len(windows))]


def _drawn(windows: tuple[tuple[float, float], ...], start_s: Array, end_s: Array) -> list[tuple[int, float, float]]:
    """Row, start and end on the axis of all spans, cut off where a window ends."""
    found = []
    for place, (begin, end) in zip(_places(windows), windows, strict=True):
        for row in np.flatnonzero((start_s < end) & (end_s > begin)).tolist():
            left, right = max(float(start_s[row]), begin), min(float(end_s[row]), end)
            found.append((row, _short(place + left - begin), _short(place + right - begin)))
    return found


def _segments(timeline: StepTimeline, kinds: list[int]) -> list[list[list[float]]]:
    """Of every stage its operations: start, end, index of its kind, micro-batch, chunk, half and shade.

    Half is 0 for the whole height of the row, 1 and 2 for the upper and lower of a pair that runs together.
    """
    o = timeline.operations
    rows: list[list[list[float]]] = [[] for _ in timeline.stages]
    leading = [not before for before in (False, *o.with_next[:-1])]
    for row, left, right in _drawn(timeline.windows_s, np.array(o.start_s), np.array(o.end_s)):
        half = 0 if not (o.with_next[row] or not leading[row]) else (1 if leading[row] else 2)
        if half == 2 and o.kind[row] == 2:
            continue  # the gradient of weights of a backward drawn whole
        stage, chunk, batch = o.stage[row], o.chunk[row], o.micro_batch[row]
        shade = shade_of(timeline.layout, stage, chunk, batch)
        rows[stage].append([left, right, kinds.index(o.kind[row]), batch, chunk, half, shade])
    return rows


def _transfers(timeline: StepTimeline) -> list[list[float]]:
    """Start and end of every transfer on the axis, and its two stages."""
    t = timeline.transfers
    return [
        [left, t.from_stage[row], right, t.to_stage[row]]
        for row, left, right in _drawn(timeline.windows_s, np.array(t.start_s), np.array(t.end_s))
    ]


def _telling(timeline: StepTimeline) -> list[int]:
    """First, fullest, middle and last stage."""
    last = len(timeline.stages) - 1
    fullest = max(range(last + 1), key=lambda stage: timeline.stages[stage].peak_activation_bytes)
    return list(dict.fromkeys((0, fullest, last // 2, last)))


def _curve(timeline: StepTimeline, stage: int) -> list[list[float]]:
    """Places on the axis and GiB from there on."""
    one = timeline.stages[stage]
    times, held = np.array(one.held_time_s), np.array(one.held_bytes) / GIB
    points: list[list[float]] = []
    for place, (begin, end) in zip(_places(timeline.windows_s), timeline.windows_s, strict=True):
        inside = np.flatnonzero((times >= begin) & (times <= end))
        points += [[_short(place + times[row] - begin), float(f"{held[row]:.4g}")] for row in inside.tolist()]
    return points


def _short(seconds: float) -> float:
    """To a tenth of a microsecond, for a smaller page."""
    return round(float(seconds), 7)
