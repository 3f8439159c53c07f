"""Jobs of Slurm's accounting: what `sacct -P` (better `sacct -P -D`) prints."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError, unknown_name
from myriad.sim.jobs.traces.recorded import NEVER_STARTED, NO_ACCELERATORS, STILL_RUNNING, Found, Job, cell, moment_s
from myriad.units import DAY_S

NEEDED: Final = ("JobID", "Submit", "Start", "End", "State")
"""Beside one of `AllocTRES` and `ReqTRES`. Read where present: `Timelimit`, `Account`, `QOS`, `Partition`."""
INTERRUPTED: Final = ("NODE_FAIL", "PREEMPTED", "REQUEUED")
CUT_SHORT: Final = "were last stopped by the cluster"
"""These count as cancelled, with the run time that was seen."""
_OUTCOMES: Final = {
    "COMPLETED": "completed", "FAILED": "failed", "OUT_OF_MEMORY": "failed", "BOOT_FAIL": "failed",
    "CANCELLED": "cancelled", "TIMEOUT": "cancelled", "DEADLINE": "cancelled", "REVOKED": "cancelled",
    "RUNNING": "completed", "SUSPENDED": "completed", "COMPLETING": "completed",
    **dict.fromkeys(INTERRUPTED, "cancelled"),
}  # fmt: skip
_NOT_YET: Final = ("PENDING", "REQUEUE_HOLD", "CONFIGURING", "RESV_DEL_HOLD", "SPECIAL_EXIT")
_UNKNOWN: Final = ("", "Unknown", "None", "N/A")


@dataclass
class _Attempt:
    started_s: float
    ended_s: float
    state: str
    job: Job


def read_sacct(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Found:
    """A job for each JobID, tasks of arrays included; steps (`12.batch`) are passed over.

    Lines of one JobID are attempts of one job (`sacct -D` prints them): it was submitted with the first, its run times
    add up, and it ends as the last. A job at its time limit counts as cancelled, one that ran out of memory as failed;
    one whose last attempt a node's failure, preemption or requeuing ended counts as cancelled then. The tenant is the
    account, else the QOS, else the partition. Left out: parts of heterogeneous jobs are jobs of their own.
    """
    found = Found()
    attempts: dict[str, list[_Attempt]] = {}
    lines = list(rows)
    last_s = -math.inf
    for line, row in lines:
        for name in ("Submit", "Start", "End"):
            if str(row[name]).strip() not in _UNKNOWN:
                last_s = max(last_s, cell(path, line, row, name, moment_s))
    for line, row in lines:
        job_id = str(row["JobID"]).strip()
        if not job_id:
            raise SpecError(f"{path}:{line}: JobID: is empty")
        if "." in job_id:
            continue
        attempt = _attempt(path, line, row, job_id, last_s, found)
        if attempt is not None:
            attempts.setdefault(job_id, []).append(attempt)
    for those in attempts.values():
        those.sort(key=lambda one: one.started_s)
        first, last = those[0], those[-1]
        job = first.job
        job.run_s = sum(one.ended_s - one.started_s for one in those)
        job.outcome = _OUTCOMES[last.state]
        if last.state in INTERRUPTED:
            found.remarks[CUT_SHORT] += 1
        found.jobs.append(job)
    return found


def _attempt(path: Path, line: int, row: dict[str, Any], job_id: str, last_s: float, found: Found) -> _Attempt | None:
    """The attempt of one line; `None` where it never started or holds no accelerator, which is remarked."""
    state = str(row["State"]).split()[0] if str(row["State"]).strip() else ""
    if state not in _OUTCOMES and state not in _NOT_YET:
        raise SpecError(f"{path}:{line}: {unknown_name('State', state, [*_OUTCOMES, *_NOT_YET])}")
    accelerators = _accelerators(path, line, row)
    if accelerators == 0:
        found.remarks[NO_ACCELERATORS] += 1
        return None
    submitted = cell(path, line, row, "Submit", moment_s)
    if state in _NOT_YET or str(row["Start"]).strip() in _UNKNOWN:
        found.remarks[NEVER_STARTED] += 1
        return None
    started = cell(path, line, row, "Start", moment_s)
    if str(row["End"]).strip() in _UNKNOWN:
        found.remarks[STILL_RUNNING] += 1
        ended = max(last_s, started)
    else:
        ended = cell(path, line, row, "End", moment_s)
    if started < submitted or ended < started:
        raise SpecError(f"{path}:{line}: expected Submit <= Start <= End")
    limit = str(row.get("Timelimit") or "").strip()
    job = Job(
        submitted_s=submitted,
        accelerators=accelerators,
        run_s=0.0,
        limit_s=math.inf if limit in (*_UNKNOWN, "UNLIMITED", "Partition_Limit") else _limit_s(path, line, row),
        waited_s=started - submitted,
        tenant=next((text for name in ("Account", "QOS", "Partition") if (text := str(row.get(name) or ""))), "all"),
        name=job_id,
    )
    return _Attempt(started, ended, state, job)


def _accelerators(path: Path, line: int, row: dict[str, Any]) -> float:
    """GPUs of `gres/gpu=8`; of `gres/gpu:a100=8` where only kinds are counted. Of what was asked for before a start."""
    tres = str(row.get("AllocTRES") or row.get("ReqTRES") or "")
    parts = dict(part.partition("=")[::2] for part in tres.split(",") if part)
    named = [name for name in parts if name.startswith("gres/gpu:")]
    wanted = ["gres/gpu"] if "gres/gpu" in parts else named
    return float(sum(cell(path, line, parts, name, int) for name in wanted))


def _limit_s(path: Path, line: int, row: dict[str, Any]) -> float:
    return float(cell(path, line, row, "Timelimit", elapsed_s))


def elapsed_s(text: str) -> float:
    """Seconds of Slurm's `[days-]hours:minutes:seconds`.

    >>> elapsed_s("1-02:03:04")
    93784.0
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)(?:\.\d+)?", text)
    if match is None:
        raise ValueError(text)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return days * DAY_S + hours * 3600.0 + minutes * 60.0 + seconds
