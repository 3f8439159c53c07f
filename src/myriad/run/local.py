"""Backend of the machine at hand: `start.sh` in a session of its own, which lives on without its supervisor."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

import psutil

from myriad.run.described import BackendError, RefusedError, Sighting, Submission

WAIT_S: Final = 15.0
"""For the first sign of a process that was started."""
GRACE_S: Final = 5.0
"""Between asking processes to end and ending them."""

# $1 is the mark of the submission, $2 the shell and $3 the script that it runs, $4 this machine. Only the first to make
# the mark goes on, so that none runs twice, whoever asks again. The exit code appears as a whole or not at all.
_WRAPPER: Final = """
set -C
printf '%s\\n' $$ "$4" > "$1.pid" || exit 73
set +C
"$2" "$3" < /dev/null
code=$?
echo $code > "$1.part" && mv "$1.part" "$1.exit"
"""


class LocalBackend:
    """Runs submissions as processes of this machine.

    A submission leaves `local/NAME.pid` in the folder of its run, and `local/NAME.exit` when it ends. The handle is the
    mark, `.../local/NAME`. A process is known by this mark in its command line and by the environment that all that it
    started inherit: a number that the system gave to another process since, or a clock that was set, deceives nobody.
    Other machines that see the folder cannot tell whether it lives, and leave it alone.
    """

    shell: ClassVar[str] = "sh"
    script: ClassVar[str] = "start.sh"

    def submit(self, submission: Submission) -> str:
        self.refuse_excluded(submission)
        start = submission.folder.files / self.script
        if not os.access(start, os.R_OK):
            raise RefusedError(f"{start}: missing or not readable")
        mark = _mark(submission)
        log = submission.folder.logs / f"{submission.number:03d}.log"
        try:
            mark.parent.mkdir(exist_ok=True)
            log.parent.mkdir(exist_ok=True)
            with log.open("ab") as output:  # through a shell that ends at once: nobody here has to wait for the rest
                subprocess.run(
                    ["/bin/sh", "-c", '"$0" "$@" &', "/bin/sh", "-c", _WRAPPER, "myriad-run", str(mark), self.shell,
                     str(start), socket.gethostname()],
                    cwd=submission.folder.path, env=os.environ | self.environment(submission), stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True, check=True, timeout=WAIT_S,
                )  # fmt: skip
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BackendError(f"{error.filename or submission.folder.path}: {reason}") from None
        except subprocess.SubprocessError as error:
            raise BackendError(f"/bin/sh: {error}") from None
        end = time.monotonic() + WAIT_S
        while not _marked(mark):
            if time.monotonic() > end:
                raise BackendError(f"{mark}.pid: nothing appeared for {WAIT_S:.0f} s; see {log}")
            time.sleep(0.01)
        return str(mark)

    def refuse_excluded(self, submission: Submission) -> None:
        """Raises RefusedError where there is no node left."""
        if socket.gethostname() in submission.excluded_nodes:
            raise RefusedError(f"{socket.gethostname()} is excluded, and there is no other node")

    def environment(self, submission: Submission) -> dict[str, str]:
        """What the script is given."""
        return environment_of(submission) | {
            "NODE_RANK": "0",
            "NNODES": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
        }

    def find(self, submission: Submission) -> str | None:
        mark = _mark(submission)
        return str(mark) if _marked(mark) else None

    def look(self, handle: str) -> Sighting:
        mark = Path(handle)
        here = (socket.gethostname(),)
        if (code := _exit_code(mark)) is not None:
            return Sighting(state="ended", exit_code=code, nodes=here)
        _refuse_elsewhere(mark)
        if _is_running(mark):
            return Sighting(state="running", nodes=here)
        if (code := _exit_code(mark)) is not None:  # it ended between the two looks
            return Sighting(state="ended", exit_code=code, nodes=here)
        if not _marked(mark):
            return Sighting(state="unknown")
        return Sighting(state="ended", reason="killed, or this machine was started again", nodes=here)

    def cancel(self, handle: str) -> None:
        mark = Path(handle)
        if _exit_code(mark) is None:
            _refuse_elsewhere(mark)
        processes = list(_processes_of(mark))
        for process in processes:
            _signal(process, stop=False)
        psutil.wait_procs(processes, timeout=GRACE_S)
        end = time.monotonic() + WAIT_S
        while left := list(_processes_of(mark)):
            if time.monotonic() > end:
                pids = ", ".join(str(process.pid) for process in left)
                raise BackendError(f"processes {pids} cannot be ended")
            for process in left:
                _signal(process, stop=True)
            psutil.wait_procs(left, timeout=1.0)

    def restart(self, handle: str) -> bool:  # noqa: ARG002
        return False


def _mark(submission: Submission) -> Path:
    return submission.folder.path.absolute() / "local" / submission.name


def environment_of(submission: Submission) -> dict[str, str]:
    """What every script of a submission is given, and what its processes are known by."""
    return submission.environment | {
        "MYRIAD_SUBMISSION": str(submission.number),
        "MYRIAD_RUN_FOLDER": str(submission.folder.path.absolute()),
        "MYRIAD_LOCAL_MARK": str(_mark(submission)),
        "MYRIAD_PYTHON": os.environ.get("MYRIAD_PYTHON", sys.executable),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _with_suffix(mark: Path, suffix: str) -> Path:
    return mark.with_name(mark.name + suffix)


def _marked(mark: Path) -> bool:
    try:
        return _with_suffix(mark, ".pid").stat().st_size > 0
    except OSError:
        return False


def _process_and_host(mark: Path) -> tuple[int, str]:
    """Of the wrapper. Raises OSError or ValueError where none has written them."""
    process, host = _with_suffix(mark, ".pid").read_text().split()
    return int(process), host


def _refuse_elsewhere(mark: Path) -> None:
    """Raises BackendError where it was started on another machine."""
    try:
        host = _process_and_host(mark)[1]
    except (OSError, ValueError):
        return
    if host != socket.gethostname():
        raise BackendError(
            f"{mark.name} was started on {host}, where alone it can be supervised; if that machine is no more, remove "
            f"{mark}.pid"
        )


def _exit_code(mark: Path) -> int | None:
    try:
        code = int(_with_suffix(mark, ".exit").read_text())
    except (OSError, ValueError):
        return None
    return 128 - code if code > 128 else code  # a shell says 128 + signal


def _is_running(mark: Path) -> bool:
    """Whether the wrapper of this mark lives."""
    try:
        process = psutil.Process(_process_and_host(mark)[0])
        return process.status() != psutil.STATUS_ZOMBIE and str(mark) in process.cmdline()
    except (OSError, ValueError, psutil.Error):
        return False


def _processes_of(mark: Path) -> Iterator[psutil.Process]:
    """All processes that this submission started and that live, the wrapper first."""
    wanted = str(mark)
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            if process.environ().get("MYRIAD_LOCAL_MARK") == wanted:
                yield process
        except (psutil.Error, OSError):
            continue


def _signal(process: psutil.Process, stop: bool) -> None:
    try:
        if stop:
            process.kill()
        else:
            process.terminate()
    except psutil.Error:
        pass
