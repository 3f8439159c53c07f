"""What is made, found and deleted in a namespace, by a stand-in for kubectl that keeps objects in a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from myriad.run.described import RefusedError, RunFolder
from myriad.run.on_kubernetes import FOLDER, KubernetesBackend
from myriad.spec.training_launch import KubernetesScheduler
from small_runs import run_folder, small_launch, submission

KUBECTL = """
import json, pathlib, sys
space = pathlib.Path(sys.argv[1])
verb, *rest = [one for one in sys.argv[2:] if not one.startswith(("--namespace", "--request"))]
place = lambda what: space / what.replace("/", " ")
if verb == "get" and rest[0] == "pods":
    print('{"items": []}')
elif verb == "get" and place(rest[0]).exists():
    print(place(rest[0]).read_text())
elif verb == "delete":
    place(rest[0]).unlink(missing_ok=True)
elif verb == "create":
    failed = False
    for one in json.load(sys.stdin)["items"]:
        kind = {"JobSet": "jobsets.jobset.x-k8s.io", "ConfigMap": "configmap"}[one["kind"]]
        path = place(f"{kind}/{one['metadata']['name']}")
        if path.exists():
            failed = True
            print(f"Error from server (AlreadyExists): {path.name} already exists", file=sys.stderr)
        else:
            path.write_text(json.dumps(one))
    sys.exit(failed)
"""
SCHEDULER = {"kind": "kubernetes", "volume_claim": "shared"}


class Namespace:
    """A folder of objects."""

    def __init__(self, folder: Path) -> None:
        self.objects, self.program = folder / "objects", folder / "kubectl.py"
        self.objects.mkdir()
        self.program.write_text(KUBECTL, "utf-8")

    def backend(self, folder: RunFolder) -> KubernetesBackend:
        kubectl = (sys.executable, "-S", str(self.program), str(self.objects))
        return KubernetesBackend(folder, KubernetesScheduler.model_validate(SCHEDULER), kubectl)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.objects.iterdir())

    def change(self, name: str, **more: Any) -> None:
        path = self.objects / name
        path.write_text(json.dumps(json.loads(path.read_text()) | more), "utf-8")

    def folder_of(self, name: str) -> str:
        return str(json.loads((self.objects / name).read_text())["metadata"]["annotations"][FOLDER])


JOB, FILES = "jobsets.jobset.x-k8s.io small", "configmap small-files"
ENDED = {"conditions": [{"type": "Completed", "status": "True"}]}


@pytest.fixture
def namespace(tmp_path: Path) -> Namespace:
    return Namespace(tmp_path)


def folder(tmp_path: Path, name: str) -> RunFolder:
    launch = small_launch(SCHEDULER, launch={"framework": "reference", "image": "trainer:1"})
    return run_folder(tmp_path / name, launch)


def test_a_submission_is_found_and_the_next_takes_its_place(namespace: Namespace, tmp_path: Path) -> None:
    mine = folder(tmp_path, "small-0001")
    backend = namespace.backend(mine)
    assert backend.find(submission(mine)) is None
    handle = backend.submit(submission(mine))
    assert backend.find(submission(mine)) == handle
    assert backend.look(handle).state == "queued"
    second = backend.submit(submission(mine, 1))
    assert (backend.look(handle).state, backend.find(submission(mine))) == ("unknown", None)
    backend.cancel(handle)
    assert namespace.names() == [FILES, JOB], "the job of the next submission is left alone"
    backend.cancel(second)
    assert namespace.names() == []


def test_a_run_that_has_ended_gives_way_and_one_that_has_not_does_not(namespace: Namespace, tmp_path: Path) -> None:
    first, second = (folder(tmp_path, name) for name in ("small-0001", "small-0002"))
    namespace.backend(first).submit(submission(first))
    with pytest.raises(RefusedError, match=r"already, of the run in .*small-0001, which has not ended"):
        namespace.backend(second).submit(submission(second))
    assert namespace.folder_of(JOB) == str(first.path)
    namespace.change(JOB, status=ENDED)
    namespace.backend(second).submit(submission(second))
    assert namespace.folder_of(JOB) == namespace.folder_of(FILES) == str(second.path)


def test_what_others_made_stays(namespace: Namespace, tmp_path: Path) -> None:
    mine = folder(tmp_path, "small-0001")
    (namespace.objects / JOB).write_text(json.dumps({"metadata": {"name": "small"}, "status": ENDED}), "utf-8")
    with pytest.raises(RefusedError, match="already, made by others"):
        namespace.backend(mine).submit(submission(mine))
    assert namespace.names() == [JOB]


def test_files_that_outlived_their_job_are_replaced(namespace: Namespace, tmp_path: Path) -> None:
    first, second = (folder(tmp_path, name) for name in ("small-0001", "small-0002"))
    namespace.backend(first).submit(submission(first))
    (namespace.objects / JOB).unlink()  # by hand, as people delete jobs
    namespace.backend(second).submit(submission(second))
    assert namespace.folder_of(FILES) == str(second.path)
