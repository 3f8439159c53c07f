"""Pods of Alibaba's GPU cluster traces: the schema of `openb_pod_list_*.csv` (clusterdata, GPU v2023)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError, unknown_name
from myriad.sim.jobs.traces.recorded import NEVER_STARTED, NO_ACCELERATORS, STILL_RUNNING, Found, Job, cell, number

NEEDED: Final = ("name", "num_gpu", "gpu_milli", "pod_phase", "creation_time", "deletion_time", "scheduled_time")
_OUTCOMES: Final = {"Succeeded": "completed", "Failed": "failed", "Running": "completed", "Unknown": "failed"}


def read_openb(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Found:
    """Each pod with GPUs as a job: `num_gpu` times `gpu_milli` / 1000 of them, from scheduling to deletion.

    The quality of service is the tenant. Pods that were still running when the window ended count as completed then.
    """
    found = Found()
    for line, row in rows:
        gpus = cell(path, line, row, "num_gpu", number) * cell(path, line, row, "gpu_milli", number) / 1000
        phase = str(row["pod_phase"])
        if phase != "Pending" and phase not in _OUTCOMES:
            raise SpecError(f"{path}:{line}: {unknown_name('pod_phase', phase, ['Pending', *_OUTCOMES])}")
        created = cell(path, line, row, "creation_time", number)
        if gpus == 0:
            found.remarks[NO_ACCELERATORS] += 1
            continue
        if not row["scheduled_time"]:
            found.remarks[NEVER_STARTED] += 1
            continue
        scheduled = cell(path, line, row, "scheduled_time", number)
        ended = cell(path, line, row, "deletion_time", number)
        if not created <= scheduled <= ended:
            raise SpecError(f"{path}:{line}: expected creation_time <= scheduled_time <= deletion_time")
        if phase == "Running":
            found.remarks[STILL_RUNNING] += 1
        found.jobs.append(
            Job(
                submitted_s=created, accelerators=gpus, run_s=ended - scheduled, outcome=_OUTCOMES[phase],
                waited_s=scheduled - created, tenant=row.get("qos") or "all", name=str(row["name"]),
            )
        )  # fmt: skip
    return found
