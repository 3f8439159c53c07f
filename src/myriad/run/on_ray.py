"""Runs on Ray, through the REST interface of its job server: whoever supervises needs no Ray.

The job is `ray_driver.py`, which starts a run again on other nodes when one is lost.
"""

from __future__ import annotations

import json
import os
import shlex
import urllib.error
import urllib.parse
import urllib.request
import zlib
from dataclasses import dataclass
from typing import Any, Final

from myriad.run.described import BackendError, RefusedError, RunFolder, Sighting, Submission

DRIVER: Final = "ray_driver.py"
_ADDRESSES: Final = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
_INHERITED: Final = ("MYRIAD_HEALTH_CHECK", "MYRIAD_MAX_RESTARTS")
"""What whoever supervises says to all nodes; on Slurm and over ssh it gets there by itself."""
_USUAL_ADDRESS: Final = "http://127.0.0.1:8265"


@dataclass
class RayBackend:
    """One run on a Ray cluster."""

    folder: RunFolder
    address: str | None = None
    """Of the job server; `None`: as RAY_API_SERVER_ADDRESS or RAY_ADDRESS says, else that of this machine."""
    python: str = "python3"
    """On the nodes of the cluster."""
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        self._server = _server(self.address)

    def submit(self, submission: Submission) -> str:
        folder = submission.folder
        folder.logs.mkdir(parents=True, exist_ok=True)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment = {"MYRIAD_PYTHON": self.python} | inherited | submission.environment
        environment |= {
            "MYRIAD_SUBMISSION": str(submission.number),
            "MYRIAD_RUN_FOLDER": str(folder.path),
            "MYRIAD_EXCLUDED_NODES": ",".join(submission.excluded_nodes),
        }
        handle = _handle(submission)
        self._ask(
            "POST",
            "/api/jobs/",
            {
                "entrypoint": f"{shlex.quote(self.python)} {shlex.quote(str(folder.files / DRIVER))}",
                "submission_id": handle,
                "runtime_env": {"env_vars": environment},
                "metadata": {"job_submission_id": handle, "myriad_run": submission.run, "folder": str(folder.path)},
            },
        )
        return handle

    def find(self, submission: Submission) -> str | None:
        return None if self._job(_handle(submission)) is None else _handle(submission)

    def look(self, handle: str) -> Sighting:
        job = self._job(handle)
        told = self._told(handle)
        restarts = int(told.get("life", 0))
        nodes = tuple(told.get("nodes", ()))
        lost = tuple(told.get("failed_nodes", ()))
        code = told.get("exit_code")
        if code and told.get("failed_life", restarts) != restarts:
            lost = ()  # a life after that ended for a reason of its own
        if job is None:
            if code is None:
                return Sighting("unknown", restarts=restarts, failed_nodes=lost)
            return Sighting("ended", int(code), "as the job itself wrote", restarts, nodes, lost)
        status, message = str(job.get("status")), _line(str(job.get("message") or ""))
        if status == "SUCCEEDED":
            return Sighting("ended", 0, status, restarts, nodes, lost)
        if status == "FAILED":
            code = code if code is not None else job.get("driver_exit_code")
            return Sighting("ended", int(code) if code else None, f"{status}: {message}", restarts, nodes, lost)
        if status == "STOPPED":
            return Sighting("ended", -15, status, restarts, nodes, lost)
        if status == "RUNNING" and told.get("state") in {"running", "ended"}:
            return Sighting("running", restarts=restarts, nodes=nodes, failed_nodes=lost)
        if status in {"RUNNING", "PENDING"}:
            return Sighting("queued", reason=str(told.get("reason") or message), restarts=restarts, failed_nodes=lost)
        raise BackendError(f"Ray answered with the unknown status {status!r}")

    def cancel(self, handle: str) -> None:
        try:
            self._ask("POST", f"/api/jobs/{urllib.parse.quote(handle)}/stop", {})
        except _AbsentError:
            return

    def restart(self, handle: str) -> bool:  # noqa: ARG002
        """Ray stops jobs, and starts none again."""
        return False

    def _job(self, handle: str) -> dict[str, Any] | None:
        try:
            return self._ask("GET", f"/api/jobs/{urllib.parse.quote(handle)}")
        except _AbsentError:
            return None

    def _told(self, handle: str) -> dict[str, Any]:
        """What the driver wrote into the folder of the run; empty before it started."""
        number = handle.rsplit("-", 2)[1]
        try:
            told = json.loads((self.folder.logs / f"{number}.ray.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def _ask(self, method: str, path: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        server = self._server
        body = None if given is None else json.dumps(given).encode()
        request = urllib.request.Request(
            server + path, body, {"Content-Type": "application/json"}, method=method
        )  # `_server` let only http through
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=self.timeout_s) as answer:
                text = answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            words = _line(error.read().decode("utf-8", "replace")) or str(error.reason)
            if error.code == 404:
                raise _AbsentError(f"Ray at {server}: {words}") from None
            kind = RefusedError if 400 <= error.code < 500 else BackendError
            raise kind(f"Ray at {server} answered {error.code}: {words}") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise BackendError(f"no Ray job server answers at {server}: {reason}") from None
        try:
            answered = json.loads(text or "{}")
        except ValueError:
            raise BackendError(f"Ray at {server} answered what is no JSON: {_line(text)[:100]!r}") from None
        return answered if isinstance(answered, dict) else {}


class _AbsentError(BackendError):
    """There is no such job."""


def _handle(submission: Submission) -> str:
    """`RUN-NNN-FOLDER`: other databases may hold runs of the same name, in folders of their own."""
    return f"{submission.name}-{zlib.crc32(str(submission.folder.path).encode()):08x}"


def _server(address: str | None) -> str:
    named = {"scheduler.address": address} | {name: os.environ.get(name) for name in _ADDRESSES}
    where, given = next(((name, one) for name, one in named.items() if one), ("", _USUAL_ADDRESS))
    if not given.startswith(("http://", "https://")):
        raise RefusedError(f"{where}: found {given!r}; jobs go to Ray's job server, as http://HEAD:8265")
    return given.rstrip("/")


def _line(text: str) -> str:
    """What a traceback ends with, or the text on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        lines = [line for line in lines if "Error: " in line][-1:] or lines[-1:]
    return " ".join(lines)[:500]
