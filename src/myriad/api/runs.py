"""Runs: entered and started, supervised, looked at, cancelled. Joins rendering and running."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from myriad.errors import LaunchError, SpecError
from myriad.launch.files import File
from myriad.run.backends import backend_of
from myriad.run.described import RunFolder
from myriad.run.health import problems_here
from myriad.run.lock import holder_of
from myriad.run.policy import Policy
from myriad.run.readings import RunRecord, rank_events_of, run_of
from myriad.run.store import Store, run_id
from myriad.run.supervisor import Supervisor
from myriad.spec.run import ENDED, RunState
from myriad.spec.training_launch import TrainingLaunch

__all__ = ["NothingWrittenError", "Policy", "Store", "cancel_run", "detach", "enter_run", "log_files", "supervise_run"]

START_S: Final = 120.0
"""A supervisor of its own holds the lock of its run after so long, or has failed."""


def enter_run(store: Store, launch: TrainingLaunch, files: Sequence[File], policy: Policy | None = None) -> str:
    """The id of a new run: entered in the database, its folder made, its files written. Nothing is started.

    The folder is `launch.launch.folder` / id. Raises LaunchError where it cannot be written: the run has failed then.
    """
    run = store.enter_run(launch, Path(launch.launch.folder).expanduser(), policy or Policy())
    folder = run_of(store, run).folder
    try:
        for path in (folder.files, folder.events, folder.logs, folder.checkpoints):
            path.mkdir(parents=True)
        folder.launch.write_text(launch.model_dump_json(indent=1) + "\n", "utf-8")
        for file in files:
            path = folder.files / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, "utf-8")
            if file.text.startswith("#!"):
                path.chmod(0o755)
    except OSError as error:
        why = f"{error.filename or folder.path}: cannot be written: {(error.strerror or str(error)).lower()}"
        store.change(run, {"state": "failed", "ended_s": time.time(), "reason": why})
        raise LaunchError(f"run {run}: {why}") from None
    return run


def known_run(store: Store, run: str) -> RunRecord:
    """A run by id, name or folder; one of a folder that this database does not know is entered again.

    What ranks have written is read from the folder; what the scheduler still has is found by its name.
    """
    folder = RunFolder(Path(run).absolute())
    if not folder.launch.is_file():
        return run_of(store, run)
    with contextlib.suppress(SpecError):
        return run_of(store, str(folder.path))
    try:
        launch = TrainingLaunch.model_validate_json(folder.launch.read_bytes())
    except (OSError, ValueError):
        raise SpecError(f"{folder.launch}: is no launch of a run, or is damaged") from None
    name = folder.path.name if folder.path.name.startswith(f"{launch.name}-") else run_id(launch.name, 0)
    store.enter_run(launch, folder.path, Policy(), name, _last_submission(folder))
    return run_of(store, name)


def _last_submission(folder: RunFolder) -> int:
    """The number of the newest submission that left a log or events; 0 if none did."""
    names = [path.name for part in (folder.logs, folder.events) if part.is_dir() for path in part.iterdir()]
    return max((int(name[:3]) for name in names if name[:3].isdecimal() and name[3:4] == "."), default=0)


def supervise_run(store: Store, run: str, tell: Callable[[str], None] = lambda _: None) -> RunState:
    """Supervises a run until it has ended, and gives the state in which it did.

    Raises LaunchError where another process supervises it, or where its folder is gone.
    """
    record = _with_folder(known_run(store, run))

    def check(now: RunRecord) -> tuple[str, ...]:
        saved = [one.event.bytes or 0 for one in rank_events_of(store, now.summary.run, ("checkpoint",))]
        return problems_here(now, max(saved, default=0))

    here = record.launch.scheduler.kind == "local"
    backend = backend_of(record.launch.scheduler, record.folder)
    return Supervisor(store, record.summary.run, backend, check if here else None, tell=tell).supervise()


def _with_folder(record: RunRecord) -> RunRecord:
    if record.summary.state not in ENDED and not record.folder.path.is_dir():
        run = record.summary.run
        raise LaunchError(f"run {run}: its folder {record.folder.path} is gone; end the run with `myriad cancel {run}`")
    return record


def detach(store: Store, run: str, options: Sequence[str] = ()) -> int:
    """Starts a supervisor of a run that lives on without this process, and gives its process id.

    `options` are more of `myriad supervise`.

    Raises LaunchError with what it said if it ended at once, or if the run is supervised already.
    """
    import psutil

    record = _with_folder(known_run(store, run))
    if record.summary.state in ENDED:
        raise LaunchError(f"run {record.summary.run} has ended already: {record.summary.state}")
    holder = holder_of(record.folder.lock)
    if holder is not None:
        raise LaunchError(f"run {record.summary.run} is supervised already, by {holder}")
    log = record.folder.logs / "supervisor.log"
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = os.environ | {"MYRIAD_DATABASE": store.url, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    # Through a shell that ends at once: nobody here has to wait for the supervisor.
    command = ["/bin/sh", "-c", 'log=$0; "$@" >>"$log" 2>&1 & echo $!', str(log)]
    command += [sys.executable, "-P", "-m", "myriad", "supervise", record.summary.run, *options]
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        begin = log.stat().st_size
        shell = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True,
            timeout=START_S, start_new_session=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise LaunchError(f"{log}: the supervisor cannot be started: {error}") from None
    process, end = int(shell.stdout), time.monotonic() + START_S
    while time.monotonic() < end:
        if holder_of(record.folder.lock) is not None:
            return process
        if not psutil.pid_exists(process):
            if run_of(store, record.summary.run).summary.state in ENDED:  # so soon
                return process
            said = log.read_bytes()[begin:].decode("utf-8", "replace").strip().splitlines()
            raise LaunchError(said[-1].removeprefix("myriad: error: ") if said else f"the supervisor ended; see {log}")
        time.sleep(0.05)
    raise LaunchError(f"the supervisor did not begin within {START_S:.0f} s; see {log}")


def cancel_run(store: Store, run: str, tell: Callable[[str], None] = lambda _: None) -> RunState:
    """Cancels a run: by its supervisor, or from here where none lives. The state it is in after that.

    A supervisor that does not come to it leaves the run as it is; it will when it does. From here the scheduler is
    asked until it answers; `tell` gets what happens meanwhile.
    """
    record = known_run(store, run)
    if record.summary.state in ENDED:
        raise SpecError(f"run {record.summary.run} has ended already: {record.summary.state}")
    store.want_cancelled(record.summary.run)
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if holder_of(record.folder.lock) is None:
            if not record.folder.path.is_dir():
                return _cancel_without_folder(store, record)
            with contextlib.suppress(LaunchError):  # another began in between
                return supervise_run(store, record.summary.run, tell)
        state = run_of(store, record.summary.run).summary.state
        if state in ENDED:
            return state
        time.sleep(0.1)
    return run_of(store, record.summary.run).summary.state


def _cancel_without_folder(store: Store, record: RunRecord) -> RunState:
    """Where the folder is gone there is no lock either; one look is enough."""
    return Supervisor(store, record.summary.run, backend_of(record.launch.scheduler, record.folder)).look()


class NothingWrittenError(SpecError):
    """There is no output yet."""


def log_files(store: Store, run: str, rank: int | None = None) -> tuple[Path, ...]:
    """The files that a run's output is in, oldest first: of its submissions, or what one rank wrote.

    Raises SpecError for a rank that the run does not have, NothingWrittenError where there is no output yet.
    """
    record = known_run(store, run)
    logs = record.folder.logs
    if rank is None:
        found = sorted(path for path in logs.glob("*.log") if path.stem.isdecimal())
        if not found:
            raise NothingWrittenError(f"run {record.summary.run}: nothing was written to {logs} yet")
        return tuple(found)
    world = record.launch.world_size
    if not 0 <= rank < world:
        raise SpecError(f"--rank: found {rank}; the run has ranks 0 to {world - 1}")
    node, local = divmod(rank, record.launch.gpus_per_node)
    own = sorted(logs.glob(f"ranks/*/{node}/**/{local}/std*.log"))
    events = sorted(record.folder.events.glob(f"*/rank-{rank:05d}.jsonl"))
    if not own and not events:
        raise NothingWrittenError(f"run {record.summary.run}: rank {rank} has written nothing yet")
    return tuple(own or events)
