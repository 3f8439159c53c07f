"""One supervisor a run: a lock on a file of its folder, which the system frees when its holder is gone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from myriad.errors import LaunchError

ASKED_S: Final = 1.0
"""Whoever asks for the holder (`holder_of`) has the lock for an instant; a supervisor has it for longer than this."""


@contextmanager
def only_supervisor(lock: Path, run: str) -> Iterator[None]:
    """Holds the lock of a run. Raises LaunchError that names its holder where another supervisor has it."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LaunchError(f"{lock}: cannot be opened: {(error.strerror or str(error)).lower()}") from None
    try:
        end = time.monotonic() + ASKED_S
        while not _taken(descriptor, lock):
            if time.monotonic() > end:
                raise LaunchError(f"run {run} is supervised already, by {_named(lock)}")
            time.sleep(0.02)
        with contextlib.suppress(OSError):  # who holds it is a courtesy: a full disk stops no supervisor
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, lock: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise LaunchError(f"{lock}: its file system has no locks ({why}); keep runs on another, by --folder") from None
    return True


def holder_of(lock: Path) -> str | None:
    """Who supervises the run that this lock is of; `None` if nobody does now."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named(lock)
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(descriptor)
    return None


def _named(lock: Path) -> str:
    try:
        told = json.loads(lock.read_text("utf-8"))
        return f"process {told['pid']} on {told['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
