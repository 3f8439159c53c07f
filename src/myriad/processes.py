"""How a process of several threads ends."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """Ends this process with its exit code, at once and with all output written.

    Python's own end lets threads of libraries die where they next ask for the interpreter. In those of gloo this
    unwinds C++ that must not be: `terminate called without an active exception`, and a rank that had done all its work
    ends by SIGABRT. Seen in 2 of 60 ends of two ranks with torch 2.13, always after the last Python frame. Whatever
    runs at exit is left out, so close and save before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
