"""What the database says of runs: summaries, steps, events of ranks and supervisors, submissions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from math import inf
from pathlib import Path

from sqlalchemy import RowMapping, select

from myriad.errors import SpecError, unknown_name
from myriad.run import tables
from myriad.run.described import RunFolder
from myriad.run.lock import holder_of
from myriad.run.policy import Policy
from myriad.run.store import Store
from myriad.spec.run import RankEvent, RunEvent, RunSummary, StepRecord
from myriad.spec.training_launch import TrainingLaunch


@dataclass(frozen=True)
class RankEventOf:
    """One event of a rank, and the life in which it wrote it."""

    life: str
    event: RankEvent


@dataclass(frozen=True)
class SubmissionRecord:
    """One submission of a run; times are Unix times of the supervisor."""

    number: int
    state: str
    """`intended` (perhaps with the scheduler, perhaps not yet), `submitted`, `running` or `ended`."""
    handle: str | None
    excluded_nodes: tuple[str, ...]
    intended_s: float
    submitted_s: float | None
    ended_s: float | None
    exit_code: int | None
    reason: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class RunRecord:
    """Everything that is kept of one run beside its steps, events and submissions."""

    summary: RunSummary
    launch: TrainingLaunch
    policy: Policy
    checkpoint_interval_s: float | None
    excluded_nodes: tuple[str, ...]
    cancel_wanted: bool

    @property
    def folder(self) -> RunFolder:
        return RunFolder(Path(self.summary.folder))


def run_summaries(store: Store) -> tuple[RunSummary, ...]:
    """One line for each run, newest first."""
    with store.reading() as connection:
        rows = connection.execute(select(tables.runs).order_by(tables.runs.c.created_s.desc())).mappings().all()
    return tuple(_summary(row) for row in rows)


def run_of(store: Store, run: str) -> RunRecord:
    """One run by its id, by its name (then its newest), or by its folder. Raises SpecError with the nearest id."""
    with store.reading() as connection:
        row = connection.execute(select(tables.runs).where(tables.runs.c.run == run)).mappings().first()
        if row is None:
            newest = tables.runs.c.number.desc()
            named = (tables.runs.c.name == run) | (tables.runs.c.folder == str(Path(run).absolute()))
            row = connection.execute(select(tables.runs).where(named).order_by(newest)).mappings().first()
        if row is None and RunFolder(Path(run)).launch.is_file():
            raise SpecError(f"run {run} is not in {store.name}; `myriad supervise {run}` enters it from its folder")
        if row is None:
            known = connection.scalars(select(tables.runs.c.run)).all()
            none = f"; there is none in {store.name}" if not known else ""
            raise SpecError(unknown_name("run", run, known).removesuffix("; allowed: ") + none)
    return RunRecord(
        summary=_summary(row),
        launch=TrainingLaunch.model_validate(row["launch"]),
        policy=Policy.model_validate(row["policy"]),
        checkpoint_interval_s=row["checkpoint_interval_s"],
        excluded_nodes=tuple(row["excluded_nodes"]),
        cancel_wanted=row["cancel_wanted"],
    )


def events_of(store: Store, run: str, after: int = 0) -> tuple[RunEvent, ...]:
    """What the supervisors of a run saw, in the order in which they wrote it; from the `after`-th on."""
    table = tables.events
    with store.reading() as connection:
        chosen = select(table).where(table.c.run == run).order_by(table.c.id).offset(after)
        rows = connection.execute(chosen).mappings().all()
    return tuple(RunEvent(**{name: row[name] for name in RunEvent.model_fields}) for row in rows)


def steps_of(store: Store, run: str) -> tuple[StepRecord, ...]:
    """All steps as they were trained, by life and step; those that a restart went back behind are not `kept`."""
    table = tables.steps
    names = [name for name in StepRecord.model_fields if name != "kept"]
    chosen = select(*(table.c[name] for name in names)).where(table.c.run == run).order_by(table.c.life, table.c.step)
    with store.reading() as connection:
        rows = connection.execute(chosen).all()
    lives = {life: list(part) for life, part in groupby(rows, key=lambda row: row.life)}
    until = kept_until(lives, restored_from(rank_events_of(store, run, kinds=("start",))))
    return tuple(
        StepRecord(**dict(zip(names, row, strict=True)), kept=row.step <= until[life])
        for life in sorted(lives, key=life_order)
        for row in lives[life]
    )


def rank_events_of(store: Store, run: str, kinds: Iterable[str] = ()) -> tuple[RankEventOf, ...]:
    """Events of ranks other than steps (see `steps_of`), by life and time; of some kinds only, if any are named."""
    table = tables.rank_events
    chosen = select(table.c.life, table.c.event).where(table.c.run == run)
    if wanted := tuple(kinds):
        chosen = chosen.where(table.c.kind.in_(wanted))
    with store.reading() as connection:
        rows = connection.execute(chosen).all()
    found = [RankEventOf(life, RankEvent.model_validate(event)) for life, event in rows]
    return tuple(sorted(found, key=lambda one: (life_order(one.life), one.event.time_s, one.event.rank)))


def submissions_of(store: Store, run: str) -> tuple[SubmissionRecord, ...]:
    """All submissions of a run, the first first."""
    table = tables.submissions
    with store.reading() as connection:
        chosen = select(table).where(table.c.run == run).order_by(table.c.number)
        rows = connection.execute(chosen).mappings().all()
    return tuple(
        SubmissionRecord(
            number=row["number"], state=row["state"], handle=row["handle"],
            excluded_nodes=tuple(row["excluded_nodes"]), intended_s=row["intended_s"],
            submitted_s=row["submitted_s"], ended_s=row["ended_s"], exit_code=row["exit_code"],
            reason=row["reason"], nodes=tuple(row["nodes"]),
        )
        for row in rows
    )  # fmt: skip


def last_steps_of(store: Store, run: str, life: str) -> dict[int, int]:
    """The last step that each rank of a life has told of, 0 where it only started."""
    table = tables.files
    with store.reading() as connection:
        chosen = select(table.c.rank, table.c.step).where((table.c.run == run) & (table.c.life == life))
        return {row.rank: row.step for row in connection.execute(chosen)}


def lives_of(store: Store, run: str) -> tuple[str, ...]:
    """All lives of a run that any rank has written in, in order."""
    with store.reading() as connection:
        found = connection.scalars(select(tables.files.c.life).where(tables.files.c.run == run).distinct()).all()
    return tuple(sorted(found, key=life_order))


def life_order(life: str) -> tuple[int, int]:
    """Submission and restart of a life, as numbers.

    >>> life_order("002.001")
    (2, 1)
    """
    submission, _, restart = life.partition(".")
    return int(submission), int(restart)


def is_life(name: str) -> bool:
    """Whether a folder is named as a life.

    >>> is_life("000.001"), is_life("tmp")
    (True, False)
    """
    return re.fullmatch(r"\d+\.\d+", name) is not None


def kept_until(lives: Iterable[str], restored: Mapping[str, int]) -> dict[str, float]:
    """For each life the last step whose result lasts: no later life began from a checkpoint before it.

    `restored` is the step that a life began from, for those that said so.

    >>> kept_until(["000.000", "000.001", "001.000"], {"000.000": 0, "000.001": 20, "001.000": 10})
    {'001.000': inf, '000.001': 10, '000.000': 10}
    """
    found: dict[str, float] = {}
    lowest = inf
    for life in sorted({*lives, *restored}, key=life_order, reverse=True):
        found[life] = lowest
        lowest = min(lowest, restored.get(life, inf))
    return found


def restored_from(starts: Iterable[RankEventOf]) -> dict[str, int]:
    """For each life the earliest step that any of its ranks began from."""
    found: dict[str, int] = {}
    for start in starts:
        step = start.event.step or 0
        found[start.life] = min(step, found.get(start.life, step))
    return found


def _summary(row: RowMapping) -> RunSummary:
    return RunSummary(
        run=row["run"], name=row["name"], state=row["state"], scheduler=row["scheduler"], folder=row["folder"],
        created_s=row["created_s"], ended_s=row["ended_s"], step=row["step"], steps=row["launch"]["steps"],
        loss=row["loss"], restarts=row["restarts"], reason=row["reason"],
        supervised=holder_of(RunFolder(Path(row["folder"])).lock) is not None,
    )  # fmt: skip
