"""What every reader of traces gives, and the times that several of them read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from myriad.errors import SpecError
from myriad.sim.jobs.described import OUTCOMES, FloatArray, Submissions

NEVER_STARTED: Final = "never started"
NO_ACCELERATORS: Final = "asked for no accelerator"
STILL_RUNNING: Final = "still ran at the end"
"""These count, with the run time that was seen."""


@dataclass(frozen=True)
class Recorded:
    """Jobs of a trace; times count from the first submission."""

    jobs: Submissions
    waited_s: FloatArray
    """From submission to first start; NaN where the trace does not say."""
    remarks: Mapping[str, int]
    """What was left out or cut short -> how many jobs."""


@dataclass
class Job:
    """One job on its way from a file."""

    submitted_s: float
    accelerators: float
    run_s: float
    outcome: str = "completed"
    limit_s: float = math.inf
    waited_s: float = math.nan
    tenant: str = "all"
    priority: int = 0
    name: str = ""


@dataclass
class Found:
    """Jobs as they are found, and what was left out."""

    jobs: list[Job] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)

    def recorded(self, path: Path) -> Recorded:
        """All of them, by time of submission. Raises SpecError where there are none."""
        if not self.jobs:
            why = ", ".join(f"{count} {remark}" for remark, count in self.remarks.items())
            raise SpecError(f"{path}: found no job{f' ({why})' if why else ''}")
        jobs = sorted(self.jobs, key=lambda one: one.submitted_s)
        tenants = tuple(dict.fromkeys(one.tenant for one in jobs))
        number = {name: index for index, name in enumerate(tenants)}
        submitted = np.array([one.submitted_s for one in jobs])
        return Recorded(
            jobs=Submissions(
                submitted_s=submitted - submitted[0],
                accelerators=np.array([one.accelerators for one in jobs]),
                run_s=np.array([one.run_s for one in jobs]),
                limit_s=np.array([one.limit_s for one in jobs]),
                outcome=np.array([OUTCOMES.index(one.outcome) for one in jobs], dtype=np.int64),
                tenant=np.array([number[one.tenant] for one in jobs], dtype=np.int64),
                priority=np.array([one.priority for one in jobs], dtype=np.int64),
                tenants=tenants,
                names=tuple(one.name for one in jobs) if any(one.name for one in jobs) else (),
            ),
            waited_s=np.array([one.waited_s for one in jobs]),
            remarks=dict(self.remarks),
        )


def cell(path: Path, line: int, row: Mapping[str, Any], name: str, read: Callable[[str], Any]) -> Any:
    """One value of a row. Raises SpecError with file, line and column where it cannot be read."""
    try:
        return read(str(row[name]).strip())
    except (KeyError, TypeError, ValueError, OverflowError):
        raise SpecError(f"{path}:{line}: {name}: found {str(row.get(name))[:60]!r}") from None


def number(text: str) -> float:
    """A finite number of at least 0."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def moment_s(text: str) -> float:
    """Seconds since 1970 of an ISO date and time (without a zone: as if of UTC) or of a bare number."""
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
