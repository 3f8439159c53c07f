"""Slurm: a script for `sbatch` that checks its nodes, orders them as the plan's network asks, and starts all of them.

Everything between `#SBATCH` lines and the end works on Slurm 20.11 and later; options that came later are refused for
a release that does not know them.
"""

from __future__ import annotations

import shlex
from typing import Final

from myriad.errors import SpecError, unknown_name
from myriad.launch.files import File
from myriad.launch.training.schedulers.placement import leaves, units
from myriad.launch.training.schedulers.slurm_script import script
from myriad.spec.training_launch import SlurmScheduler, TrainingLaunch
from myriad.units import DAY_S, HOUR_S

RELEASES: Final = ("20.11", "21.08", "22.05", "23.02", "23.11", "24.05", "24.11", "25.05")
SEGMENTS_SINCE: Final = "23.11"
"""The first with `topology/block` and `--segment`."""
_SWITCHES_WAIT: Final = "5:00"
"""How long a job waits for nodes under few switches, minutes and seconds: Slurm's own limit unless raised."""
_ENDING_S: Final = 120
"""Before the time limit the script is told, and asks for the job to be queued again."""
_LEAST_LIMIT_S: Final = 600.0
"""Slurm tells up to a minute too early; a shorter job would be queued again before it has trained anything."""


def batch_script(launch: TrainingLaunch, scheduler: SlurmScheduler) -> File:
    """`job.sbatch`. Raises SpecError for what the release of Slurm does not know."""
    if scheduler.version not in RELEASES:
        raise SpecError(f"scheduler.version: {unknown_name('release of Slurm', scheduler.version, RELEASES)}")
    if scheduler.time_limit is not None and scheduler.time_limit < _LEAST_LIMIT_S:
        raise SpecError(
            f"scheduler.time_limit: found {scheduler.time_limit:.0f} s; expected at least {_LEAST_LIMIT_S:.0f} s, of "
            f"which the last {_ENDING_S} are kept for the return to the queue"
        )
    lines = [f"#SBATCH --{option}" for option in _options(launch, scheduler)]
    text = script(launch, lines, units(launch), _srun(launch, scheduler))
    return File("job.sbatch", text)


def _options(launch: TrainingLaunch, scheduler: SlurmScheduler) -> list[str]:
    spare = launch.spare_nodes
    options = [
        f"job-name={launch.name}",
        # A job with spares starts with as many as are free, and goes on without those that break.
        f"nodes={launch.nodes}" + (f"-{launch.nodes + spare}" if spare else ""),
        "exclusive",
        "mem=0",  # all that a node has: without it, what the site gives to a task by default
        "requeue",
        "open-mode=append",
        "output=%x-%j.log",
    ]
    # As many tasks as nodes at least would keep a job with spares from getting more than these.
    options += ["no-kill"] if spare else ["ntasks-per-node=1"]
    options += [f"gres={scheduler.gres}:{launch.gpus_per_node}"] if scheduler.gres else []
    for key in ("partition", "account", "qos", "reservation", "constraint"):
        value = getattr(scheduler, key)
        options += [f"{key}={shlex.quote(value)}"] if value is not None else []
    if scheduler.time_limit is not None:
        options += [f"time={_time(scheduler.time_limit)}", f"signal=B:USR1@{_ENDING_S}"]
    return [*options, *_placement(launch, scheduler)]


def _placement(launch: TrainingLaunch, scheduler: SlurmScheduler) -> list[str]:
    """What asks for nodes that lie close together."""
    switches, groups = leaves(launch), units(launch)
    if scheduler.topology == "tree":
        return [f"switches={switches}@{_SWITCHES_WAIT}"] if switches is not None and launch.nodes > 1 else []
    if scheduler.topology == "block":
        if RELEASES.index(scheduler.version) < RELEASES.index(SEGMENTS_SINCE):
            raise SpecError(
                f"scheduler.topology: Slurm {scheduler.version} has no blocks; expected tree or none, or "
                f"{SEGMENTS_SINCE} or later"
            )
        return [f"segment={groups[0]}"] if groups else []
    return []


def _srun(launch: TrainingLaunch, scheduler: SlurmScheduler) -> str:
    """Options of the step that trains."""
    if scheduler.container == "none":
        if scheduler.mounts:
            raise SpecError("scheduler.mounts: only a container has any; expected container: pyxis beside them")
        return ""
    if launch.launch.image is None:
        raise SpecError(f"jobs.{launch.job}.launch.image: missing; Pyxis needs the container that the job runs in")
    folder = '"$MYRIAD_RUN_FOLDER"'
    mounts = "".join(f",{shlex.quote(one if ':' in one else f'{one}:{one}')}" for one in scheduler.mounts)
    return (
        f" --container-image={shlex.quote(launch.launch.image)} --container-mounts={folder}:{folder}{mounts}"
        f" --container-workdir={folder} --no-container-mount-home"
    )


def _time(seconds: float) -> str:
    """As Slurm writes times, rounded up to minutes.

    >>> _time(90000.0)
    '1-01:00:00'
    """
    days, left = divmod(-(-seconds // 60.0) * 60.0, DAY_S)
    hours, left = divmod(left, HOUR_S)
    return f"{days:.0f}-{hours:02.0f}:{left / 60.0:02.0f}:00"
