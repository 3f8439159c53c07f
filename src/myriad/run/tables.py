"""The tables of runs: what was started, what became of it, and how far its files of events were read."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = 1
"""Of all tables together; a database of another version is refused, not changed."""

metadata: Final = MetaData()


def _run(primary_key: bool = True) -> Column[str]:
    return Column("run", Text, ForeignKey("runs.run"), primary_key=primary_key, nullable=False)


versions: Final = Table("myriad_schema", metadata, Column("version", Integer, primary_key=True))

runs: Final = Table(
    "runs",
    metadata,
    Column("run", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("scheduler", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("launch", JSON, nullable=False),  # TrainingLaunch
    Column("policy", JSON, nullable=False),  # run.policy.Policy
    Column("created_s", Float, nullable=False),
    Column("ended_s", Float),
    Column("step", BigInteger, nullable=False, default=0),
    Column("loss", Float),
    Column("restarts", Integer, nullable=False, default=0),
    Column("checkpoint_interval_s", Float),
    Column("excluded_nodes", JSON, nullable=False, default=list),
    Column("cancel_wanted", Boolean, nullable=False, default=False),
    Column("reason", Text, nullable=False, default=""),
    UniqueConstraint("name", "number"),
)

submissions: Final = Table(
    "submissions",
    metadata,
    _run(),
    Column("number", Integer, primary_key=True),
    Column("state", Text, nullable=False),  # intended, submitted, running, ended
    Column("handle", Text),
    Column("excluded_nodes", JSON, nullable=False, default=list),
    Column("intended_s", Float, nullable=False),
    Column("submitted_s", Float),
    Column("ended_s", Float),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False, default=""),
    Column("nodes", JSON, nullable=False, default=list),
)

events: Final = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _run(primary_key=False),
    Column("time_s", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("submission", Integer),
    Column("life", Text),
    Column("rank", Integer),
    Column("node", Text),
    Column("step", BigInteger),
    Column("text", Text, nullable=False, default=""),
    Index("events_of_run", "run", "id"),
)

steps: Final = Table(
    "steps",
    metadata,
    _run(),
    Column("life", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("rank", Integer, nullable=False),  # that the figures are of: the lowest that has reported
    Column("time_s", Float, nullable=False),
    Column("step_s", Float, nullable=False),
    Column("loss", Float),
    Column("tokens", BigInteger),
    Column("tokens_crc", BigInteger),
    Column("memory_bytes", BigInteger),  # largest of all ranks
)

rank_events: Final = Table(
    "rank_events",
    metadata,
    _run(),
    Column("life", Text, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("digest", Text, primary_key=True),  # of the line, so that one read twice is kept once
    Column("kind", Text, nullable=False),
    Column("time_s", Float, nullable=False),
    Column("event", JSON, nullable=False),  # RankEvent
)

files: Final = Table(
    "event_files",
    metadata,
    _run(),
    Column("life", Text, primary_key=True),
    Column("file", Text, primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),  # the last that it tells of
    Column("bad_lines", Integer, nullable=False),
)
