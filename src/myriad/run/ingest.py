"""Files of events that ranks append to -> rows, each line once, however often its reader is killed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Connection, case, func, select

from myriad.run import tables
from myriad.run.readings import RankEventOf, is_life, life_order
from myriad.run.store import Store
from myriad.spec.run import RankEvent

_FILE: Final = re.compile(r"rank-(\d{1,9})\.jsonl")
MOST_BYTES: Final = 8_000_000
"""Read of one file at once; the rest comes with the next reading."""
LARGEST: Final = 2**63 - 1
"""Of what a database keeps in a column of counts."""


@dataclass
class Ingested:
    """What a reading found that is new."""

    events: list[RankEventOf] = field(default_factory=list)
    """Of all kinds, steps among them, in the order of files and lines."""
    new_lives: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    """Files that were cut, or that hold lines which are no events."""
    unreadable: list[str] = field(default_factory=list)
    """Files and folders that cannot be read now, and why; found again with each reading."""


@dataclass
class _Known:
    offset_bytes: int = 0
    step: int = 0
    bad_lines: int = 0


def ingest(store: Store, run: str, folder: Path) -> Ingested:
    """What ranks have appended since the last reading under `folder`, `events` of a run.

    It is written, with the new offsets, in one transaction. A last line without its end is left for the next reading.
    Lines that are no events are counted, told of once per file and left out. A file that became shorter is read from
    its start again: lines known already are not kept twice.
    """
    found = Ingested()
    with store.writing() as connection:
        rows = connection.execute(select(tables.files).where(tables.files.c.run == run)).mappings()
        known = {(row["life"], row["file"]): _Known(row["offset_bytes"], row["step"], row["bad_lines"]) for row in rows}
        lives = {life for life, _ in known}
        rank_rows: list[dict[str, Any]] = []
        steps: dict[tuple[str, int], dict[str, Any]] = {}
        file_rows: list[dict[str, Any]] = []
        for life, path, rank, size in _files(found, folder):
            now = known.get((life, path.name))
            if now is not None and now.offset_bytes == size:
                continue
            now = now or _Known()
            if not _read_file(found, life, path, rank, size, now, rank_rows, steps):
                continue
            if life not in lives:
                lives.add(life)
                found.new_lives.append(life)
            file_rows.append(
                {"run": run, "life": life, "file": path.name, "rank": rank, "offset_bytes": now.offset_bytes,
                 "step": now.step, "bad_lines": now.bad_lines}
            )  # fmt: skip
        _write(store, connection, run, rank_rows, list(steps.values()), file_rows)
        _update_run(connection, run, found.events)
    return found


def _files(found: Ingested, folder: Path) -> Iterable[tuple[str, Path, int, int]]:
    """Life, path, rank and size of every file of events, by life. What is not there (any more) is left out."""
    for life in sorted(filter(is_life, _sizes(found, folder)), key=life_order):
        for name, size in sorted(_sizes(found, folder / life).items()):
            if named := _FILE.fullmatch(name):
                yield life, folder / life / name, int(named[1]), size


def _sizes(found: Ingested, folder: Path) -> dict[str, int]:
    """What is in a folder, in bytes."""
    sizes = {}
    try:
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):  # removed in this very moment
                sizes[entry.name] = entry.stat().st_size
    except FileNotFoundError:
        pass
    except OSError as error:
        found.unreadable.append(f"{folder.name} cannot be read: {(error.strerror or str(error)).lower()}")
    return sizes


def _read_file(
    found: Ingested,
    life: str,
    path: Path,
    rank: int,
    size: int,
    now: _Known,
    rank_rows: list[dict[str, Any]],
    steps: dict[tuple[str, int], dict[str, Any]],
) -> bool:
    """Reads one file from where it was left; whether that went well."""
    if size < now.offset_bytes:
        found.troubles.append(f"{life}/{path.name} became shorter; it is read again from its start")
        now.offset_bytes = 0
    try:
        with path.open("rb") as file:
            file.seek(now.offset_bytes)
            raw = file.read(MOST_BYTES)
    except OSError as error:
        found.unreadable.append(f"{life}/{path.name} cannot be read: {(error.strerror or str(error)).lower()}")
        return False
    whole, newline, rest = raw.rpartition(b"\n")
    if not newline and len(rest) == MOST_BYTES:  # no line is that long
        whole, newline = rest, b"\n"
        now.offset_bytes -= 1
    now.offset_bytes += len(whole) + len(newline)
    for line in whole.split(b"\n") if newline else []:
        event = _event(line, rank)
        if event is None:
            if line.strip():
                if now.bad_lines == 0:
                    found.troubles.append(f"{life}/{path.name} holds a line that is no event; it is left out")
                now.bad_lines += 1
            continue
        found.events.append(RankEventOf(life, event))
        if event.kind == "step":
            if event.step is not None:
                now.step = max(now.step, event.step)
                _add_step(steps, life, event)
        else:
            digest = hashlib.sha256(line).hexdigest()[:24]
            told = event.model_dump(mode="json", exclude_none=True)
            rank_rows.append(
                {
                    "life": life,
                    "rank": rank,
                    "digest": digest,
                    "kind": event.kind,
                    "time_s": event.time_s,
                    "event": told,
                }
            )
    return True


def _event(line: bytes, rank: int) -> RankEvent | None:
    try:
        event = RankEvent.model_validate_json(line)
    except ValidationError:
        return None
    counts = (event.step, event.tokens, event.tokens_crc, event.memory_bytes)
    fits = all(count is None or 0 <= count <= LARGEST for count in counts)
    return event if event.rank == rank and fits else None


def _add_step(steps: dict[tuple[str, int], dict[str, Any]], life: str, event: RankEvent) -> None:
    """One row a step: the figures of the lowest rank, the largest memory of all."""
    assert event.step is not None
    before = steps.get((life, event.step))
    seen = (event.memory_bytes, None if before is None else before["memory_bytes"])
    memory = max((bytes_ for bytes_ in seen if bytes_ is not None), default=None)
    if before is None or event.rank <= before["rank"]:
        before = {
            "life": life, "step": event.step, "rank": event.rank, "time_s": event.time_s, "step_s": event.step_s or 0.0,
            "loss": event.loss, "tokens": event.tokens, "tokens_crc": event.tokens_crc,
        }  # fmt: skip
        steps[life, event.step] = before
    before["memory_bytes"] = memory


def _write(
    store: Store,
    connection: Connection,
    run: str,
    rank_rows: list[dict[str, Any]],
    step_rows: list[dict[str, Any]],
    file_rows: list[dict[str, Any]],
) -> None:
    if rank_rows:
        put = store.insert(tables.rank_events).on_conflict_do_nothing()
        connection.execute(put, [{"run": run, **row} for row in rank_rows])
    if step_rows:
        put = store.insert(tables.steps)
        new, old = put.excluded, tables.steps.c
        lower = new.rank <= old.rank
        changed = {
            name: case((lower, new[name]), else_=old[name])
            for name in ("rank", "time_s", "step_s", "loss", "tokens", "tokens_crc")
        }
        changed["memory_bytes"] = case(
            (func.coalesce(new.memory_bytes, -1) > func.coalesce(old.memory_bytes, -1), new.memory_bytes),
            else_=old.memory_bytes,
        )
        put = put.on_conflict_do_update(index_elements=["run", "life", "step"], set_=changed)
        connection.execute(put, [{"run": run, **row} for row in step_rows])
    if file_rows:
        put = store.insert(tables.files)
        changed = {name: put.excluded[name] for name in ("offset_bytes", "step", "bad_lines")}
        put = put.on_conflict_do_update(index_elements=["run", "life", "file"], set_=changed)
        connection.execute(put, file_rows)


def _update_run(connection: Connection, run: str, events: list[RankEventOf]) -> None:
    """How far the run is: the last step of its last life that is told of here."""
    steps = [one for one in events if one.event.kind == "step" and one.event.step is not None]
    starts = [one for one in events if one.event.kind == "start"]
    if not (latest := steps or starts):
        return
    last = max(latest, key=lambda one: (life_order(one.life), one.event.step or 0, one.event.loss is not None))
    values: dict[str, Any] = {"step": last.event.step or 0}
    if last.event.loss is not None:
        values["loss"] = last.event.loss
    connection.execute(tables.runs.update().where(tables.runs.c.run == run).values(**values))
