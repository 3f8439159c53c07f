"""The lives of a run, from its steps and the other events of its ranks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from myriad.run.readings import RankEventOf, life_order
from myriad.spec.run import RankEvent, StepRecord


@dataclass(frozen=True)
class Life:
    """Ranks from one start to their end."""

    name: str
    begin_s: float
    """When the first of its processes started; Unix time."""
    read_s: float | None
    """Longest reading of the checkpoint that it began from, by one rank."""
    steps: tuple[StepRecord, ...]
    """In order."""
    checkpoints: tuple[RankEvent, ...]
    """One for each step after which one was saved."""
    last_s: float
    """The last thing that any rank finished."""
    finished: bool
    """Whether its rank 0 wrote `finish`."""


def lives_of(steps: Iterable[StepRecord], events: Iterable[RankEventOf]) -> tuple[Life, ...]:
    """The lives in which a rank wrote something, oldest first. What is told twice counts once."""
    steps_by: dict[str, dict[int, StepRecord]] = {}
    events_by: dict[str, list[RankEvent]] = {}
    for step in steps:
        steps_by.setdefault(step.life, {}).setdefault(step.step, step)
    for one in events:
        if one.event.kind == "wait":  # nothing that began or was finished
            continue
        events_by.setdefault(one.life, []).append(one.event)
    names = sorted({*steps_by, *events_by}, key=life_order)
    return tuple(_life(name, steps_by.get(name, {}), events_by.get(name, [])) for name in names)


def _life(name: str, steps: dict[int, StepRecord], events: list[RankEvent]) -> Life:
    checkpoints: dict[int, RankEvent] = {}
    for one in events:
        if one.kind == "checkpoint" and one.step is not None:
            checkpoints.setdefault(one.step, one)
    starts = [one for one in events if one.kind == "start"]
    begins = [one.time_s - (one.start_s or 0.0) for one in starts]
    # Without its start, a life began with the first thing that is told of it.
    begins = begins or [one.time_s - one.step_s for one in steps.values()] or [one.time_s for one in events]
    times = [one.time_s for one in steps.values()] + [one.time_s for one in events]
    return Life(
        name=name,
        begin_s=min(begins),
        read_s=max((one.read_s for one in starts if one.read_s is not None), default=None),
        steps=tuple(steps[step] for step in sorted(steps)),
        checkpoints=tuple(checkpoints[step] for step in sorted(checkpoints)),
        last_s=max(times),
        finished=any(one.kind == "finish" for one in events),
    )


def tokens_lost(steps: Iterable[StepRecord]) -> int:
    """Tokens of the steps that did not last; every step of a run has as many."""
    return sum(round(one.tokens / one.step) for one in steps if not one.kept and one.tokens and one.step)
