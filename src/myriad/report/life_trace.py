"""The simulated life of a campaign as a trace in Chrome's event format, which Perfetto and chrome://tracing open.

One process per campaign: a track of what the job does, one of what happens on nodes, and a counter of work lost.
Trace viewers show microseconds up to hours; here a second of the campaign is a millisecond of the trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import accumulate, pairwise
from typing import Any, Final

from myriad.spec.campaign_result import CampaignResult, LifeEvent, SimulatedPlan
from myriad.units import HOUR_S

Event = dict[str, Any]

MICROSECONDS_PER_S: Final = 1000.0
"""Of the trace, for each second that is simulated."""

_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "running": ("running", "thread_state_running"),
    "recovered": ("running", "thread_state_running"),
    "grown": ("running", "thread_state_running"),
    "shrunk": ("running on fewer nodes", "thread_state_runnable"),
    "slow": ("held back", "thread_state_runnable"),
    "failure": ("not yet detected", "terrible"),
    "detected": ("diagnosis", "bad"),
    "waiting": ("waiting for nodes", "thread_state_sleeping"),
    "restart": ("restart", "thread_state_iowait"),
    "maintenance": ("maintenance", "grey"),
    "finished": ("finished", "good"),
}
"""What a job does from an event of each kind on, and the colour of that in Chrome's palette."""
_JOB, _NODES = 1, 2


def life_trace(result: SimulatedPlan) -> str:
    """The text of the trace file."""
    events = [event for number, one in enumerate(result.campaigns) for event in _campaign(number, one)]
    trace = {
        "displayTimeUnit": "ms",
        "otherData": {"subject": result.system, "scale": "1 s of the campaign is 1 ms here"},
        "traceEvents": sorted(events, key=lambda event: (event["ph"] != "M", event["ts"], event["pid"])),
    }
    return json.dumps(trace, ensure_ascii=False, allow_nan=False) + "\n"


def _campaign(number: int, result: CampaignResult) -> Iterator[Event]:
    title = f"{result.job} on {result.pool}, run {result.life_run}"
    yield _metadata(number, 0, "process_name", {"name": title})
    yield _metadata(number, 0, "process_sort_index", {"sort_index": number})
    yield _metadata(number, _JOB, "thread_name", {"name": "job"})
    yield _metadata(number, _NODES, "thread_name", {"name": "nodes"})
    yield from _states(number, result.life, sum(result.life_ledger_s.values()))
    for event in result.life:
        if event.kind in ("failure", "slow", "repaired"):
            yield {
                "ph": "i", "pid": number, "tid": _NODES, "ts": _microseconds(event.time_s), "s": "t",
                "name": " ".join(filter(None, (event.kind, event.cause))), "args": _args(event),
            }  # fmt: skip
    lost_s: dict[float, float] = {}
    for event in result.life:
        if event.lost_s > 0.0:
            lost_s[_microseconds(event.time_s)] = lost_s.get(_microseconds(event.time_s), 0.0) + event.lost_s
    for at, hours in zip(lost_s, accumulate(lost / HOUR_S for lost in lost_s.values()), strict=True):
        yield {"ph": "C", "pid": number, "tid": 0, "ts": at, "name": "work lost", "args": {"hours": round(hours, 6)}}


def _states(number: int, life: tuple[LifeEvent, ...], end_s: float) -> Iterator[Event]:
    """Slices from each event that changes what the job does to the next one."""
    changes = [LifeEvent(time_s=0.0, kind="running")]
    changes += [event for event in life if event.kind in _STATES and event.time_s <= end_s]
    changes.append(LifeEvent(time_s=end_s, kind="finished"))
    for event, after in pairwise(changes):
        name, colour = _STATES[event.kind]
        start, end = _microseconds(event.time_s), _microseconds(after.time_s)
        if end > start:
            yield {
                "ph": "X", "pid": number, "tid": _JOB, "ts": start, "dur": round(end - start, 3), "name": name,
                "cat": event.kind, "cname": colour, "args": _args(event),
            }  # fmt: skip


def _args(event: LifeEvent) -> dict[str, Any]:
    values = {"cause": event.cause, "node": event.node, "lost_s": round(event.lost_s, 3)}
    return {name: value for name, value in values.items() if value not in ("", None, 0.0)}


def _metadata(process: int, track: int, name: str, args: Mapping[str, Any]) -> Event:
    return {"ph": "M", "pid": process, "tid": track, "ts": 0, "name": name, "args": dict(args)}


def _microseconds(seconds: float) -> float:
    return round(seconds * MICROSECONDS_PER_S, 3)
