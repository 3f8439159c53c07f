"""A small planned job on a real Slurm of emulated nodes, or on a Ray cluster of this machine, and its node killed.

    python benchmarks/kill_and_recover.py --on slurm|ray [--steps 300] [--job pair] [--folder FOLDER]

`myriad launch` starts and supervises it, as it does everything. When it has saved, its node goes with all that runs on
it; the scheduler notices, and starts it on the spare. The same job left alone on this machine is what it is held
against.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from myriad.run.readings import submissions_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


@contextmanager
def scheduler(on: str, ranks: int) -> Iterator[tuple[dict[str, str], Callable[[str], None]]]:
    """A cluster of two nodes for so many ranks each: what its clients need, and what kills a node by its name."""
    own = {"MYRIAD_PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    os.environ |= own  # nodes of Ray inherit it from here
    if on == "slurm":
        from slurm_cluster import slurm_cluster

        # Requeued jobs wait for two minutes here, as on all clusters that do not say otherwise.
        with slurm_cluster(nodes=2, gpus_per_node=ranks, requeue_delay_s=120) as slurm:
            yield slurm.environment, slurm.kill_node
    else:
        from ray_jobs import ray_with_jobs

        with ray_with_jobs(workers=2, gpus=ranks) as ray:
            yield {"RAY_ADDRESS": ray.address}, ray.kill_node


def node_of(store, run: str) -> str:
    """Where the run is now, as its scheduler told its supervisor."""
    return submissions_of(store, run)[-1].nodes[0]
