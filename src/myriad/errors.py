"""The errors that Myriad raises on purpose.

    MyriadError
    ├── SpecError          the input is wrong: a value, a unit, a key, a name, a file
    ├── MissingDataError   the input is right, but the catalog lacks a figure that it needs
    ├── InfeasibleError    the input is right and complete, and yet nothing can run
    └── LaunchError        a system outside refused what was asked of it

The command line maps all of them to one line on standard error and exit code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MyriadError(Exception):
    """Base of all errors raised on purpose; its text is one line fit for a user."""


class SpecError(MyriadError, ValueError):
    """The input is wrong. Says where, what was found, what is allowed."""


class MissingDataError(MyriadError, LookupError):
    """The catalog has no such figure. Says which, and how to add it."""


class InfeasibleError(MyriadError):
    """The question is well put, but no answer exists (nothing fits, nothing divides)."""


class LaunchError(MyriadError):
    """A system outside Myriad refused a request."""


def nearest(name: str, allowed: Iterable[str], limit: int = 3) -> str:
    """A hint such as `; did you mean 'h100-sxm'?`, or an empty text when nothing is near.

    >>> nearest("h100-smx", ["h100-sxm", "a100-sxm-80gb"])
    "; did you mean 'h100-sxm'?"
    >>> nearest("banana", ["h100-sxm"])
    ''
    """
    by_lower: dict[str, str] = {}
    for spelling in map(str, allowed):
        by_lower.setdefault(spelling.lower(), spelling)  # `GB` before `Gb`
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=limit, cutoff=0.6)
    if not found:
        return ""
    return "; did you mean " + " or ".join(repr(by_lower[f]) for f in found) + "?"


def unknown_name(what: str, name: str, allowed: Iterable[str]) -> str:
    """The message for a name that is not among those allowed.

    >>> unknown_name("accelerator", "h100-smx", ["h100-sxm"])
    "unknown accelerator 'h100-smx'; did you mean 'h100-sxm'?"
    >>> unknown_name("recompute mode", "banana", ["none", "full"])
    "unknown recompute mode 'banana'; allowed: none, full"
    """
    names = list(allowed)
    hint = nearest(name, names)
    if not hint and len(names) <= 12:
        hint = "; allowed: " + ", ".join(names)
    return f"unknown {what} {name!r}{hint}"
