"""A step of a setting operation by operation, as a result; and the part of it that a report has room for."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from myriad import __version__
from myriad.errors import InfeasibleError
from myriad.estimate.pipeline import bubble_is_exact
from myriad.estimate.schedule.memory import held_over_time
from myriad.estimate.schedule.of_layout import layout_timeline
from myriad.estimate.schedule.timeline import Timeline
from myriad.estimate.setting import Setting
from myriad.estimate.training import estimate_layout
from myriad.spec.layout import PIPELINE_SCHEDULES, Layout
from myriad.spec.result import TrainingEstimate
from myriad.spec.timeline import Operations, StageTimeline, StageTransfers, StepTimeline

Array = npt.NDArray[np.float64]
Columns = TypeVar("Columns", Operations, StageTransfers)

OUTSIDE_PIPELINE = ("dp_comm", "optimizer", "overhead")
"""Parts of a step that are not between its first forward and its last backward."""


MOST_OPERATIONS = 200_000
"""So many are timed beside an estimate: a tenth of a second."""


def timeline_step_s(setting: Setting, estimate: TrainingEstimate) -> float | None:
    """The step of an estimate with its micro-batches timed operation by operation, in seconds.

    `None` for one stage, for a schedule that has no order of operations for these numbers, and for steps of more than
    `MOST_OPERATIONS` forward and backward operations.
    """
    layout = estimate.layout
    operations = 2 * layout.pp * layout.vpp * estimate.num_micro_batches
    if layout.pp == 1 or operations > MOST_OPERATIONS:
        return None
    try:
        made = layout_timeline(setting, layout)
    except InfeasibleError:
        return None
    return estimate.step_s - _closed_pipeline_s(estimate) + made.found.makespan_s


def _closed_pipeline_s(estimate: TrainingEstimate) -> float:
    """From the first forward to the last backward by the closed forms."""
    return sum(seconds for part, seconds in estimate.time_parts_s.items() if part not in OUTSIDE_PIPELINE)


def step_timeline(subject: str, setting: Setting, layout: Layout) -> StepTimeline:
    """The timeline of a layout beside the closed forms of its estimate."""
    estimate = estimate_layout(setting, layout)
    made = layout_timeline(setting, layout)
    found, without = made.found, made.without_transfers()
    parts = estimate.time_parts_s
    closed_s = _closed_pipeline_s(estimate)
    busy_s = float(found.busy_s.max())
    code, pp, vpp, batches = (
        np.array([x])
        for x in (PIPELINE_SCHEDULES.index(layout.schedule), layout.pp, layout.vpp, estimate.num_micro_batches)
    )
    return StepTimeline(
        version=__version__,
        subject=subject,
        layout=layout,
        num_micro_batches=estimate.num_micro_batches,
        pipeline_s=found.makespan_s,
        closed_pipeline_s=closed_s,
        busy_s=busy_s,
        closed_busy_s=closed_s - parts["bubble"] - parts["pp_comm"],
        bubble_s=without.makespan_s - busy_s,
        closed_bubble_s=parts["bubble"],
        transfers_s=found.makespan_s - without.makespan_s,
        closed_transfers_s=parts["pp_comm"],
        step_s=estimate.step_s - closed_s + found.makespan_s,
        estimated_step_s=estimate.step_s,
        equal_chunks=made.even,
        within_closed_form=bool(bubble_is_exact(code, pp, vpp, batches)[0]),
        stages=_stages(found, made.activation_bytes, layout),
        operations=_operations(found),
        transfers=_transfers(found),
        windows_s=((0.0, found.makespan_s),),
    )


def _stages(found: Timeline, activation_bytes: Array, layout: Layout) -> tuple[StageTimeline, ...]:
    in_bytes = held_over_time(found, activation_bytes)
    in_chunks = held_over_time(found, np.ones(found.order.num_chunks))
    return tuple(
        StageTimeline(
            stage=stage,
            busy_s=float(found.busy_s[stage]),
            held_s=float(found.held_s[stage]),
            idle_s=float(found.idle_s[stage]),
            peak_micro_batches=chunks.peak / layout.vpp,
            peak_activation_bytes=held.peak,
            held_time_s=_floats(held.time_s),
            held_bytes=_floats(held.level),
        )
        for stage, (held, chunks) in enumerate(zip(in_bytes, in_chunks, strict=True))
    )


def _operations(found: Timeline) -> Operations:
    return Operations(
        stage=tuple(found.device.tolist()),
        kind=tuple(found.kind.tolist()),
        chunk=tuple(found.chunk.tolist()),
        micro_batch=tuple(found.micro_batch.tolist()),
        start_s=_floats(found.start_s),
        end_s=_floats(found.end_s),
        with_next=tuple(found.with_next.tolist()),
    )


def _transfers(found: Timeline) -> StageTransfers:
    rows, to_stage, start_s, end_s = found.transfers()
    return StageTransfers(
        kind=tuple(found.kind[rows].tolist()),
        from_stage=tuple(found.device[rows].tolist()),
        to_stage=tuple(to_stage.tolist()),
        micro_batch=tuple(found.micro_batch[rows].tolist()),
        start_s=_floats(start_s),
        end_s=_floats(end_s),
    )


def _floats(values: Array) -> tuple[float, ...]:
    return tuple(values.tolist())


def shortened(timeline: StepTimeline, most_operations: int) -> StepTimeline:
    """The timeline with about so many operations: those of its start, of a part of its middle and of its end."""
    starts = np.array(timeline.operations.start_s)
    if len(starts) <= most_operations:
        return timeline
    ordered = np.sort(starts)
    third, middle = most_operations // 3, len(starts) // 2
    windows = (
        (0.0, float(ordered[third])),
        (float(ordered[middle - third // 2]), float(ordered[middle + third // 2])),
        (float(ordered[-third]), timeline.pipeline_s),
    )
    return timeline.model_copy(
        update={
            "windows_s": windows,
            "operations": _within(timeline.operations, windows),
            "transfers": _within(timeline.transfers, windows),
            "stages": tuple(_held_within(stage, windows) for stage in timeline.stages),
        }
    )


def _within(columns: Columns, windows: tuple[tuple[float, float], ...]) -> Columns:
    """The rows that overlap with any of the windows."""
    start_s, end_s = np.array(columns.start_s), np.array(columns.end_s)
    keep = np.flatnonzero(np.any([(start_s < end) & (end_s > begin) for begin, end in windows], axis=0)).tolist()
    return columns.model_copy(
        update={name: tuple(values[row] for row in keep) for name, values in columns if isinstance(values, tuple)}
    )


def _held_within(stage: StageTimeline, windows: tuple[tuple[float, float], ...]) -> StageTimeline:
    """Activations within the windows, each from its start on."""
    times = np.array(stage.held_time_s)
    levels = np.concatenate(([0.0], stage.held_bytes))
    time_s: list[float] = []
    held: list[float] = []
    for begin, end in windows:
        first, last = np.searchsorted(times, begin, "right"), np.searchsorted(times, end, "left")
        time_s += [begin, *times[first:last].tolist()]
        held += levels[first : last + 1].tolist()
    return stage.model_copy(update={"held_time_s": tuple(time_s), "held_bytes": tuple(held)})
