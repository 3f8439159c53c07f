"""What results rest on, as a short text: the formulas, the search and the catalog of this installation."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from myriad.catalog import USER_CATALOG

_NOT_OF_RESULTS: Final = ("calibrate", "cli", "engine", "report")
"""Rooms that decide how results are made or shown, not what they are."""


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """A digest of all code and data that a search can depend on, the user's own catalog included.

    Any change to them changes it, also one that would have left a result as it was: a search repeated costs
    less than a stale one kept.
    """
    digest = hashlib.sha256()
    own = os.environ.get(USER_CATALOG, "").split(os.pathsep)
    roots = [Path(str(files("myriad"))), *(Path(one) for one in own if one)]
    for root in roots:
        for path in _read_by_searches(root):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _read_by_searches(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        room = path.relative_to(root).parts[0]
        if path.suffix in (".py", ".yaml", ".csv", ".json") and room not in _NOT_OF_RESULTS and path.is_file():
            yield path
