"""Runs kept in a real PostgreSQL, a server of its own; needs its programs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import pytest

from myriad.run.readings import run_of, steps_of
from myriad.run.store import Store
from run_fixtures import small_launch
from run_story import POLICY, Story
from scripted_backend import RUNNING, ended

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
if not PROGRAMS:
    pytest.skip("PostgreSQL is not installed", allow_module_level=True)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's own, which another session of it closes to the server's user."""
    with TemporaryDirectory(prefix="myriad-postgresql-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A server of its own, which refuses to be root."""
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    make = [PROGRAMS[-1] / "initdb", "-D", data, "-A", "trust", "-U", "runs"]
    options = f"-p {port} -k {folder} -h 127.0.0.1"
    start = [PROGRAMS[-1] / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"]
    for command in (make, start):
        subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL, cwd=folder, **user)
    yield f"postgresql://runs@127.0.0.1:{port}/postgres"
    stop = [PROGRAMS[-1] / "pg_ctl", "-D", data, "-m", "immediate", "stop"]
    subprocess.run(stop, check=True, timeout=60, stdout=subprocess.DEVNULL, cwd=folder, **user)


def test_runs_that_are_entered_at_once_have_numbers_of_their_own(tmp_path: Path, url: str) -> None:
    """In a database without tables, each by a connection of its own."""
    together = Barrier(8)

    def enter(_: int) -> str:
        together.wait(timeout=60)
        with Store(url) as store:
            return store.enter_run(small_launch("together"), tmp_path, POLICY)

    with ThreadPoolExecutor(8) as pool:
        entered = sorted(pool.map(enter, range(8)))
    assert entered == [f"together-{number:04d}" for number in range(1, 9)]


def test_a_run_fails_and_finishes_with_postgresql(tmp_path: Path, url: str) -> None:
    story = Story(tmp_path, policy=POLICY, database=url)
    story.backend.sightings[0] = [RUNNING, story.writes("000.000", 1, 12), ended(1)]
    (story.folder / "logs" / "000.log").write_bytes(b"broken\0\0 off")  # as a machine leaves it that went down
    story.backend.sightings[1] = [RUNNING, story.writes("001.000", 9, 20), ended(0)]
    assert story.supervise() == "finished"
    kinds = [one.kind for one in story.events()]
    assert kinds == ["created", "submitted", "running", "exit", "restart", "submitted", "running", "finished"]
    assert [one.step for one in steps_of(story.store, story.run) if one.kept] == list(range(1, 21))
    assert story.events("exit")[0].text == "exit code 1; last line: broken off"
    story.store.close()
    with Store(url) as again:
        assert run_of(again, story.run).summary.restarts == 1
