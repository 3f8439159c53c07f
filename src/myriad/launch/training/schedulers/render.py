"""A planned training job -> what its scheduler takes."""

from __future__ import annotations

from typing import assert_never

from myriad.launch.files import File
from myriad.launch.training.schedulers import hosts, kubernetes, local, ray, slurm
from myriad.launch.training.schedulers.health import FILE, health_script
from myriad.spec.training_launch import (
    HostsScheduler,
    KubernetesScheduler,
    LocalScheduler,
    RayScheduler,
    SlurmScheduler,
    TrainingLaunch,
)


def scheduler_files(launch: TrainingLaunch, others: tuple[File, ...] = ()) -> tuple[File, ...]:
    """The scheduler's own files, and the check of nodes. Raises SpecError for what it cannot be asked for.

    `others` are those of the training software, which a manifest carries to the nodes; elsewhere they lie in the
    folder of the run.
    """
    health = File(FILE, health_script(launch))
    match launch.scheduler:
        case LocalScheduler():
            local.check(launch)
            return (health,)
        case SlurmScheduler() as scheduler:
            return (slurm.batch_script(launch, scheduler), health)
        case KubernetesScheduler() as scheduler:
            return (kubernetes.manifest(launch, scheduler, (*others, health)), health)
        case RayScheduler() as scheduler:
            return (ray.submission(launch, scheduler), health)
        case HostsScheduler() as scheduler:
            return (hosts.script(launch, scheduler), health)
        case _ as never:
            assert_never(never)
