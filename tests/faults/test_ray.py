"""What the backend for Ray says when its job server is not there, or is somebody else's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from myriad.run.described import BackendError, RefusedError, RunFolder, Submission
from myriad.run.on_ray import RayBackend

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def submission(tmp_path: Path) -> Submission:
    folder = RunFolder(tmp_path)
    folder.files.mkdir()
    folder.logs.mkdir()
    return Submission("pretrain-0001", 2, folder, {})


class Stranger(BaseHTTPRequestHandler):
    """A web server of something else."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def do_POST(self) -> None:
        self.send_response(405)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_head_is_gone(submission):
    backend = RayBackend(submission.folder, NOBODY)
    handle = "pretrain-0001-002-00000000"
    for call in (
        lambda: backend.submit(submission),
        lambda: backend.find(submission),
        lambda: backend.look(handle),
        lambda: backend.cancel(handle),
    ):
        with pytest.raises(BackendError, match=r"no Ray job server answers at http://127\.0\.0\.1:1: .*refused"):
            call()


def test_an_address_that_is_no_job_server_is_refused(submission):
    with pytest.raises(RefusedError, match="found 'ray://head:10001'; jobs go to Ray's job server"):
        RayBackend(submission.folder, "ray://head:10001")


def test_an_address_of_the_environment_is_refused_by_its_name(submission, monkeypatch):
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(RefusedError, match="RAY_ADDRESS: found 'auto'; jobs go to Ray's job server"):
        RayBackend(submission.folder)


def test_a_node_lost_in_an_earlier_life_is_not_why_the_last_failed(submission, monkeypatch):
    backend = RayBackend(submission.folder, NOBODY)
    monkeypatch.setattr(backend, "_job", lambda handle: None)
    told = {"state": "ended", "life": 3, "failed_nodes": ["c"], "exit_code": 1}
    for failed_life, failed_nodes in ((1, ()), (3, ("c",))):
        (submission.folder.logs / "002.ray.json").write_text(json.dumps(told | {"failed_life": failed_life}), "utf-8")
        assert backend.look("pretrain-0001-002-00000000").failed_nodes == failed_nodes


def test_somebody_else_answers(submission, stranger):
    backend = RayBackend(submission.folder, stranger)
    with pytest.raises(BackendError, match="what is no JSON"):
        backend.find(submission)
    with pytest.raises(RefusedError, match="405"):
        backend.submit(submission)


def test_what_the_driver_wrote_outlives_ray(submission, monkeypatch):
    backend = RayBackend(submission.folder, NOBODY)
    told = {"state": "ended", "life": 3, "nodes": ["a", "b"], "failed_nodes": ["c"], "exit_code": 0}
    (submission.folder.logs / "002.ray.json").write_text(json.dumps(told), "utf-8")
    monkeypatch.setattr(backend, "_job", lambda handle: None)  # a new head knows no job of the old
    seen = backend.look("pretrain-0001-002-00000000")
    assert (seen.state, seen.exit_code, seen.restarts, seen.failed_nodes) == ("ended", 0, 3, ("c",))
    (submission.folder.logs / "002.ray.json").write_text("{", "utf-8")
    assert backend.look("pretrain-0001-002-00000000").state == "unknown"
