"""The command line: one file per command; this one turns every way to end into an exit code.

0     answered
1     the run that was followed failed or was cancelled
2     wrong input, missing data or no answer: one line on standard error
130   interrupted
141   nobody reads the output any more
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer
from typer.main import get_command

from myriad.cli.app import app
from myriad.cli.usage import UsageError, usage_text
from myriad.errors import MyriadError

__all__ = ["main", "run"]


def main() -> None:
    """Runs the command line of this process and leaves with its exit code."""
    if sys.stdout is None:  # closed by who called
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows `?`, no traceback
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _system_refused(error)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command; errors that are the user's go to standard error as one line."""
    try:
        result = get_command(app).main(args=list(arguments), prog_name="myriad", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except MyriadError as error:
        return _refuse(str(error))
    except UsageError as error:
        return _refuse(usage_text(error))
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except OSError as error:
        return _system_refused(error)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # as Rich ends
            return 141
        raise


def _refuse(text: str) -> int:
    one_line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    print(f"myriad: error: {one_line}", file=sys.stderr)
    return 2


def _system_refused(error: OSError) -> int:
    """Nobody reads, the disk is full: what is left of the output goes nowhere, so that the end does not fail too."""
    if error.filename is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 141
    reason = (error.strerror or str(error)).lower()
    return _refuse(reason if error.filename is None else f"{error.filename}: {reason}")
