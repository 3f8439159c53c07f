"""Points on the cores of this machine: one worker process per core, each led by a thread of this one."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import IO, Any, Final, TypeVar, cast

from myriad.errors import LaunchError

PointT = TypeVar("PointT")
ResultT = TypeVar("ResultT")

ATTEMPTS: Final = 3
"""Workers that may die on one point before the run ends: the point itself is likely to kill them."""

ONE_CORE_EACH: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def run_in_processes(
    points: Mapping[str, PointT],
    function: Callable[[PointT], ResultT],
    workers: int,
    on_result: Callable[[str, ResultT], None],
) -> None:
    """See `myriad.engine.run_points`; `on_result` is called in the thread of the caller."""
    if not points:
        return
    crew = _Crew()
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        keys = {pool.submit(crew.ask, key, function, point): key for key, point in points.items()}
        for future in as_completed(keys):
            on_result(keys[future], future.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        crew.dismiss()
        pool.shutdown()


class _Crew:
    """The workers, one for each thread that asks."""

    def __init__(self) -> None:
        self._own = threading.local()
        self._all: list[subprocess.Popen[bytes]] = []
        self._dismissed = False
        self._lock = threading.Lock()

    def ask(self, key: str, function: Callable[[PointT], ResultT], point: PointT) -> ResultT:
        """What the function makes of a point, by the worker of this thread or, where it dies, by a new one."""
        for _ in range(ATTEMPTS):
            worker = getattr(self._own, "worker", None) or self._hire()
            try:
                pickle.dump((function, point), cast(IO[bytes], worker.stdin))
                cast(IO[bytes], worker.stdin).flush()
                result, error = pickle.load(cast(IO[bytes], worker.stdout))
            except (EOFError, BrokenPipeError, pickle.UnpicklingError):
                self._own.worker = None
                continue
            if error is not None:
                raise error
            return cast(ResultT, result)
        raise LaunchError(f"{ATTEMPTS} workers died on the same point, {key}; is there enough memory?")

    def _hire(self) -> subprocess.Popen[bytes]:
        environment = os.environ | ONE_CORE_EACH | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", "myriad.engine.worker"]
        with self._lock:
            if self._dismissed:
                raise LaunchError("the run has ended")
            # A session of its own: an interrupt at the terminal reaches the caller alone, who ends the workers.
            worker = subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
            self._all.append(worker)
        self._own.worker = worker
        return worker

    def dismiss(self) -> None:
        """Ends all workers, in the middle of a point too."""
        with self._lock:
            self._dismissed = True
        for worker in self._all:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                with contextlib.suppress(BrokenPipeError, OSError):
                    cast(Any, pipe).close()
