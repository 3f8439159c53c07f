"""The database of runs: SQLite in a file, or PostgreSQL by its URL.

Everything that happens together is written in one transaction, so that a supervisor that is killed at any moment
leaves a state that another takes up. Readings are in `run.readings`, files of events in `run.ingest`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from myriad.errors import LaunchError, SpecError
from myriad.run import tables
from myriad.run.policy import Policy
from myriad.spec.run import RunEvent
from myriad.spec.training_launch import TrainingLaunch

BUSY_S: Final = 30.0
"""How long a database that another process has locked is waited for."""
_PSYCOPG: Final = "postgresql+psycopg"
DRIVERS: Final = {"sqlite": "sqlite"} | dict.fromkeys(("postgresql", "postgres", _PSYCOPG), _PSYCOPG)
"""By the begin of a URL: what the statements here are written for."""
_ONE_AT_A_TIME: Final = 0x6D797269616421
"""PostgreSQL's number of the lock that whoever makes tables or numbers runs holds till its transaction ends."""


class StoreError(LaunchError):
    """The database cannot be read or written now: locked, full, damaged, or not answering."""


def database_url(given: str | None = None) -> str:
    """The URL of the database of runs: as given, or `$MYRIAD_DATABASE`, or a file in the user's folder.

    A text without `://` is the name of an SQLite file.
    """
    named = given or os.environ.get("MYRIAD_DATABASE")
    if not named:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        named = str(state / "myriad" / "runs.sqlite")
    return named if "://" in named else f"sqlite:///{Path(named).expanduser().absolute()}"


class Store:
    """An open database of runs. Close it, or use it in `with`."""

    def __init__(self, url: str | None = None, *, create: bool = True, busy_s: float = BUSY_S) -> None:
        """Opens it and makes its tables where there are none; without `create` a missing file stays missing.

        Raises SpecError for a URL that cannot be meant, StoreError for a database that does not open.
        """
        self._url = _checked(database_url(url))
        self.name = self._url.render_as_string(hide_password=True)
        self._sqlite = self._url.get_backend_name() == "sqlite"
        self._prepare_file(create)
        limits: dict[str, Any] = {"timeout": busy_s} if self._sqlite else {"connect_timeout": int(busy_s)}
        try:
            self._engine = create_engine(self._url, connect_args=limits)
        except ImportError:
            raise SpecError(
                "runs in PostgreSQL need psycopg; install it with: pip install 'myriad-ai[postgresql]'"
            ) from None
        if self._sqlite:
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self._make_tables()

    @property
    def url(self) -> str:
        """With its password, to hand to another process."""
        return self._url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: all of it is kept when the block ends, or nothing."""
        engine = self._engine.execution_options(myriad_writes=True)
        with self._told(), engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view."""
        with self._told(), self._engine.connect() as connection:
            yield connection

    def insert(self, table: Any) -> Any:
        """An INSERT that knows ON CONFLICT, in the words of this database."""
        if self._sqlite:
            from sqlalchemy.dialects.sqlite import insert as of_sqlite

            return of_sqlite(table)
        from sqlalchemy.dialects.postgresql import insert as of_postgresql

        return of_postgresql(table)

    def enter_run(
        self, launch: TrainingLaunch, folder: Path, policy: Policy, run: str | None = None, submission: int = 0
    ) -> str:
        """The id of a new run, entered as `created`; its folder is `folder` / id and does not exist yet.

        With `run` that very id and folder: a run that another database knew, whose newest submission was `submission`;
        the scheduler may have it still. Raises SpecError if it is known.
        """
        now_s = time.time()
        with self.writing() as connection:
            self._alone(connection)
            if run is None:
                last = connection.scalar(
                    select(func.max(tables.runs.c.number)).where(tables.runs.c.name == launch.name)
                )
                number = (last or 0) + 1
                while (folder / run_id(launch.name, number)).exists():  # of another database
                    number += 1
                run, place = run_id(launch.name, number), folder / run_id(launch.name, number)
            else:
                place = folder
                number = int(run.rpartition("-")[2]) if run.rpartition("-")[2].isdecimal() else 0
                if connection.scalar(select(tables.runs.c.run).where(tables.runs.c.run == run)) is not None:
                    raise SpecError(f"run {run} is in the database already")
            connection.execute(
                tables.runs.insert().values(
                    run=run, name=launch.name, number=number, state="created", scheduler=launch.scheduler.kind,
                    folder=str(place.absolute()), launch=launch.model_dump(mode="json"),
                    policy=policy.model_dump(mode="json"), created_s=now_s, excluded_nodes=[],
                    checkpoint_interval_s=launch.checkpoint_interval_s,
                )
            )  # fmt: skip
            if place == folder:
                intent = tables.submissions.insert().values(
                    run=run, number=submission, state="intended", excluded_nodes=[], intended_s=now_s, nodes=[]
                )
                connection.execute(intent)
            add_events(connection, run, [RunEvent(time_s=now_s, kind="created", text=str(place.absolute()))])
        return run

    def change(
        self,
        run: str,
        values: Mapping[str, Any] | None = None,
        events: Iterable[RunEvent] = (),
        submission: tuple[int, Mapping[str, Any]] | None = None,
        new_submission: Mapping[str, Any] | None = None,
    ) -> None:
        """Changes columns of a run, of one submission, adds a submission and events: all of it or nothing."""
        with self.writing() as connection:
            if values:
                connection.execute(tables.runs.update().where(tables.runs.c.run == run).values(**_kept(values)))
            if submission is not None:
                number, changed = submission
                one = (tables.submissions.c.run == run) & (tables.submissions.c.number == number)
                connection.execute(tables.submissions.update().where(one).values(**_kept(changed)))
            if new_submission is not None:
                connection.execute(tables.submissions.insert().values(run=run, **new_submission))
            add_events(connection, run, events)

    def check(self) -> None:
        """Raises StoreError if the file was removed: what is written to it then goes nowhere."""
        if self._sqlite and self._url.database != ":memory:":
            path = Path(str(self._url.database))
            if not path.exists():
                self._engine.dispose()
                raise StoreError(f"database {path}: was removed; put it back, or end the supervisor")

    def want_cancelled(self, run: str) -> None:
        """Leaves word for the supervisor of the run that it shall be cancelled, and an event of when that was asked."""
        mine = tables.runs.c.run == run
        with self.writing() as connection:
            if not connection.scalar(select(tables.runs.c.cancel_wanted).where(mine)):
                connection.execute(tables.runs.update().where(mine).values(cancel_wanted=True))
                add_events(connection, run, [RunEvent(time_s=time.time(), kind="cancel")])

    def _prepare_file(self, create: bool) -> None:
        """Makes the folder of an SQLite file; without `create` a missing file is an empty database, kept nowhere."""
        path = Path(str(self._url.database))
        if not self._sqlite or path.exists():
            return
        if not create:
            self._url = self._url.set(database=":memory:")
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"database {path}: cannot be made: {_reason(error)}") from None

    def _make_tables(self) -> None:
        with self.reading() as connection:
            there = self._engine.dialect.has_table(connection, tables.versions.name)
            known = connection.scalar(select(tables.versions.c.version)) if there else None
        if known is None:
            with self.writing() as connection:
                self._alone(connection)
                tables.metadata.create_all(connection)
                put = self.insert(tables.versions).values(version=tables.SCHEMA_VERSION)
                connection.execute(put.on_conflict_do_nothing())
        elif known != tables.SCHEMA_VERSION:
            raise StoreError(
                f"database {self.name}: its tables are of version {known}, this release knows {tables.SCHEMA_VERSION}; "
                "name another with --database"
            )

    def _alone(self, connection: Connection) -> None:
        """Waits until no other such transaction is under way; in SQLite none that writes is."""
        if not self._sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(_ONE_AT_A_TIME)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what the database says into one line."""
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"database {self.name}: {_advice(' '.join(str(error.orig).split()))}") from None
        except SQLAlchemyError as error:
            raise StoreError(f"database {self.name}: {' '.join(str(error).split())}") from None


def _checked(text: str) -> URL:
    """The URL with the driver that belongs to it. Raises SpecError for one that cannot be meant."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SpecError(f"--database: {text!r} is no database URL, such as postgresql://host/name") from None
    if url.drivername not in DRIVERS:
        raise SpecError(f"--database: found {url.drivername}://, expected a file, sqlite:///FILE or postgresql://")
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise SpecError(f"--database: {text!r} names no file, and a supervisor is a process of its own")
    return url.set(drivername=DRIVERS[url.drivername])


def run_id(name: str, number: int) -> str:
    """The id of a run.

    >>> run_id("pretrain", 3)
    'pretrain-0003'
    """
    return f"{name}-{number:04d}"


def add_events(connection: Connection, run: str, events: Iterable[RunEvent]) -> None:
    """Writes events within a transaction."""
    rows = [{"run": run, **_kept(event.model_dump())} for event in events]
    if rows:
        connection.execute(tables.events.insert(), rows)


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the zero bytes that logs of machines that went down are full of, and that PostgreSQL refuses."""
    return {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in values.items()}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")  # a power cut may take the last changes, which are found out again
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the lock at once: a lock taken later fails without waiting."""
    writes = connection.get_execution_options().get("myriad_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _advice(said: str) -> str:
    lower = said.lower()
    if "locked" in lower:
        return f"{said}: another process has held it for too long; end that, or try again"
    if "not a database" in lower or "malformed" in lower:
        return (
            f"{said}: the file is damaged, or is something else; move it away or name another with --database "
            "(`myriad supervise FOLDER` enters a run again from its folder)"
        )
    if "full" in lower:
        return f"{said}: free some space"
    return said


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
