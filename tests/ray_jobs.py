"""A Ray cluster with a job server: a head that only leads, and workers that offer fake accelerators."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ray_cluster import NOTICES_IN_5_S, STORE_BYTES

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


@dataclass
class RayWithJobs:
    """A cluster that runs."""

    cluster: Cluster
    address: str
    """Of the job server."""
    workers: list[Any]

    def kill_node(self, name: str) -> None:
        """Ends the raylet of a node at once, as backends name it."""
        victim = next(one for one in self.workers if name.endswith(one.node_id[:8]))
        self.workers.remove(victim)
        self.cluster.remove_node(victim, allow_graceful=False)


@contextmanager
def ray_with_jobs(workers: int, gpus: int = 1) -> Iterator[RayWithJobs]:
    """Skips the test where Ray lacks its job server, or twice does not start in its 30 s; CI must have both."""
    os.environ.setdefault("RAY_DASHBOARD_STARTUP_TIMEOUT_S", "180")  # of a busy machine; read when Ray is imported
    fails = pytest.fail if "CI" in os.environ else pytest.skip
    try:
        import aiohttp_cors  # noqa: F401
        import ray  # noqa: F401
    except ImportError:
        fails("not installed: ray[default]")
    started = _start(workers, gpus) or _start(workers, gpus)
    if started is None:
        fails("twice Ray could not start a node in its 30 s")
    try:
        yield started
    finally:
        started.cluster.shutdown()


def _start(workers: int, gpus: int) -> RayWithJobs | None:
    from ray.cluster_utils import Cluster

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    cluster = Cluster()
    try:
        cluster.add_node(
            num_cpus=1,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=port,
            object_store_memory=STORE_BYTES,
            _system_config=NOTICES_IN_5_S,
        )
        nodes = [cluster.add_node(num_cpus=1, num_gpus=gpus, object_store_memory=STORE_BYTES) for _ in range(workers)]
    except Exception as error:
        cluster.shutdown()
        if "timed out during startup" not in str(error) and "dashboard" not in str(error):
            raise
        return None
    return RayWithJobs(cluster, f"http://127.0.0.1:{port}", nodes)
