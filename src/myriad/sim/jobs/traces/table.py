"""Our own format of traces: a CSV that is easy to make from anything, and that drawings are written in."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError, unknown_name
from myriad.sim.jobs.described import OUTCOMES, FloatArray, Submissions
from myriad.sim.jobs.traces.recorded import Found, Job, cell, moment_s, number

NEEDED: Final = ("submitted_s", "accelerators", "run_s")
"""`submitted_s` counts from any moment and may be a date and time; a share of an accelerator (0.5) is allowed."""
OPTIONAL: Final = ("limit_s", "outcome", "tenant", "priority", "name", "waited_s")
"""An empty cell is as good as none: no limit, completed, tenant `all`, priority 0."""
SIMULATED: Final = (
    "policy", "seed", "state", "started_s", "ended_s", "held_s", "productive_s", "interruptions", "preemptions",
    "leaves",
)  # fmt: skip
"""What simulations add to the jobs that they write; passed over on reading."""


def read_table(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Found:
    """Jobs of a CSV with the columns `NEEDED` and any of `OPTIONAL`."""
    found = Found()
    for line, row in rows:
        if not found.jobs:
            _check_columns(path, row)
        job = Job(
            submitted_s=cell(path, line, row, "submitted_s", moment_s),
            accelerators=cell(path, line, row, "accelerators", _above_zero),
            run_s=cell(path, line, row, "run_s", number),
        )
        if row.get("limit_s"):
            job.limit_s = cell(path, line, row, "limit_s", _limit)
        if row.get("outcome"):
            job.outcome = cell(path, line, row, "outcome", str)
            if job.outcome not in OUTCOMES:
                raise SpecError(f"{path}:{line}: {unknown_name('outcome', job.outcome, OUTCOMES)}")
        if row.get("priority"):
            job.priority = cell(path, line, row, "priority", int)
        if row.get("waited_s"):
            job.waited_s = cell(path, line, row, "waited_s", number)
        job.tenant = row.get("tenant") or "all"
        job.name = row.get("name") or ""
        found.jobs.append(job)
    return found


def _check_columns(path: Path, row: Mapping[str, Any]) -> None:
    for name in row:
        if name not in (known := (*NEEDED, *OPTIONAL, *SIMULATED)):
            raise SpecError(f"{path}:1: {unknown_name('column', name, known)}")


def _above_zero(text: str) -> float:
    if (value := number(text)) <= 0:
        raise ValueError(text)
    return value


def _limit(text: str) -> float:
    return math.inf if text == "inf" else number(text)


def jobs_text(jobs: Submissions, more: Mapping[str, FloatArray | list[str]] | None = None) -> str:
    """The jobs as a CSV that `read_table` reads; `more` are further columns, whose NaN become empty cells."""
    more = more or {}
    names = jobs.names or [""] * len(jobs)
    columns: dict[str, Any] = {
        "submitted_s": [_short(value) for value in jobs.submitted_s],
        "accelerators": [_short(value) for value in jobs.accelerators],
        "run_s": [_short(value) for value in jobs.run_s],
        "limit_s": [_short(value) for value in jobs.limit_s],
        "outcome": [OUTCOMES[one] for one in jobs.outcome],
        "tenant": [jobs.tenants[one] for one in jobs.tenant],
        "priority": jobs.priority.tolist(),
        **({"name": names} if jobs.names else {}),
        **{key: [one if isinstance(one, str) else _short(one) for one in values] for key, values in more.items()},
    }
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def _short(value: float) -> str:
    """With milliseconds at most; empty for NaN and infinity."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""
