"""The Chrome Trace Event format, as strictly as its description allows ("Trace Event Format", Duk and Sinclair, 2016).

Complete events (X), instants (i), counters (C) and metadata (M) in the JSON object form. Perfetto's importer reads
these; on a track it drops slices that overlap without one lying within the other.
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    name: str = Field(min_length=1)
    pid: int = Field(ge=0)
    tid: int = Field(ge=0)
    ts: float = Field(ge=0)


class Slice(_Event):
    ph: Literal["X"]
    dur: float = Field(ge=0)
    cat: str = Field(min_length=1)
    cname: str | None = None
    args: dict[str, int | float | str]


class Instant(_Event):
    ph: Literal["i"]
    s: Literal["t", "p", "g"]
    """Scope: its track, its process or all."""
    args: dict[str, int | float | str]


class Counter(_Event):
    ph: Literal["C"]
    args: dict[str, int | float] = Field(min_length=1)


class ProcessName(_Event):
    ph: Literal["M"]
    name: Literal["process_name", "thread_name"]
    args: dict[Literal["name"], str]


class SortIndex(_Event):
    ph: Literal["M"]
    name: Literal["process_sort_index", "thread_sort_index"]
    args: dict[Literal["sort_index"], int]


class Trace(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    displayTimeUnit: Literal["ms", "ns"]
    otherData: dict[str, int | str]
    traceEvents: list[Annotated[Slice | Instant | Counter | ProcessName | SortIndex, Field()]]

    def of(self, kind: type) -> list:
        return [event for event in self.traceEvents if isinstance(event, kind)]


def checked(text: str) -> Trace:
    """The trace of a file. Fails unless it is valid, in order, and without overlaps on any track."""
    trace = Trace.model_validate(json.loads(text))
    timed = [event.ts for event in trace.traceEvents if event.ph != "M"]
    assert timed == sorted(timed)
    names = {(e.pid, e.name) for e in trace.of(ProcessName) if e.name == "process_name"}
    assert len(names) == len({e.pid for e in trace.traceEvents})
    tracks = defaultdict(list)
    for event in trace.of(Slice):
        tracks[event.pid, event.tid].append(event)
    for slices in tracks.values():
        for before, after in pairwise(slices):
            assert round(before.ts + before.dur, 3) <= after.ts
    levels = defaultdict(list)
    for event in trace.of(Counter):
        levels[event.pid, event.name].append(event.ts)
        assert all(value >= 0 for value in event.args.values())
    assert all(len(set(times)) == len(times) for times in levels.values())
    return trace
