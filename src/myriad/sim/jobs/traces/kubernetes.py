"""Jobs of Kubernetes queues: objects of Kueue (Workload) and Volcano (PodGroup, Job), and events, as JSON Lines.

One object per line, as `kubectl get workloads,events -A -o json | jq -c '.items[]'` prints them, or one change per
line, as `kubectl get workloads -A --watch --output-watch-events -o json | jq -c .` does. Several lines of one object
are its history.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from myriad.errors import SpecError, unknown_name
from myriad.sim.jobs.traces.recorded import NEVER_STARTED, NO_ACCELERATORS, STILL_RUNNING, Found, Job, moment_s

KINDS: Final = ("Workload", "PodGroup", "Job", "Event")
_ENDS: Final = {"Completed": "completed", "Failed": "failed", "Aborted": "cancelled", "Terminated": "cancelled"}
"""Phases in which a Volcano job has ended."""


@dataclass
class _Seen:
    """One object: what its lines say together."""

    kind: str
    name: str
    owner: str
    tenant: str
    line: int
    created_s: float
    accelerators: float = 0.0
    priority: int = 0
    runs: dict[float, bool] = field(default_factory=dict)
    """Time -> whether it ran from then on."""
    ended_s: float = math.nan
    outcome: str = "completed"


def read_kubernetes(path: Path, rows: Iterator[tuple[int, dict[str, Any]]]) -> Found:
    """A job for each Workload, and for each PodGroup together with the Volcano job that owns it.

    A Workload runs while its condition `Admitted` is true, until `Finished`; evictions stop it, and its run time is the
    sum over admissions. An object alone knows its last admission only; its events, or the lines of a watch, know all.
    A PodGroup runs from its condition `Scheduled` until its job has ended or it was deleted. Accelerators are resources
    named `.../gpu`, `.../tpu` or `huawei.com/Ascend...`. The tenant is the queue.
    """
    seen: dict[str, _Seen] = {}
    events: list[tuple[str, float, bool]] = []
    last_s = -math.inf
    for line, row in rows:
        one = row["object"] if isinstance(row.get("object"), dict) else row
        try:
            if one.get("kind") == "Event":
                events += _event(one)
                continue
            entry = _entry(path, line, one, seen)
            _READERS[entry.kind](entry, one)
            if row.get("type") == "DELETED" and math.isnan(entry.ended_s):
                deleted = one["metadata"].get("deletionTimestamp")
                entry.ended_s, entry.outcome = (moment_s(deleted), "cancelled") if deleted else (math.nan, "completed")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, SpecError):
                raise
            raise SpecError(
                f"{path}:{line}: not as Kueue or Volcano write it: {type(error).__name__} {error}"
            ) from None
        known = [moment for moment in (entry.ended_s, entry.created_s, *entry.runs) if math.isfinite(moment)]
        last_s = max(last_s, *known)
    workloads = {one.name: one for one in seen.values() if one.kind == "Workload"}
    for name, when, runs in events:
        if name in workloads:
            workloads[name].runs[when] = runs
    found = Found()
    groups = [one for one in seen.values() if one.kind == "PodGroup"]
    jobs = {one.name: one for one in seen.values() if one.kind == "Job"}
    for group in groups:
        if (job := jobs.pop(group.owner, None)) is not None:
            group.ended_s, group.outcome = job.ended_s, job.outcome
            group.accelerators = job.accelerators or group.accelerators
            group.runs = job.runs or group.runs
    for entry in (*workloads.values(), *groups, *jobs.values()):
        _add(path, entry, last_s, found)
    return found


def _entry(path: Path, line: int, one: Mapping[str, Any], seen: dict[str, _Seen]) -> _Seen:
    kind = one.get("kind")
    if kind not in KINDS:
        raise SpecError(f"{path}:{line}: {unknown_name('kind', str(kind), KINDS)}")
    about = one["metadata"]
    name = f"{about.get('namespace', 'default')}/{about['name']}"
    if (key := f"{kind} {name} {about.get('uid', '')}") not in seen:
        owners = [owner["name"] for owner in about.get("ownerReferences", ()) if owner.get("kind") == "Job"]
        owner = f"{about.get('namespace', 'default')}/{owners[0]}" if owners else ""
        spec = one["spec"]
        tenant = str(spec.get("queueName") or spec.get("queue") or about.get("namespace") or "all")
        seen[key] = _Seen(kind, name, owner, tenant, line, moment_s(about["creationTimestamp"]))
    return seen[key]


def _event(one: Mapping[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """The workload that an event is about, when it was, and whether it ran from then on; nothing of other events."""
    about, reason = one.get("involvedObject") or one["regarding"], str(one.get("reason"))
    evicted = reason.startswith("Evicted") or reason == "Preempted"
    if about.get("kind") == "Workload" and (evicted or reason == "Admitted"):
        when = one.get("eventTime") or one.get("firstTimestamp") or one["metadata"]["creationTimestamp"]
        yield f"{about.get('namespace', 'default')}/{about['name']}", moment_s(when), not evicted


def _workload(entry: _Seen, one: Mapping[str, Any]) -> None:
    spec = one["spec"]
    entry.accelerators = sum(_of_pod(part["template"]) * int(part.get("count", 1)) for part in spec["podSets"])
    entry.priority = int(spec.get("priority") or 0)
    for condition in one.get("status", {}).get("conditions", ()):
        when = moment_s(condition["lastTransitionTime"])
        if condition["type"] == "Admitted":
            entry.runs[when] = condition["status"] == "True"
        elif condition["type"] == "Finished" and condition["status"] == "True":
            entry.ended_s = when
            entry.outcome = "failed" if condition.get("reason") == "Failed" else "completed"


def _pod_group(entry: _Seen, one: Mapping[str, Any]) -> None:
    entry.accelerators = sum(float(v) for name, v in one["spec"].get("minResources", {}).items() if _counts(name))
    for condition in one.get("status", {}).get("conditions", ()):
        if condition["type"] == "Scheduled" and condition["status"] == "True":
            entry.runs[moment_s(condition["lastTransitionTime"])] = True


def _volcano_job(entry: _Seen, one: Mapping[str, Any]) -> None:
    tasks = one["spec"].get("tasks", ())
    entry.accelerators = sum(_of_pod(task["template"]) * int(task.get("replicas", 1)) for task in tasks)
    for condition in one.get("status", {}).get("conditions", ()):
        when, phase = moment_s(condition["lastTransitionTime"]), condition["status"]
        entry.runs[when] = phase == "Running"
        if phase in _ENDS:
            entry.ended_s, entry.outcome = when, _ENDS[phase]


_READERS: Final = {"Workload": _workload, "PodGroup": _pod_group, "Job": _volcano_job}


def _of_pod(template: Mapping[str, Any]) -> float:
    total = 0.0
    for container in template["spec"]["containers"]:
        asked = {
            **container.get("resources", {}).get("limits", {}),
            **container.get("resources", {}).get("requests", {}),
        }
        total += sum(float(value) for name, value in asked.items() if _counts(name))
    return total


def _counts(resource: str) -> bool:
    vendor, _, name = resource.removeprefix("requests.").partition("/")
    return name in ("gpu", "tpu") or (vendor == "huawei.com" and name.startswith("Ascend"))


def _add(path: Path, entry: _Seen, last_s: float, found: Found) -> None:
    """The job of one object, unless it asks for no accelerator or never started."""
    starts = [when for when, runs in sorted(entry.runs.items()) if runs]
    if entry.accelerators == 0 or not starts:
        found.remarks[NO_ACCELERATORS if entry.accelerators == 0 else NEVER_STARTED] += 1
        return
    end = entry.ended_s
    if math.isnan(end):
        found.remarks[STILL_RUNNING] += 1
        end = last_s
    changes = sorted((when, runs) for when, runs in entry.runs.items() if when < end)
    times = [when for when, _ in changes[1:]] + [end]
    run_s = sum(until - when for (when, runs), until in zip(changes, times, strict=True) if runs) if changes else 0.0
    if starts[0] < entry.created_s or end < starts[0]:
        raise SpecError(f"{path}:{entry.line}: {entry.name}: expected created <= started <= ended")
    found.jobs.append(
        Job(
            submitted_s=entry.created_s, accelerators=entry.accelerators, run_s=run_s, outcome=entry.outcome,
            waited_s=starts[0] - entry.created_s, tenant=entry.tenant, priority=entry.priority, name=entry.name,
        )
    )  # fmt: skip
