"""How a process that computes takes memory, and how one of several threads ends."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import NoReturn

M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
"""Of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Lets this process use freed memory again, instead of giving it back to the system. Only glibc is asked.

    By default it gives large blocks back as they are freed, and every page of 4 KB that is taken again costs a fault:
    a product that writes 3 MB took 3.3 ms instead of 2.6, a step of training with a vocabulary of 8,192 a sixth longer.
    One arena, so that the thread of backward passes and that of forward passes use the same memory.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((M_TRIM_THRESHOLD, -1), (M_MMAP_MAX, 0), (M_ARENA_MAX, 1)):
            mallopt(option, value)


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
