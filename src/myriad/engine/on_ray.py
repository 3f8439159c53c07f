"""Points on an existing Ray cluster, as tasks; results come back one by one as they are finished."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from myriad.engine.processes import ATTEMPTS, ONE_CORE_EACH
from myriad.errors import LaunchError, MissingDataError

PointT = TypeVar("PointT")
ResultT = TypeVar("ResultT")

TASKS_PER_CORE: Final = 4
"""Tasks handed to Ray at a time for each core of the cluster: enough that none waits, few enough to stop soon."""

PATIENCE_S: Final = 5.0
"""Time for the head of a cluster to accept a connection."""

RETRIES: Final = 10
"""Times that Ray runs a task anew whose worker or node is lost, before it counts as one attempt of ours."""


def ray_package() -> Any:
    """The package `ray`. Raises MissingDataError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise MissingDataError("the package ray is not installed: pip install 'myriad-ai[ray]'") from None
    return ray


def run_on_ray(
    points: Mapping[str, PointT],
    function: Callable[[PointT], ResultT],
    address: str | None,
    on_result: Callable[[str, ResultT], None],
) -> None:
    """See `myriad.engine.run_points`. A result travels inside its task's answer, so no node's end can lose it.

    Raises MissingDataError without the package `ray`, LaunchError where no cluster answers. Leaves a connection
    that the caller had made as it was.
    """
    ray = ray_package()
    # Ray prints the end of a node to standard output, where a result may be all that is expected.
    with contextlib.redirect_stdout(sys.stderr):
        connected = ray.is_initialized()
        if not connected:
            _connect(ray, address)
        try:
            _run(ray, points, function, on_result)
        finally:
            if not connected:
                ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    _check_that_somebody_listens(address)
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise LaunchError(f"no Ray cluster answers at {address or 'the usual address'}: {reason}") from None


def _check_that_somebody_listens(address: str | None) -> None:
    """Raises LaunchError at once where Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise LaunchError(f"no Ray cluster answers at {address}: {str(error).lower()}") from None


def _run(
    ray: Any,
    points: Mapping[str, PointT],
    function: Callable[[PointT], ResultT],
    on_result: Callable[[str, ResultT], None],
) -> None:
    task = ray.remote(num_cpus=1, max_retries=RETRIES, runtime_env={"env_vars": ONE_CORE_EACH})(_call)
    rest = iter(points.items())
    attempts: dict[str, int] = {}
    keys: dict[Any, str] = {}

    def hand_out(key: str) -> None:
        attempts[key] = attempts.get(key, 0) + 1
        keys[task.remote(function, points[key])] = key

    while True:
        room = max(1, int(TASKS_PER_CORE * ray.cluster_resources().get("CPU", 1))) - len(keys)
        for key, _ in islice(rest, max(0, room)):
            hand_out(key)
        if not keys:
            return
        finished, _ = ray.wait(list(keys), num_returns=1)
        for reference in finished:
            key = keys.pop(reference)
            try:
                result = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from None
            except ray.exceptions.RayError as error:
                if attempts[key] == ATTEMPTS:
                    raise LaunchError(f"Ray lost a point {ATTEMPTS} times: {' '.join(str(error).split())}") from None
                hand_out(key)
                continue
            on_result(key, result)


def _call(function: Callable[[PointT], ResultT], point: PointT) -> ResultT:
    return function(point)
