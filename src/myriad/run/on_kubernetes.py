"""Runs on Kubernetes, through kubectl: a JobSet or a TrainJob, and the files that its pods read, in one manifest.

A job keeps its name, so that its pods find one another under names that were rendered; which run and which submission
it is stands in its annotations. The job of the last submission goes before that of the next comes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import yaml

from myriad.run.commands import Done, call
from myriad.run.described import BackendError, RefusedError, RunFolder, Sighting, Submission
from myriad.run.kubernetes_status import sighting
from myriad.spec.training_launch import KubernetesScheduler

Object = dict[str, Any]

MANIFEST: Final = "kubernetes.yaml"
RESOURCES: Final = {"JobSet": "jobsets.jobset.x-k8s.io", "TrainJob": "trainjobs.trainer.kubeflow.org"}
FOLDER: Final = "myriad/run-folder"
SUBMISSION: Final = "myriad/submission"

_PASSES: Final = re.compile(
    r"unable to connect|server \S+ was refused|connect: |connection (refused|reset|timed out)|i/o timeout|timed? ?out"
    r"|no such host|tls handshake|unexpected eof|\beof\b|serviceunavailable|service unavailable|too many requests"
    r"|internal ?error|etcdserver|unexpected error when reading response|network is unreachable|no route to host"
    r"|\(conflict\)|being deleted",
    re.IGNORECASE,
)
"""What kubectl says of a server that may answer otherwise later; all else is refused for good."""


@dataclass
class KubernetesBackend:
    """One run in one namespace of the cluster that kubectl is configured for."""

    folder: RunFolder
    scheduler: KubernetesScheduler
    kubectl: tuple[str, ...] = ("kubectl",)
    timeout_s: float = 60.0

    def submit(self, submission: Submission) -> str:
        objects = _manifest(submission)
        job = next(one for one in objects if one["kind"] in RESOURCES)
        resource, name = RESOURCES[job["kind"]], job["metadata"]["name"]
        self._make_room(job["kind"], name)
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        done = self._kubectl("create", "-f", "-", given=text)
        if done.code:
            error = _failure(done, RefusedError)
            if isinstance(error, RefusedError):
                self._delete(resource, name)  # the files that were accepted before the job was not
            raise error
        return f"{resource}/{name}/{submission.number:03d}"

    def find(self, submission: Submission) -> str | None:
        job = next(one for one in _manifest(submission) if one["kind"] in RESOURCES)
        handle = f"{RESOURCES[job['kind']]}/{job['metadata']['name']}/{submission.number:03d}"
        return None if self._job(handle) is None else handle

    def look(self, handle: str) -> Sighting:
        job = self._job(handle)
        if job is None:
            return Sighting("unknown")
        selected = f"jobset.sigs.k8s.io/jobset-name={job['metadata']['name']}"  # a TrainJob makes a JobSet of its name
        done = self._kubectl("get", "pods", "--selector", selected, "-o", "json")
        if done.code:
            raise _failure(done, BackendError)
        return sighting(job, _parsed(done).get("items", []))

    def cancel(self, handle: str) -> None:
        if self._job(handle) is not None:
            resource, name, _ = handle.split("/")
            self._delete(resource, name)

    def restart(self, handle: str) -> bool:  # noqa: ARG002
        """A job starts its pods again by itself when one fails; it cannot be asked to."""
        return False

    def _make_room(self, kind: str, name: str) -> None:
        """Deletes the submission before, or a run that has ended. Raises RefusedError for what others have there."""
        resource = RESOURCES[kind]
        job, files = self._get(f"{resource}/{name}"), self._get(f"configmap/{name}-files")
        if job is not None:
            whose = _annotations(job).get(FOLDER)
            if whose is None or (whose != str(self.folder.path) and sighting(job, []).state != "ended"):
                of = f"of the run in {whose}, which has not ended" if whose else "made by others"
                raise RefusedError(f"{kind} {name} is in namespace {self.scheduler.namespace} already, {of}")
        if job is not None or FOLDER in _annotations(files or {}):
            self._delete(resource, name)

    def _job(self, handle: str) -> Object | None:
        """The job of this very submission, and not of one before or after it, or of another run."""
        resource, name, number = handle.split("/")
        job = self._get(f"{resource}/{name}")
        if job is None:
            return None
        said = _annotations(job)
        return job if said.get(FOLDER) == str(self.folder.path) and said.get(SUBMISSION) == number else None

    def _get(self, what: str) -> Object | None:
        done = self._kubectl("get", what, "--ignore-not-found", "-o", "json")
        if done.code:
            raise _failure(done, BackendError)
        return _parsed(done) if done.out.strip() else None

    def _delete(self, resource: str, name: str) -> None:
        wait = f"--timeout={self.timeout_s:.0f}s"
        for what in (f"{resource}/{name}", f"configmap/{name}-files"):
            # In the foreground: its pods are gone before it is, so that none meets those of the next.
            done = self._kubectl("delete", what, "--ignore-not-found", "--cascade=foreground", "--wait=true", wait)
            if done.code:
                raise _failure(done, BackendError)

    def _kubectl(self, *arguments: str, given: str | None = None) -> Done:
        limit = f"--request-timeout={self.timeout_s:.0f}s"
        command = [*self.kubectl, f"--namespace={self.scheduler.namespace}", limit, *arguments]
        return call(command, self.timeout_s + 15, given=given)


def _manifest(submission: Submission) -> list[Object]:
    """The rendered objects, for this submission."""
    path = submission.folder.files / MANIFEST
    try:
        objects = [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]
    except (OSError, yaml.YAMLError) as error:
        raise RefusedError(f"{path}: {' '.join(str(error).split())}") from None
    if not any(one.get("kind") in RESOURCES for one in objects):
        raise RefusedError(f"{path}: holds no {' or '.join(RESOURCES)}")
    for one in objects:
        said = one["metadata"].setdefault("annotations", {})
        said |= {FOLDER: str(submission.folder.path), SUBMISSION: f"{submission.number:03d}"}
        for part in _parts(one):
            _adapt(part, submission)
    return objects


def _parts(value: Any) -> Iterator[Object]:
    """All objects within one, itself included."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _parts(one)


def _adapt(part: Object, submission: Submission) -> None:
    env = part.get("env")
    if isinstance(env, list) and any(one.get("name") == "MYRIAD_SUBMISSION" for one in env):
        own = submission.environment | {"MYRIAD_SUBMISSION": str(submission.number)}
        part["env"] = [one for one in env if one["name"] not in own]
        part["env"] += [{"name": name, "value": value} for name, value in own.items()]
    if part.get("name") == "run" and "subPath" in part:
        # Rendered with the name of the job; the folder of the run lies beside it.
        part["subPath"] = str(PurePosixPath(part["subPath"]).with_name(submission.folder.path.name))
    if "containers" in part and submission.excluded_nodes:
        host = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": list(submission.excluded_nodes)}
        required = {"nodeSelectorTerms": [{"matchExpressions": [host]}]}
        part["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _annotations(one: Object) -> dict[str, str]:
    return dict(one.get("metadata", {}).get("annotations") or {})


def _parsed(done: Done) -> Object:
    try:
        parsed = json.loads(done.out)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise BackendError(f"kubectl answered what is no JSON object: {done.out[:100]!r}")
    return parsed


def _failure(done: Done, refused: type[BackendError] | type[RefusedError]) -> BackendError | RefusedError:
    kind = BackendError if _PASSES.search(done.words) else refused
    return kind(f"kubectl: {done.words}")
