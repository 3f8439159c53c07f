"""How a submission ended: why, how far it came, and how many before it came no further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from myriad.run import tables
from myriad.run.described import Sighting
from myriad.run.diagnosis import Cause, Starts, cause_of, log_end
from myriad.run.health import unhealthy_nodes
from myriad.run.readings import RunRecord, SubmissionRecord, life_order, rank_events_of
from myriad.run.store import Store
from myriad.run.watch import Watch
from myriad.spec.run import RankEvent


@dataclass(frozen=True)
class Ending:
    """What becomes of a run is decided by this."""

    finished: bool
    cause: Cause
    exit_code: int | None
    step: int | None
    """The last that the submission trained."""
    without_progress: int
    """Submissions in a row, this one included, none of which trained a step further than all before."""
    bad_nodes: tuple[str, ...]
    """That the next submission should do without."""


def intended(number: int, excluded_nodes: Sequence[str], now_s: float) -> dict[str, Any]:
    """The columns of a submission that is about to be made: written before the scheduler is asked."""
    return {
        "number": number, "state": "intended", "excluded_nodes": list(excluded_nodes), "intended_s": now_s, "nodes": [],
    }  # fmt: skip


def ending_of(
    store: Store, record: RunRecord, submissions: Sequence[SubmissionRecord], watch: Watch, seen: Sighting
) -> Ending:
    """The ending of the last submission, as the scheduler, its log and its ranks tell it."""
    run, number = record.summary.run, submissions[-1].number
    reached = _reached(store, run)
    step = reached.get(number)
    told_finish = any(life_order(one.life)[0] == number for one in rank_events_of(store, run, ("finish",)))
    finished = seen.exit_code == 0 or (seen.exit_code is None and told_finish)
    if finished:
        cause = Cause(_short(step, record.launch.steps, told_finish), exit_code=0)
    else:
        cause = cause_of_life(store, record, watch.life or f"{number:03d}.000", seen)
    return Ending(
        finished=finished, cause=cause, exit_code=seen.exit_code, step=step,
        without_progress=_without_progress([reached.get(one.number, 0) for one in submissions]),
        bad_nodes=_bad_nodes(record, number, watch, seen),
    )  # fmt: skip


def _short(step: int | None, steps: int, told_finish: bool) -> str:
    """What is odd about an end that calls itself a success; empty if nothing is."""
    if step is None:
        return "" if told_finish else f"ended by itself and told of none of its {steps} steps"
    return f"ended by itself at step {step} of {steps}" if step < steps else ""


def cause_of_life(store: Store, record: RunRecord, life: str, seen: Sighting) -> Cause:
    """Why the ranks of one life ended."""
    run = record.summary.run
    log = log_end(record.folder.logs / f"{life_order(life)[0]:03d}.log")
    starts: Starts = {start.rank: (start.pid, start.host) for start in starts_of(store, run, life)}
    return cause_of(
        log, starts, (one.event for one in rank_events_of(store, run, ("error",)) if one.life == life), seen
    )


def starts_of(store: Store, run: str, life: str) -> list[RankEvent]:
    """The starts of the ranks of one life."""
    return [one.event for one in rank_events_of(store, run, ("start",)) if one.life == life]


def _reached(store: Store, run: str) -> dict[int, int]:
    """The last step that any rank trained, by submission."""
    table = tables.steps
    with store.reading() as connection:
        chosen = select(table.c.life, func.max(table.c.step)).where(table.c.run == run).group_by(table.c.life)
        rows = connection.execute(chosen).all()
    found: dict[int, int] = {}
    for life, step in rows:
        number = life_order(life)[0]
        found[number] = max(step, found.get(number, 0))
    return found


def _without_progress(reached: Sequence[int]) -> int:
    best = in_a_row = 0
    for step in reached:
        in_a_row = 0 if step > best else in_a_row + 1
        best = max(best, step)
    return in_a_row


def _bad_nodes(record: RunRecord, number: int, watch: Watch, seen: Sighting) -> tuple[str, ...]:
    """Nodes that failed, or failed their check; where spares are held, also those with ranks slow to the end."""
    slow = {watch.node_of(rank) for rank in watch.slow_ranks} if record.launch.spare_nodes else set()
    unhealthy = {node for of, node in unhealthy_nodes(record.folder.path) if of == number}
    return tuple(sorted({*seen.failed_nodes, *unhealthy, *(node for node in slow if node)}))
