"""Where the wall time of a run went, by the categories of simulations, from what ranks and supervisor wrote. Pure.

Between start and end every moment belongs to one category:

- training, from the first step of a life to the last step or checkpoint that it finished, is told by ranks alone:
  - `checkpoint`: for as long as each checkpoint says that it blocked, right after its step; of a life that finished,
    also the wait for the last one;
  - `lost_work`: the rest of a step that a later life began behind;
  - `degraded`: what a step that lasted took beyond the run's own median, while a rank was named slow;
  - `productive`: the rest of steps that lasted. The step under way when one looks counts here, too;
- outside of training, by the last mark:
  - `detection`: from the last thing that a life finished until somebody noticed its end: the supervisor, or the
    agent or scheduler that started ranks again. The step that broke off lies within, since nobody knows when it did;
  - `diagnosis`: from then until somebody decided what to do (`restart`, `submitted`, or ranks that start);
  - `waiting`: from a submission, or its return to the queue, until it runs;
  - `restart`: from the decision to the first step, less the waiting; the first start of a run, too;
  - `maintenance`: from when somebody asked for the end until it came.

Nothing is left over: the parts sum to the wall time. What happened to the supervisor does not matter unless it
noticed something later for it: events that are told twice, or of its own coming back, change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from myriad.run.lives import Life
from myriad.run.readings import life_order
from myriad.spec.ledger import CATEGORIES
from myriad.spec.run import RunEvent, StepRecord

WARMUP_STEPS: Final = 2
"""First steps of each life that no median counts: allocators, caches and communicators are set up in them."""

Window = tuple[float, float]


@dataclass(frozen=True)
class Segment:
    """One stretch of a run's time; Unix times."""

    begin_s: float
    end_s: float
    category: str
    life: str | None = None


@dataclass(frozen=True)
class Ledger:
    """The books of one run."""

    segments: tuple[Segment, ...]
    """In order, without a gap."""
    seconds: dict[str, float]
    """By `spec.ledger.CATEGORIES`; sums to `wall_s`."""
    wall_s: float
    usual_step_s: float | None
    """See `usual_step_s`; `None` where no step lasted."""
    interruptions_s: tuple[float, ...]
    """Ends of lives that had trained and did not finish: Unix times of the last thing that each finished."""
    restarts_s: tuple[float, ...]
    """Each time that training went on after one: from the decision to the first step, less waiting."""


@dataclass(frozen=True)
class _Training:
    life: Life
    begin_s: float
    stop_s: float
    finished: bool
    alive: bool
    """It may be training now."""


def ledger(lives: Sequence[Life], events: Iterable[RunEvent], start_s: float, end_s: float, ended: bool) -> Ledger:
    """The books from `start_s` to `end_s`; `ended`: the run is over, otherwise its last life may be training."""
    end_s = max(end_s, start_s)
    told = sorted(dict.fromkeys(events), key=lambda one: one.time_s)
    records = [one for life in lives for one in life.steps]
    slow = slow_windows(lives, told, end_s)
    usual = usual_step_s(records, slow)
    trainings = list(_trainings(lives, told, start_s, end_s, ended))
    segments: list[Segment] = []
    restarts_s = []
    now_s, state = start_s, "restart"
    for index, one in enumerate(trainings):
        before = list(_outside(lives, told, now_s, one.begin_s, state, start_s))
        if index:
            restarts_s.append(sum(part.end_s - part.begin_s for part in before if part.category == "restart"))
        segments += [*before, *_inside(one, usual, slow)]
        now_s, state = one.stop_s, _state_after(one, told)
    segments += _outside(lives, told, now_s, end_s, state, start_s)
    segments = list(_joined(segments))
    seconds = dict.fromkeys(CATEGORIES, 0.0)
    for part in segments:
        seconds[part.category] += part.end_s - part.begin_s
    cancelled = any(one.kind in ("cancel", "cancelled") for one in told)
    last = len(trainings) - 1
    return Ledger(
        segments=tuple(segments),
        seconds=seconds,
        wall_s=end_s - start_s,
        usual_step_s=usual,
        interruptions_s=tuple(
            one.stop_s
            for index, one in enumerate(trainings)
            if not (one.finished or one.alive or (index == last and cancelled))
        ),
        restarts_s=tuple(restarts_s),
    )


def _joined(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Neighbours of one kind as one; none that is empty."""
    last: Segment | None = None
    for part in segments:
        if part.end_s <= part.begin_s:
            continue
        if last is not None and (last.category, last.life) == (part.category, part.life):
            last = replace(last, end_s=part.end_s)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last


def usual_step_s(steps: Sequence[StepRecord], slow: Sequence[Window] = ()) -> float | None:
    """Median time of settled steps, in seconds; where there are none, of all that lasted, `None` where none did."""
    counted = settled_steps(steps, slow) or [one for one in steps if one.kept]
    return median(one.step_s for one in counted) if counted else None


def settled_steps(steps: Sequence[StepRecord], slow: Sequence[Window] = ()) -> list[StepRecord]:
    """Steps that lasted, without the first of each life (`WARMUP_STEPS`), and those while a rank was slow."""
    seen: dict[str, int] = {}
    found = []
    for one in steps:
        seen[one.life] = seen.get(one.life, 0) + 1
        if one.kept and seen[one.life] > WARMUP_STEPS and not _is_in(one.time_s, slow):
            found.append(one)
    return found


def slow_windows(lives: Sequence[Life], events: Sequence[RunEvent], end_s: float) -> tuple[Window, ...]:
    """When a rank was named slow: until it was seen to have recovered, or the next life began."""
    found = []
    for one in events:
        if one.kind == "slow-rank":
            ends = [end_s, *(life.begin_s for life in lives if life.begin_s > one.time_s)]
            ends += [
                other.time_s
                for other in events
                if other.kind == "slow-recovered" and other.time_s >= one.time_s and other.rank in (one.rank, None)
            ]
            found.append((one.time_s, min(ends)))
    return tuple(found)


def _is_in(time_s: float, windows: Sequence[Window]) -> bool:
    return bool(windows) and any(begin_s < time_s <= end_s for begin_s, end_s in windows)


def _clamp(value: float, low: float, high: float) -> float:
    return max(low, min(value, high))


def _trainings(
    lives: Sequence[Life], events: Sequence[RunEvent], start_s: float, end_s: float, ended: bool
) -> Iterator[_Training]:
    """When each life that made a step trained; they do not overlap, whatever clocks did."""
    now_s = start_s
    for index, life in enumerate(lives):
        if not life.steps:
            continue
        last = index == len(lives) - 1
        limit_s = end_s if last else _clamp(lives[index + 1].begin_s, now_s, end_s)
        first = life.steps[0]
        # Of the first step some frameworks count what came before their ranks were ready, too.
        begin_s = _clamp(max(first.time_s - first.step_s, life.begin_s), now_s, limit_s)
        alive = last and not ended and not life.finished and not _is_over(life, events)
        if alive:
            stop_s = limit_s
        elif life.finished:
            stop_s = _clamp(life.last_s, begin_s, limit_s)
        else:
            newest = max(one.time_s for one in life.steps)
            stop_s = _clamp(newest + _last_blocking_s(life, newest), begin_s, limit_s)
        finished = life.finished or (last and any(one.kind == "finished" for one in events))
        yield _Training(life, begin_s, stop_s, finished, alive)
        now_s = stop_s


def _is_over(life: Life, events: Sequence[RunEvent]) -> bool:
    """Whether somebody saw the last life end, or decided that it should."""
    over = ("exit", "hang", "node-failed", "restart", "submitted", "queued", "finished", "failed", "cancelled")
    return any(one.kind in over and one.time_s >= life.last_s for one in events)


def _last_blocking_s(life: Life, newest_s: float) -> float:
    """Seconds for which a checkpoint of the last step stopped training."""
    step = life.steps[-1].step
    return sum(
        min(one.blocking_s or 0.0, max(one.time_s - newest_s, 0.0)) for one in life.checkpoints if one.step == step
    )


def _inside(training: _Training, usual: float | None, slow: Sequence[Window]) -> Iterator[Segment]:
    life, now_s, blocked_s = training.life, training.begin_s, 0.0
    blocking = {one.step: one.blocking_s or 0.0 for one in life.checkpoints}
    for one in life.steps:
        end_s = _clamp(one.time_s, now_s, training.stop_s)
        begin_s = min(now_s + blocked_s, end_s)
        if blocked_s:
            yield Segment(now_s, begin_s, "checkpoint", life.name)
        if not one.kept:
            yield Segment(begin_s, end_s, "lost_work", life.name)
        elif usual and _is_in(one.time_s, slow):
            full_s = max(end_s - max(one.step_s - usual, 0.0), begin_s)
            yield Segment(begin_s, full_s, "productive", life.name)
            yield Segment(full_s, end_s, "degraded", life.name)
        else:
            yield Segment(begin_s, end_s, "productive", life.name)
        now_s, blocked_s = end_s, blocking.get(one.step, 0.0)
    begin_s = min(now_s + blocked_s, training.stop_s) if training.alive else training.stop_s
    yield Segment(now_s, begin_s, "checkpoint", life.name)
    yield Segment(begin_s, training.stop_s, "productive", life.name)


def _state_after(training: _Training, events: Sequence[RunEvent]) -> str:
    """Whoever decided during the last step that a life ends did so before it ended; who asked for it, at any time."""
    steps = training.life.steps
    since_s = steps[-2].time_s if len(steps) > 1 else training.begin_s
    state = "detection"
    for one in events:
        if one.time_s <= training.stop_s and (
            one.kind == "cancel" or (one.time_s >= since_s and one.kind in ("exit", "restart"))
        ):
            state = _next(state, one.kind)
    return state


def _next(state: str, kind: str) -> str:
    """The category after an event of the supervisor, or `begin` or `end` of a life that made no step."""
    match kind:
        case _ if state == "maintenance":
            return state
        case "submitted" | "adopted" | "queued":
            return "waiting"
        case "running":
            return "restart" if state == "waiting" else state
        case "begin" | "restart":
            return "restart"
        case "end":
            return "detection"
        case "exit" | "hang" | "node-failed" | "unhealthy-node":
            return "diagnosis" if state in ("detection", "restart", "waiting") else state
        case "cancel":
            return "maintenance"
    return state


def _outside(
    lives: Sequence[Life], events: Sequence[RunEvent], begin_s: float, end_s: float, state: str, start_s: float
) -> Iterator[Segment]:
    """What lies between two stretches of training."""
    begun = [(life_order(life.name)[0], life.begin_s) for life in lives]
    marks: list[tuple[float, str]] = [
        (one.time_s, one.kind)
        for one in events
        # A submission that was found again may be waiting, unless its ranks have begun.
        if one.kind != "adopted"
        or (one.submission is not None and not any(of == one.submission and at <= one.time_s for of, at in begun))
    ]
    for index, life in enumerate(lives):
        marks.append((life.begin_s, "begin"))
        if not life.steps and (index < len(lives) - 1 or _is_over(life, events)):
            marks.append((life.last_s, "end"))
    now_s = begin_s
    # What happened at the very begin is already in the state, but for the start of the run.
    for time_s, kind in sorted(marks, key=lambda one: one[0]):
        if begin_s < time_s <= end_s or time_s == begin_s == start_s:
            yield Segment(now_s, time_s, state)
            now_s, state = time_s, _next(state, kind)
    yield Segment(now_s, end_s, state)
