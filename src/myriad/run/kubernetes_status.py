"""What the status of a JobSet or a TrainJob, and of its pods, says of a run."""

from __future__ import annotations

from typing import Any, Final

from myriad.run.described import Sighting

Object = dict[str, Any]

_DONE: Final = ("Completed", "Complete")
_NODE_LOST: Final = (
    "NodeLost", "NodeShutdown", "Shutdown", "Terminated", "DeletionByTaintManager", "DeletionByPodGC", "NodeAffinity",
)  # fmt: skip
"""Reasons of pods that ended with their node."""


def sighting(job: Object, pods: list[Object]) -> Sighting:
    """How the run is. `pods` are those of the job that exist now; those of earlier lives are gone."""
    status = job.get("status") or {}
    restarts = max([int(status.get("restarts") or 0), *map(_attempt, pods)])
    nodes = tuple(sorted({name for pod in pods if (name := pod.get("spec", {}).get("nodeName"))}))
    lost = tuple(sorted({pod["spec"]["nodeName"] for pod in pods if _went_with_node(pod)}))
    conditions = {one["type"]: one for one in status.get("conditions") or [] if one.get("status") == "True"}
    if any(kind in conditions for kind in _DONE):
        return Sighting("ended", 0, "Completed", restarts, nodes)
    if "Failed" in conditions:
        return Sighting("ended", _exit_code(pods), _why(conditions["Failed"]) or "Failed", restarts, nodes, lost)
    phases = {(pod.get("status") or {}).get("phase") for pod in pods}
    if "Running" in phases and "Pending" not in phases:  # ranks wait for the last of their nodes
        return Sighting("running", None, "", restarts, nodes, lost)
    if "Suspended" in conditions or job.get("spec", {}).get("suspend"):
        return Sighting("queued", None, _why(conditions.get("Suspended", {})) or "Suspended", restarts)
    return Sighting("queued", None, _waits(pods), restarts, failed_nodes=lost)


def _attempt(pod: Object) -> int:
    """Restarts of the JobSet before this pod; a TrainJob does not tell them."""
    return int((pod.get("metadata") or {}).get("labels", {}).get("jobset.sigs.k8s.io/restart-attempt") or 0)


def _why(condition: Object) -> str:
    return ": ".join(text for text in (condition.get("reason"), condition.get("message")) if text)


def _waits(pods: list[Object]) -> str:
    """Why pods do not run yet: the first that says something."""
    for pod in pods:
        status = pod.get("status") or {}
        for one in status.get("conditions") or []:
            if one.get("type") == "PodScheduled" and one.get("status") == "False":
                return _why(one)
        for container in status.get("containerStatuses") or []:
            if waiting := container.get("state", {}).get("waiting"):
                return _why(waiting)
    return "no pod yet" if not pods else "Pending"


def _went_with_node(pod: Object) -> bool:
    status = pod.get("status") or {}
    if not pod.get("spec", {}).get("nodeName"):
        return False
    disrupted = [one for one in status.get("conditions") or [] if one.get("type") == "DisruptionTarget"]
    reasons = [status.get("reason"), *(one.get("reason") for one in disrupted if one.get("status") == "True")]
    return any(reason in _NODE_LOST for reason in reasons)


def _exit_code(pods: list[Object]) -> int | None:
    """Of the pod that failed first."""
    ends = [
        (ended.get("finishedAt") or "", int(ended.get("exitCode") or 0))
        for pod in pods
        for container in (pod.get("status") or {}).get("containerStatuses") or []
        if (ended := container.get("state", {}).get("terminated"))
    ]
    failed = sorted(end for end in ends if end[1])
    if not failed:
        return None
    code = failed[0][1]
    return 128 - code if code > 128 else code  # 128 + signal
