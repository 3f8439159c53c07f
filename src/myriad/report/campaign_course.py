"""The course of one simulated life: what the job did when, how far its work was, and its incidents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.spec.campaign_result import CampaignResult, LifeEvent

Array = npt.NDArray[np.float64]

STATES: Final = ("running", "slowed", "stopped", "restarting", "waiting", "down")
_WORKS: Final = ("running", "slowed")
_BEFORE, _AFTER = 2, 4
"""Incidents shown before and after the start of the costliest one."""


@dataclass(frozen=True)
class Incident:
    """One interruption of the life."""

    index: int
    """Of its event in the life."""
    start_s: float
    cause: str
    component: str
    node: int | None
    lost_s: float
    stood_s: float
    """From its start, or where it was not seen at once its detection, until the job worked again."""


@dataclass(frozen=True)
class Course:
    """A life from its start to `end_s`."""

    end_s: float
    times_s: Array
    """Where the state changes, from 0 to `end_s`."""
    states: npt.NDArray[np.int64]
    """Between them, index into `STATES`: one fewer than times."""
    point_s: Array
    work_s: Array
    """Work that is done and kept at `point_s`; two points of one time are a step down."""
    incidents: tuple[Incident, ...]

    def state_s(self, state: str, edges_s: Array) -> Array:
        """Time in a state between each two edges, in seconds. Shape (len(edges_s) - 1,)."""
        lengths = np.diff(self.times_s) * (self.states == STATES.index(state))
        return np.diff(np.interp(edges_s, self.times_s, np.concatenate([[0.0], np.cumsum(lengths)])))


def course_of(result: CampaignResult) -> Course | None:
    """The course of the life that the result shows, or `None` where it shows none.

    Between events work grows at the pace that ends where the life's books end; what checkpoints and slow hours take
    is spread over it.
    """
    if not result.life:
        return None
    end_s = sum(result.life_ledger_s.values()) or result.life[-1].time_s
    seen = _seen(result)
    changes = list(_changes(result, seen))
    times, states = [0.0], ["running"]
    for time_s, state in changes:
        if state == states[-1]:
            continue
        if time_s <= times[-1]:
            states[-1] = state
        else:
            times.append(min(time_s, end_s))
            states.append(state)
    times_s = np.array([*times, end_s])
    works = np.array([one in _WORKS for one in states])
    losses = [(seen.get(index, event.time_s), event.lost_s) for index, event in enumerate(result.life) if event.lost_s]
    worked_s = np.concatenate([[0.0], np.cumsum(np.diff(times_s) * works)])
    done_s = result.life_ledger_s.get("productive", 0.0) + sum(lost_s for _, lost_s in losses)
    pace = done_s / worked_s[-1] if worked_s[-1] > 0.0 else 0.0
    point_s, work_s = _work(np.array(sorted(losses)).reshape(-1, 2), times_s, pace * worked_s)
    return Course(
        end_s,
        times_s,
        np.array([STATES.index(one) for one in states]),
        point_s,
        work_s,
        _incidents(result, seen, times_s, works),
    )


def _seen(result: CampaignResult) -> dict[int, float]:
    """Of failures that spoil the state unseen: index of the event -> time of its detection."""
    spoils = {cause.name for cause in result.causes if cause.effect == "corrupt"}
    found: dict[int, float] = {}
    unseen: dict[tuple[str, int | None], list[int]] = {}
    for index, event in enumerate(result.life):
        if event.cause not in spoils or event.kind not in ("failure", "detected"):
            continue
        waiting = unseen.setdefault((event.cause, event.node), [])
        if event.kind == "failure":
            waiting.append(index)
            found[index] = np.inf
        elif event.kind == "detected" and waiting:
            found[waiting.pop(0)] = event.time_s
    return found


def _changes(result: CampaignResult, seen: dict[int, float]) -> Iterator[tuple[float, str]]:
    """Time and state of the job after each event that changes it."""
    slow: set[tuple[str, int | None]] = set()
    small, state, planned = False, "running", False
    for index, event in enumerate(result.life):
        kind = event.kind
        if kind == "slow":
            slow.add((event.cause, event.node))
        elif kind == "recovered":
            slow.discard((event.cause, event.node))
        elif slow and kind in ("failure", "repaired"):
            slow = {one for one in slow if one[1] is None or one[1] != event.node}
        if kind in ("shrunk", "grown"):
            small = kind == "shrunk"
        elif kind == "maintenance":
            planned = True
        elif kind == "running":
            state, planned = "running", False
        elif kind == "restart":
            state = "restarting"
        elif kind == "waiting":
            state = "down" if planned else "waiting"
        elif _stops(result, event, index in seen):
            state = "stopped"
        yield event.time_s, "slowed" if state == "running" and (slow or small) else state


def _stops(result: CampaignResult, event: LifeEvent, unseen: bool) -> bool:
    """Whether the job stands still from this event on: replicas go on, except where their state is spoiled."""
    if result.mode == "replica":
        effects = {cause.name: cause.effect for cause in result.causes}
        return event.kind == "detected" and effects.get(event.cause) == "corrupt"
    return event.kind == "detected" or (event.kind == "failure" and not unseen)


def _work(losses: Array, times_s: Array, worked_s: Array) -> tuple[Array, Array]:
    """The line of work kept: all that was worked, less what was lost until then. `losses`: times and amounts."""
    lost_at, total = losses[:, 0], np.concatenate([[0.0], np.cumsum(losses[:, 1])])
    lost_at = lost_at[lost_at <= times_s[-1]]
    point_s = np.sort(np.concatenate([times_s, lost_at, lost_at]), kind="stable")
    # The last point of each time lies after what was lost then, the others before.
    last = np.append(point_s[1:] > point_s[:-1], True)
    sides = (np.searchsorted(lost_at, point_s, side=side) for side in ("right", "left"))
    gone = np.where(last, *(total[side] for side in sides))
    return point_s, np.maximum(np.interp(point_s, times_s, worked_s) - gone, 0.0)


def _incidents(
    result: CampaignResult, seen: dict[int, float], times_s: Array, works: npt.NDArray[np.bool_]
) -> tuple[Incident, ...]:
    components = {cause.name: cause.component for cause in result.causes}
    # Of each stretch the start of the next one in which the job works, or the end.
    starts = np.where(works, times_s[:-1], np.inf)
    again = np.minimum.accumulate(np.append(starts, times_s[-1])[::-1])[::-1]
    shown = [(index, event) for index, event in enumerate(result.life) if event.kind in ("failure", "slow")]
    from_s = np.minimum([seen.get(index, event.time_s) for index, event in shown], times_s[-1])
    stretch = np.minimum(np.searchsorted(times_s, from_s, side="right"), len(times_s) - 1) - 1
    stood_s = np.maximum(again[stretch] - from_s, 0.0).tolist()
    return tuple(
        Incident(
            index, event.time_s, event.cause, components.get(event.cause, "unknown"), event.node, event.lost_s, stood
        )
        for (index, event), stood in zip(shown, stood_s, strict=True)
    )


def story(result: CampaignResult, incident: Incident) -> list[tuple[str, float]]:
    """What the job did after an incident until it worked again or the next one came: kinds of events, seconds after."""
    told: list[tuple[str, float]] = []
    for event in result.life[incident.index + 1 :]:
        if event.kind in ("failure", "slow"):
            break
        if event.kind != "repaired":
            told.append((event.kind, event.time_s - incident.start_s))
        if event.kind in ("running", "recovered", "finished"):
            break
    return told


def costliest_stretch(course: Course) -> tuple[float, float, tuple[Incident, ...]] | None:
    """Start, end and incidents of the hours around the incident that cost most; `None` without incidents."""
    incidents = course.incidents
    if not incidents:
        return None
    worst = max(range(len(incidents)), key=lambda index: incidents[index].lost_s + incidents[index].stood_s)
    first, last = max(0, worst - _BEFORE), min(len(incidents), worst + _AFTER)
    shown = incidents[first:last]
    back_s = max(one.start_s + one.stood_s for one in shown)
    room_s = max(0.08 * (back_s - shown[0].start_s), 600.0)
    start_s, end_s = max(0.0, shown[0].start_s - room_s), min(course.end_s, back_s + room_s)
    return start_s, end_s, tuple(one for one in incidents if start_s <= one.start_s <= end_s)
