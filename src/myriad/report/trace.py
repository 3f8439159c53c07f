"""A timeline as a trace in Chrome's event format, which Perfetto and chrome://tracing open.

One process per stage, with a track for operations, one for what goes out, and a counter of activations. Where
something on a track would overlap, a further track takes it. Times are microseconds, to the nanosecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from myriad.spec.timeline import OPERATION_KINDS, StepTimeline

Event = dict[str, Any]

#: Names of Chrome's own palette, so that kinds differ at a glance.
_COLOURS = {"forward": "thread_state_running", "backward": "thread_state_iowait", "weight_gradient": "good"}
_OPERATIONS, _TRANSFERS = 1, 101
"""First track of each sort."""


def timeline_trace(timeline: StepTimeline) -> str:
    """The text of the trace file."""
    events = [*_names(timeline), *sorted(_events(timeline), key=lambda event: (event["ts"], event["pid"]))]
    trace = {
        "displayTimeUnit": "ms",
        "otherData": {
            "subject": timeline.subject,
            "layout": timeline.layout.text(),
            "micro_batches": timeline.num_micro_batches,
        },
        "traceEvents": events,
    }
    return json.dumps(trace, ensure_ascii=False, allow_nan=False) + "\n"


def _names(timeline: StepTimeline) -> Iterator[Event]:
    for stage in range(len(timeline.stages)):
        yield _metadata(stage, 0, "process_name", {"name": f"stage {stage}"})
        yield _metadata(stage, 0, "process_sort_index", {"sort_index": stage})
        yield _metadata(stage, _OPERATIONS, "thread_name", {"name": "operations"})
        yield _metadata(stage, _TRANSFERS, "thread_name", {"name": "transfers"})


def _metadata(stage: int, track: int, name: str, args: Mapping[str, Any]) -> Event:
    return {"ph": "M", "pid": stage, "tid": track, "ts": 0, "name": name, "args": dict(args)}


def _events(timeline: StepTimeline) -> Iterator[Event]:
    operations, transfers = timeline.operations, timeline.transfers
    tracks = _Tracks()
    for stage, kind, chunk, batch, start_s, end_s in zip(
        operations.stage, operations.kind, operations.chunk, operations.micro_batch, operations.start_s,
        operations.end_s, strict=True,
    ):  # fmt: skip
        name = OPERATION_KINDS[kind]
        args = {"micro_batch": batch, "chunk": chunk}
        yield tracks.slice_of(stage, _OPERATIONS, f"{name} {batch}", name, (start_s, end_s), args) | {
            "cname": _COLOURS[name]
        }
    sent = sorted(
        zip(
            transfers.from_stage, transfers.start_s, transfers.end_s, transfers.kind, transfers.to_stage,
            transfers.micro_batch, strict=True,
        )
    )  # fmt: skip
    for stage, start_s, end_s, kind, to_stage, batch in sent:
        args = {"micro_batch": batch, "to_stage": to_stage}
        name = f"{OPERATION_KINDS[kind]} {batch} to stage {to_stage}"
        yield tracks.slice_of(stage, _TRANSFERS, name, "transfer", (start_s, end_s), args)
    for one in timeline.stages:
        for time_s, held in zip(one.held_time_s, one.held_bytes, strict=True):
            yield {
                "ph": "C", "pid": one.stage, "tid": 0, "ts": _microseconds(time_s), "name": "activations",
                "args": {"bytes": round(held)},
            }  # fmt: skip


class _Tracks:
    """Until when the tracks of each stage are taken, in microseconds."""

    def __init__(self) -> None:
        self._taken: dict[tuple[int, int], float] = {}

    def slice_of(
        self, stage: int, track: int, name: str, category: str, span_s: tuple[float, float], args: Mapping[str, Any]
    ) -> Event:
        """A slice on the first track of its sort that is free."""
        start, end = (_microseconds(seconds) for seconds in span_s)
        while self._taken.get((stage, track), 0.0) > start:
            track += 1
        self._taken[stage, track] = end
        return {
            "ph": "X", "pid": stage, "tid": track, "ts": start, "dur": round(end - start, 3), "name": name,
            "cat": category, "args": dict(args),
        }  # fmt: skip


def _microseconds(seconds: float) -> float:
    return round(seconds * 1e6, 3)
