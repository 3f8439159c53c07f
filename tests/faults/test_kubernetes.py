"""What kubectl itself says when there is no cluster behind it. No API server runs in these tests."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from myriad.run.described import BackendError, RefusedError, RunFolder, Submission
from myriad.run.on_kubernetes import MANIFEST, KubernetesBackend
from myriad.spec.training_launch import KubernetesScheduler

_JOB = {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": {"name": "pretrain"}, "spec": {}}


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    folder = RunFolder(tmp_path)
    folder.files.mkdir()
    (folder.files / MANIFEST).write_text(yaml.safe_dump(_JOB), "utf-8")
    return Submission("pretrain-0001", 0, folder, {})


def backend(submission: Submission, *kubectl: str) -> KubernetesBackend:
    return KubernetesBackend(submission.folder, KubernetesScheduler(), kubectl, timeout_s=5)


def calls(one: KubernetesBackend, submission: Submission):
    handle = "jobsets.jobset.x-k8s.io/pretrain/000"
    return [
        lambda: one.submit(submission),
        lambda: one.find(submission),
        lambda: one.look(handle),
        lambda: one.cancel(handle),
    ]


def test_kubectl_is_missing(submission):
    for call in calls(backend(submission, "kubectl-that-is-nowhere"), submission):
        with pytest.raises(BackendError, match="kubectl-that-is-nowhere is not installed here, or not on PATH"):
            call()


def test_its_server_is_unreachable(submission, require_kubectl):
    for call in calls(backend(submission, "kubectl", "--server=http://127.0.0.1:1"), submission):
        with pytest.raises(BackendError, match="refused"):
            call()


def test_its_server_never_answers(submission, require_kubectl):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        one = backend(submission, "kubectl", f"--server=http://127.0.0.1:{silent.getsockname()[1]}")
        one.timeout_s = 1
        with pytest.raises(BackendError):
            one.find(submission)


def test_a_context_that_is_not_configured_is_no_reason_to_give_up_a_run(submission, require_kubectl):
    with pytest.raises(BackendError, match="context"):
        backend(submission, "kubectl", "--context=banana").find(submission)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [("{", "kubernetes.yaml"), ("kind: Pod\nmetadata: {name: x}\n", "holds no JobSet or TrainJob")],
)
def test_a_manifest_that_is_none_is_refused_at_once(submission, manifest, words):
    (submission.folder.files / MANIFEST).write_text(manifest, "utf-8")
    with pytest.raises(RefusedError, match=words):
        backend(submission, "kubectl").submit(submission)


@pytest.fixture
def require_kubectl() -> None:
    import shutil

    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
