"""What keeps a node's ranks of a Ray job: they end with whoever wanted them, and never silently live on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import myriad.run.ray_keeper as keeper

PATIENCE_S = 20.0


@pytest.fixture
def lease(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "lease"
    yield path
    for process in left(path):
        process.kill()


def start(lease: Path, script: str) -> subprocess.Popen[str]:
    command = [sys.executable, keeper.__file__, str(lease), "sh", "-c", script]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def told(started: subprocess.Popen[str]) -> int:
    """The exit code, when the keeper has ended."""
    assert started.stdout is not None
    return int(started.stdout.read())


def printed(started: subprocess.Popen[str]) -> list[str]:
    assert started.stderr is not None
    return started.stderr.read().split()


def not_wanted(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.close()


def left(lease: Path) -> list[psutil.Process]:
    """All that runs for this lease, the keeper too."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if str(lease) in process.cmdline() or process.environ().get(keeper.MARK) == str(lease):
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", -9), ("true", 0)])
def test_what_the_command_printed_and_how_it_ended(lease: Path, script: str, code: int) -> None:
    with start(lease, f"echo out; echo err >&2; {script}") as started:
        assert (told(started), printed(started)) == (code, ["out", "err"])
        assert not lease.exists()


def test_who_started_it_has_no_child_to_kill_while_the_command_runs(lease: Path, tmp_path: Path) -> None:
    with start(lease, f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 3") as started:
        assert started.wait(timeout=PATIENCE_S) == 0
        (tmp_path / "go").touch()
        assert told(started) == 3


def test_the_lease_is_renewed(lease: Path) -> None:
    with start(lease, "sleep 60") as started:
        until(lease.exists)
        first = lease.stat().st_mtime_ns
        until(lambda: lease.stat().st_mtime_ns > first)
        not_wanted(started)
        assert told(started) == -signal.SIGTERM


def test_a_command_that_is_not_wanted_may_end_in_its_own_way(lease: Path, tmp_path: Path) -> None:
    saves = f"trap 'sleep 0.3; touch {tmp_path}/saved; exit 9' TERM; touch {tmp_path}/on; while :; do sleep 0.05; done"
    with start(lease, saves) as started:
        until((tmp_path / "on").exists)
        not_wanted(started)
        assert told(started) == 9
        assert (tmp_path / "saved").exists()
        assert not lease.exists()


def test_ranks_end_when_their_actor_is_killed(lease: Path, tmp_path: Path) -> None:
    command = [sys.executable, keeper.__file__, str(lease), "sh", "-c", "sleep 60"]
    actor = f"import subprocess as s, time; s.Popen({command}, stdin=s.PIPE, stdout=s.PIPE); time.sleep(60)"
    started = subprocess.Popen([sys.executable, "-c", actor])
    until(lambda: any(process.name() == "sleep" for process in left(lease)))
    started.kill()
    started.wait()
    until(lambda: not lease.exists())
    until(lambda: not left(lease))


def test_ranks_end_with_a_torchrun_that_was_killed(lease: Path, tmp_path: Path) -> None:
    rank = f"import os, time; os.setsid(); open('{tmp_path}/rank', 'w').write(str(os.getpid())); time.sleep(60)"
    with start(lease, f'{sys.executable} -c "{rank}" & echo $$ > {tmp_path}/torchrun; wait') as started:
        until(lambda: (tmp_path / "rank").exists() and (tmp_path / "rank").read_text() != "")
        os.kill(int((tmp_path / "torchrun").read_text()), signal.SIGKILL)
        assert told(started) == -9
        assert int((tmp_path / "rank").read_text()) not in {process.pid for process in left(lease)}
        assert not lease.exists()
