"""One simulated life as a picture needs it: what the job did when, how far its work was, and its incidents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.spec.campaign_result import CampaignResult, LifeEvent

Array = npt.NDArray[np.float64]

STATES: Final = ("running", "slowed", "stopped", "restarting", "waiting", "down")
_LEADS_TO: Final = {
    "running": "running", "recovered": "running", "grown": "running", "slow": "slowed", "shrunk": "slowed",
    "failure": "stopped", "restart": "restarting", "waiting": "waiting", "maintenance": "down",
}  # fmt: skip
"""State of the job after an event; the others change nothing."""
_WORKS: Final = ("running", "slowed")
_BEFORE, _AFTER = 2, 4
"""Incidents shown before and after the costliest one."""


@dataclass(frozen=True)
class Incident:
    """One interruption of the life."""

    start_s: float
    cause: str
    component: str
    node: int | None
    lost_s: float
    stood_s: float
    """Until the job worked again."""


@dataclass(frozen=True)
class LifeTrace:
    """A life from its start to `end_s`."""

    end_s: float
    times_s: Array
    """Where the state changes, from 0 to `end_s`."""
    states: tuple[str, ...]
    """Between them: one fewer than times."""
    point_s: Array
    work_s: Array
    """Work that is done and kept at `point_s`; two points of one time are a step down."""
    incidents: tuple[Incident, ...]

    def state_s(self, state: str, edges_s: Array) -> Array:
        """Time in a state between each two edges, in seconds. Shape (len(edges_s) - 1,)."""
        lengths = np.diff(self.times_s) * np.array([one == state for one in self.states])
        return np.diff(np.interp(edges_s, self.times_s, np.concatenate([[0.0], np.cumsum(lengths)])))


def life_trace(result: CampaignResult) -> LifeTrace | None:
    """The life that the result shows, or `None` where it shows none.

    Between events work grows at the pace that ends where the life's books end; what checkpoints and slow hours take
    is spread over it.
    """
    if not result.life:
        return None
    events = sorted(result.life, key=lambda event: event.time_s)
    end_s = sum(result.life_ledger_s.values()) or events[-1].time_s
    events = [event for event in events if event.time_s <= end_s * (1 + 1e-9)]
    times, states = [0.0], ["running"]
    for event in events:
        if (state := _LEADS_TO.get(event.kind)) is not None and state != states[-1]:
            times.append(min(event.time_s, end_s))
            states.append(state)
    times_s = np.array([*times, end_s])
    done_s = result.life_ledger_s.get("productive", 0.0) + sum(event.lost_s for event in events)
    working_s = np.concatenate([[0.0], np.cumsum(np.diff(times_s) * np.array([one in _WORKS for one in states]))])
    pace = done_s / working_s[-1] if working_s[-1] > 0.0 else 0.0
    point_s, work_s = _work(events, times_s, pace * working_s)
    return LifeTrace(end_s, times_s, tuple(states), point_s, work_s, _incidents(events, times_s, states, result))


def _work(events: list[LifeEvent], times_s: Array, worked_s: Array) -> tuple[Array, Array]:
    """The line of work kept: all that was worked, less what was lost until then."""
    losses = [event for event in events if event.lost_s > 0.0]
    lost_at, lost_s = (np.array([getattr(one, name) for one in losses]) for name in ("time_s", "lost_s"))
    point_s = np.sort(np.concatenate([times_s, lost_at, lost_at]), kind="stable")
    total = np.concatenate([[0.0], np.cumsum(lost_s)])
    before = np.searchsorted(lost_at, point_s, side="left")
    after = np.searchsorted(lost_at, point_s, side="right")
    # The last point of each time lies after what was lost then, the others before.
    last = np.append(point_s[1:] > point_s[:-1], True)
    gone = np.where(last, total[after], total[before])
    return point_s, np.maximum(np.interp(point_s, times_s, worked_s) - gone, 0.0)


def _incidents(
    events: list[LifeEvent], times_s: Array, states: list[str], result: CampaignResult
) -> tuple[Incident, ...]:  # fmt: skip
    components = {cause.name: cause.component for cause in result.causes}
    works = np.array([one in _WORKS for one in states])
    found = []
    for event in events:
        if event.kind not in ("failure", "slow"):
            continue
        index = int(np.searchsorted(times_s[:-1], event.time_s, side="right")) - 1
        following = np.flatnonzero(works[index:])
        again_s = times_s[index + following[0]] if len(following) else times_s[-1]
        stood_s = max(0.0, float(again_s) - event.time_s)
        component = components.get(event.cause, "unknown")
        found.append(Incident(event.time_s, event.cause, component, event.node, event.lost_s, stood_s))
    return tuple(found)


def costliest_stretch(trace: LifeTrace) -> tuple[float, float, tuple[Incident, ...]] | None:
    """Start, end and incidents of the hours around the incident that cost most; `None` without incidents."""
    incidents = trace.incidents
    if not incidents:
        return None
    worst = max(range(len(incidents)), key=lambda index: incidents[index].lost_s + incidents[index].stood_s)
    first, last = max(0, worst - _BEFORE), min(len(incidents), worst + _AFTER)
    shown = incidents[first:last]
    back_s = shown[-1].start_s + shown[-1].stood_s
    room_s = max(0.08 * (back_s - shown[0].start_s), 600.0)
    return max(0.0, shown[0].start_s - room_s), min(trace.end_s, back_s + room_s), shown
