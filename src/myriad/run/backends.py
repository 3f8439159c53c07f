"""The backend of each scheduler, by its name; each is loaded only where it is used."""

from __future__ import annotations

import os
from typing import assert_never

from myriad.run.described import Backend, RunFolder
from myriad.spec.training_launch import Scheduler


def backend_of(scheduler: Scheduler, folder: RunFolder) -> Backend:
    """What the supervisor of a run asks."""
    match scheduler.kind:
        case "local":
            from myriad.run.local import LocalBackend

            return LocalBackend()
        case "hosts":
            from myriad.run.on_hosts import HostsBackend

            return HostsBackend(scheduler.port)
        case "slurm":
            from myriad.run.on_slurm import SlurmBackend

            return SlurmBackend(folder)
        case "ray":
            from myriad.run.on_ray import RayBackend

            return RayBackend(folder, scheduler.address, os.environ.get("MYRIAD_PYTHON", "python3"))
        case "kubernetes":
            from myriad.run.on_kubernetes import KubernetesBackend

            return KubernetesBackend(folder, scheduler)
        case _ as never:
            assert_never(never)
