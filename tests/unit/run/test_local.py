"""Real processes on this machine: started once, found again, ended with all that they started."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from myriad.run.described import BackendError, RefusedError, RunFolder, Sighting, Submission
from myriad.run.local import LocalBackend


@pytest.fixture
def submission(tmp_path: Path) -> Iterator[Submission]:
    for name in ("files", "logs"):
        (tmp_path / name).mkdir()
    one = Submission("tiny-0001", 0, RunFolder(tmp_path), {"COLOUR": "green"})
    yield one
    backend = LocalBackend()
    if (handle := backend.find(one)) is not None:
        backend.cancel(handle)


def start_sh(submission: Submission, text: str) -> None:
    (submission.folder.files / "start.sh").write_text(text)


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(backend: LocalBackend, handle: str) -> Sighting:
    until(lambda: backend.look(handle).state == "ended")
    return backend.look(handle)


def test_it_gets_its_environment_and_its_exit_code_is_kept(submission: Submission) -> None:
    start_sh(submission, 'echo "$COLOUR $NODE_RANK $NNODES $MASTER_ADDR $MYRIAD_SUBMISSION $PWD"; exit 7\n')
    backend = LocalBackend()
    assert backend.find(submission) is None
    handle = backend.submit(submission)
    assert backend.find(submission) == handle
    seen = ended(backend, handle)
    assert (seen.exit_code, seen.nodes) == (7, (socket.gethostname(),))
    log = (submission.folder.logs / "000.log").read_text()
    assert log == f"green 0 1 127.0.0.1 0 {submission.folder.path}\n"


def test_submitting_twice_starts_one(submission: Submission) -> None:
    start_sh(submission, "echo started; sleep 60\n")
    one, other = LocalBackend(), LocalBackend()
    assert one.submit(submission) == other.submit(submission)
    until(lambda: "started" in (submission.folder.logs / "000.log").read_text())
    time.sleep(0.3)
    assert (submission.folder.logs / "000.log").read_text().count("started") == 1


def test_cancelling_ends_the_whole_tree_sessions_of_their_own_included(submission: Submission) -> None:
    start_sh(
        submission,
        "trap '' TERM\n"  # what does not want to end is ended all the same
        "setsid sh -c 'echo $$ > one.pid; exec sleep 1000' &\n"
        "(sh -c 'echo $$ > two.pid; exec sleep 1000' &)\n"
        "sleep 1000\n",
    )
    backend = LocalBackend()
    handle = backend.submit(submission)
    files = [submission.folder.path / name for name in ("one.pid", "two.pid")]
    until(lambda: all(file.exists() and file.read_text().strip() for file in files))
    pids = [int(file.read_text()) for file in files]
    assert backend.look(handle).state == "running"
    backend.cancel(handle)
    assert backend.look(handle).state == "ended"
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)
    backend.cancel(handle)  # nothing, as it has ended


def test_one_that_was_killed_has_ended_and_a_number_given_again_deceives_nobody(submission: Submission) -> None:
    start_sh(submission, "sleep 1000\n")
    backend = LocalBackend()
    handle = backend.submit(submission)
    os.kill(int(Path(f"{handle}.pid").read_text().split()[0]), signal.SIGKILL)
    seen = ended(backend, handle)
    assert (seen.exit_code, seen.reason) == (None, "killed, or this machine was started again")
    Path(f"{handle}.pid").write_text(f"{os.getpid()}\n{socket.gethostname()}\n")
    assert backend.look(handle).state == "ended"


def test_one_of_another_machine_is_left_alone(submission: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks as if it were gone: submitted again it would run twice, in one folder."""
    start_sh(submission, "sleep 1000\n")
    backend = LocalBackend()
    handle, here = backend.submit(submission), socket.gethostname()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "login-2")
        assert backend.find(submission) == backend.submit(submission) == handle
        for ask in (backend.look, backend.cancel):
            with pytest.raises(BackendError, match=f"tiny-0001-000 was started on {here}, where alone it can be"):
                ask(handle)
    assert backend.look(handle).state == "running"
    backend.cancel(handle)
    assert backend.look(handle).state == "ended"


def test_a_signal_is_told_as_one(submission: Submission) -> None:
    start_sh(submission, "kill -9 $$\n")
    backend = LocalBackend()
    assert ended(backend, backend.submit(submission)).exit_code == -9


def test_what_is_not_there_is_refused(submission: Submission, tmp_path: Path) -> None:
    backend = LocalBackend()
    with pytest.raises(RefusedError, match=r"start\.sh: missing or not readable"):
        backend.submit(submission)
    start_sh(submission, "exit 0\n")
    (submission.folder.files / "start.sh").chmod(0o644)  # need not be executable
    here = socket.gethostname()
    with pytest.raises(RefusedError, match="is excluded"):
        backend.submit(Submission("tiny-0001", 0, submission.folder, {}, (here,)))
    (tmp_path / "local").write_text("a file")
    with pytest.raises(BackendError):
        backend.submit(submission)
    (tmp_path / "local").unlink()
    assert ended(backend, backend.submit(submission)).exit_code == 0
    assert backend.look(str(tmp_path / "local" / "other")).state == "unknown"
    assert not backend.restart(str(tmp_path))


def test_each_start_meets_at_a_port_that_is_free(submission: Submission) -> None:
    start_sh(submission, "echo $MASTER_PORT\n")
    backend = LocalBackend()
    ended(backend, backend.submit(submission))
    port = int((submission.folder.logs / "000.log").read_text())
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        again = Submission("tiny-0001", 1, submission.folder, {})
        ended(backend, backend.submit(again))
        assert int((submission.folder.logs / "001.log").read_text()) != port
