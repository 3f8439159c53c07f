"""One node's part of a Ray job, and all processes of it: they end when nobody wants them any more. Needs Python alone.

    python ray_keeper.py LEASE COMMAND...

Ray kills the children of an actor together with it, and no others: torchrun would be gone, and its ranks would train on
beside the next life. This is nobody's child, and told the end by its standard input: the actor holds the other side of
it, which is closed when the actor ends, whatever it ended of. Its standard output is the
exit code of the command and nothing else: what the command prints goes to standard error.

The file LEASE is touched every second as long as anything of the command may live, and is removed after.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

BEAT_S = 1.0
GRACE_S = 40.0
"""For the command to end before it is killed. torchrun gives its ranks 30 s of them."""
MARK = "MYRIAD_RAY_LEASE"
"""In the environment of all that the command starts, by which they are found."""


def main(lease: Path, command: list[str]) -> int:
    """Exit code of the command; negative is a signal. Returns when none of its processes is left."""
    lease.touch()
    environment = os.environ | {MARK: str(lease)}
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )
    threading.Thread(target=_end_when_unwanted, args=(child,), daemon=True).start()
    threading.Thread(target=_beat, args=(lease,), daemon=True).start()
    code = child.wait()
    end = time.monotonic() + GRACE_S  # what is killed and still there hangs in the system, and will do nothing more
    while (left := list(_processes_of(lease))) and time.monotonic() < end:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    return code


def _end_when_unwanted(child: subprocess.Popen[bytes]) -> None:
    """Waits for the end of standard input; then asks the command to end, and ends it when it does not."""
    while os.read(0, 4096):
        pass
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, how)
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=GRACE_S)


def _beat(lease: Path) -> None:
    while True:
        with suppress(OSError):  # of a full disk, or a server that is away for a moment
            os.utime(lease)
        time.sleep(BEAT_S)


def _processes_of(lease: Path) -> Iterator[int]:
    """What the command started and left behind: ranks have sessions of their own, and outlive a torchrun that dies."""
    wanted = f"{MARK}={lease}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            if not is_zombie and wanted in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)


if __name__ == "__main__":
    if os.fork():  # whoever started this sees it end at once, and the rest as a process of the system's
        os._exit(0)
    os.setsid()
    held = Path(sys.argv[1])
    try:
        ended = main(held, sys.argv[2:])
    finally:
        held.unlink(missing_ok=True)
    print(ended)  # noqa: T201
