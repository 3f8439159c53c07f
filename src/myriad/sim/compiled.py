"""Compiles the inner functions of the simulation where numba is installed; elsewhere they run as they are.

Both give the same results to the last bit: no fast arithmetic, no threads, no random numbers inside. Where plain Python
would be hopeless and NumPy takes its place instead, the module says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import import_module, resources
from typing import Any, TypeAlias, TypeVar

_numba: Any
try:
    _numba = import_module("numba")
    COMPILES = not _numba.config.DISABLE_JIT
except ImportError:
    COMPILES = False

F = TypeVar("F", bound=Callable[..., Any])
Loop: TypeAlias = Callable[[Any, Any, int], bool]


def compiled(function: F) -> F:
    """The function as machine code where that is possible, made at the first call."""
    result: F = _numba.njit(error_model="numpy")(function) if COMPILES else function
    return result


def kept(make: Callable[[str], Loop]) -> Loop:
    """The function that `make` gives, compiled; its machine code stays on disk for the next process.

    numba throws kept code away when the file of the function changes, not when one changes that it calls. So the
    function that it keeps has the digest of all files of `sim.serving` in its closure, which is part of numba's key.
    Where no folder can be written, nothing is kept.
    """
    function = make(_digest())
    if not COMPILES:
        return function
    try:
        result: Loop = _numba.njit(error_model="numpy", cache=True)(function)
    except RuntimeError:
        return compiled(function)
    return result


def kept_alone(function: F) -> F:
    """The function compiled and kept, where it calls none of another file; else as `compiled` gives it."""
    if not COMPILES:
        return function
    try:
        result: F = _numba.njit(error_model="numpy", cache=True)(function)
    except RuntimeError:
        return compiled(function)
    return result


def _digest() -> str:
    folder = resources.files("myriad.sim.serving")
    sources = sorted((entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.name.endswith(".py"))
    return hashlib.sha256(repr(sources).encode()).hexdigest()
