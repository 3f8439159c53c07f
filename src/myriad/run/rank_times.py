"""What ranks say of the time in which they computed, read from their files of events: the database keeps none of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from myriad.run.ledger import WARMUP_STEPS

MOST_RANKS: Final = 64
"""Files that are read of each life, evenly among its ranks."""


def computing_s(folder: Path, pipeline: bool) -> float | None:
    """Seconds of the usual step in which a rank computes and waits for nobody; `None` where none tells.

    `folder` holds `LIFE/rank-00000.jsonl`. The median over ranks of each rank's median; where ranks differ in what they
    do (`pipeline`), that of the busiest.
    """
    by_rank: dict[str, list[float]] = {}
    for life in sorted(folder.glob("*.*")):
        files = sorted(life.glob("rank-*.jsonl"))
        for path in files[:: max(len(files) // MOST_RANKS, 1)]:
            by_rank.setdefault(path.name, []).extend(_own_s(path)[WARMUP_STEPS:])
    return usual_computing_s(by_rank, pipeline)


def usual_computing_s(by_rank: Mapping[str, Sequence[float]], pipeline: bool) -> float | None:
    """The same of what each rank told.

    >>> usual_computing_s({"a": [1.0, 2.0, 3.0], "b": [4.0], "c": [1.0]}, False)
    2.0
    """
    medians = [median(values) for values in by_rank.values() if values]
    if not medians:
        return None
    return max(medians) if pipeline else median(medians)


def _own_s(path: Path) -> list[float]:
    """Of every step; a line that is cut or no event is passed over."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("kind") == "step" and isinstance(event.get("own_s"), float | int):
            found.append(float(event["own_s"]))
    return found
