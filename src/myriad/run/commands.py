"""Programs of schedulers, called with a time limit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from myriad.run.described import BackendError


@dataclass(frozen=True)
class Done:
    """What became of a call."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What the program said of it, on one line."""
        return " ".join((self.err.strip() or self.out.strip()).split())[:500]


def call(
    command: Sequence[str],
    timeout_s: float,
    environment: Mapping[str, str | None] | None = None,
    given: str | None = None,
) -> Done:
    """Runs a program to its end. `given` is its input.

    `environment` is added to that of this process; `None` takes a variable away.

    Raises BackendError if it does not exist or takes longer than `timeout_s`; what it did till then may have been done.
    """
    try:
        done = subprocess.run(
            command,
            env={name: value for name, value in (os.environ | (environment or {})).items() if value is not None},
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
        )
    except FileNotFoundError:
        raise BackendError(f"{command[0]} is not installed here, or not on PATH") from None
    except OSError as error:
        raise BackendError(f"{command[0]}: {error}") from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"{command[0]} gave no answer within {timeout_s:.0f} s") from None
    return Done(done.returncode, done.stdout, done.stderr)
