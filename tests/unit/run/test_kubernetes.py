"""What the objects of a JobSet say; the statuses are written as its controller and kubelets write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from myriad.run.commands import Done
from myriad.run.described import RefusedError, Sighting, Submission
from myriad.run.kubernetes_status import sighting
from myriad.run.on_kubernetes import RESOURCES, _failure, _manifest
from small_runs import run_folder, small_launch


def condition(kind: str, **more: str) -> dict[str, str]:
    return {"type": kind, "status": "True"} | more


def pod(phase: str, node: str = "", **status: object) -> dict[str, object]:
    return {"spec": {"nodeName": node} if node else {}, "status": {"phase": phase} | status}


def job(*conditions: dict[str, str], restarts: int = 0) -> dict[str, object]:
    return {"spec": {}, "status": {"conditions": list(conditions), "restarts": restarts}}


def ended(code: int, at: str) -> list[dict[str, object]]:
    return [{"state": {"terminated": {"exitCode": code, "finishedAt": at}}}]


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes"}
LOST = [condition("DisruptionTarget", reason="DeletionByTaintManager")]


@pytest.mark.parametrize(
    ("seen", "pods", "expected"),
    [
        (job(), [], Sighting("queued", reason="no pod yet")),
        (job(condition("Suspended", reason="Kueue", message="full")), [], Sighting("queued", reason="Kueue: full")),
        (job(), [pod("Pending", conditions=[UNSCHEDULABLE])], Sighting("queued", reason="Unschedulable: 0/4 nodes")),
        (
            job(),
            [pod("Pending", containerStatuses=[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}])],
            Sighting("queued", reason="ImagePullBackOff"),
        ),
        (job(restarts=2), [pod("Running", "b"), pod("Running", "a")], Sighting("running", None, "", 2, ("a", "b"))),
        (
            job(),
            [pod("Running", "a"), pod("Failed", "b", conditions=LOST)],
            Sighting("running", nodes=("a", "b"), failed_nodes=("b",)),
        ),
        (
            job(),
            [pod("Running", "a"), pod("Pending", conditions=[UNSCHEDULABLE])],
            Sighting("queued", reason="Unschedulable: 0/4 nodes"),
        ),
        (
            job(),  # a TrainJob does not count its restarts
            [pod("Running", "a") | {"metadata": {"labels": {"jobset.sigs.k8s.io/restart-attempt": "3"}}}],
            Sighting("running", restarts=3, nodes=("a",)),
        ),
        (job(condition("Completed")), [pod("Succeeded", "a")], Sighting("ended", 0, "Completed", nodes=("a",))),
        (
            job(condition("Failed", reason="ReachedMaxRestarts"), restarts=100),
            [
                pod("Failed", "a", containerStatuses=ended(1, "2026-01-01T00:00:02Z")),
                pod("Failed", "b", containerStatuses=ended(137, "2026-01-01T00:00:01Z")),
            ],
            Sighting("ended", -9, "ReachedMaxRestarts", 100, ("a", "b")),
        ),
    ],
)  # fmt: skip
def test_status(seen, pods, expected):
    assert sighting(seen, pods) == expected


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ('Error from server (NotFound): namespaces "banana" not found', True),
        ('no matches for kind "JobSet" in version "jobset.x-k8s.io/v1alpha2"', True),
        ('Error from server (Forbidden): jobsets.jobset.x-k8s.io "x" is forbidden: exceeded quota: team', True),
        ("The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?", False),
        ("Unable to connect to the server: net/http: TLS handshake timeout", False),
        ("Error from server (ServiceUnavailable): the server is currently unable to handle the request", False),
    ],
)
def test_what_is_refused_for_good(words, refused):
    assert isinstance(_failure(Done(1, "", words), RefusedError), RefusedError) == refused


@pytest.mark.parametrize("api", ["jobset", "trainjob"])
def test_the_rendered_manifest_is_told_which_submission_it_is(tmp_path: Path, api: str):
    scheduler = {"kind": "kubernetes", "api": api, "volume_claim": "shared"}
    launch = small_launch(scheduler, launch={"framework": "reference", "image": "trainer:1"})
    folder = run_folder(tmp_path / "small-0007", launch)
    objects = _manifest(Submission("small-0007", 3, folder, {"A": "b"}, ("bad",)))
    text = json.dumps(objects)
    assert {"name": "MYRIAD_SUBMISSION", "value": "3"} in _environment(text)
    assert {"name": "A", "value": "b"} in _environment(text)
    assert '"subPath": "runs/small-0007"' in text
    assert '"operator": "NotIn", "values": ["bad"]' in text
    (made,) = (one for one in objects if one["kind"] in RESOURCES)
    assert made["metadata"]["annotations"]["myriad/submission"] == "003"


def _environment(text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def collect(one: dict[str, object]) -> dict[str, object]:
        if isinstance(one.get("env"), list):
            found.extend(one["env"])
        return one

    json.loads(text, object_hook=collect)
    return found
