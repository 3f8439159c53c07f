"""A planned training job -> the files that one node starts it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from myriad.errors import SpecError, unknown_name
from myriad.launch.files import File
from myriad.launch.training.frameworks import deepspeed, megatron_bridge, megatron_lm, reference, torchtitan
from myriad.launch.training.frameworks.checkpoints import interval_notes
from myriad.launch.training.frameworks.start import Start, start_script
from myriad.spec.calibration import Switch
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.training_launch import TrainingLaunch

Flags = Callable[[str, str], EngineFlags]
"""Finds what a release of a framework knows: by its name, and its release or nothing."""

_OF_STACK: Final = {
    "megatron-core": "megatron-lm",
    "megatron-bridge": "megatron-bridge",
    "nemo": "megatron-bridge",
    "torchtitan": "torchtitan",
    "deepspeed": "deepspeed",
    "reference": "reference",
}
"""The framework that a software of the catalog is started as, where the job names none."""

_FRAMEWORKS: Final[dict[str, Callable[[TrainingLaunch, EngineFlags], tuple[Start, tuple[File, ...]]]]] = {
    "megatron-lm": megatron_lm.start,
    "torchtitan": torchtitan.start,
    "megatron-bridge": megatron_bridge.start,
    "deepspeed": deepspeed.start,
}

_TURNS_ON: Final[dict[str, tuple[Switch, ...]]] = {
    "megatron-lm": (
        "graph-mixers",
        "graph-routers",
        "graph-step",
        "dispatch-once",
        "overlap-experts",
        "overlap-tensor",
    ),
    "torchtitan": ("compile", "dispatch-once", "overlap-tensor"),
    "deepspeed": ("compile",),
    "reference": (),
}
_TURNS_ON["megatron-bridge"] = _TURNS_ON["megatron-lm"]
"""Switches of a job that each framework is started with; those that only describe a software are nobody's."""
_DESCRIBE: Final[tuple[Switch, ...]] = ("portable-attention", "count-layers", "join-outputs")


@dataclass(frozen=True)
class Framework:
    """One framework, and one release of it."""

    name: str
    release: str
    """Empty: the newest that is known."""

    @property
    def text(self) -> str:
        return f"{self.name}@{self.release}" if self.release else self.name


def framework_of(launch: TrainingLaunch) -> Framework:
    """The framework that the job names, else that of its software. Raises SpecError for one that is not known."""
    known = ["reference", *_FRAMEWORKS]
    if launch.launch.framework is not None:
        name, _, release = launch.launch.framework.partition("@")
        if name not in known:
            raise SpecError(f"launch.framework: {unknown_name('framework', name, known)}")
        if name == "reference" and release:
            raise SpecError(f"launch.framework: found release {release!r}; the reference trainer is of this release")
        return Framework(name, release)
    found = _OF_STACK.get(launch.work.software)
    if found is None:
        raise SpecError(
            f"launch.framework: missing; {launch.work.software!r} is not started by myriad; allowed: {', '.join(known)}"
        )
    return Framework(found, "")


def framework_files(launch: TrainingLaunch, known: Flags) -> tuple[File, ...]:
    """`start.sh`, and the framework's own files. Raises SpecError for what the framework does not know or cannot do.

    Writes nothing; `known` tells what releases know.
    """
    framework, start, files = _rendered(launch, known)
    return File("start.sh", start_script(launch, framework, start)), *files


def framework_notes(launch: TrainingLaunch, known: Flags) -> tuple[str, ...]:
    """Where what is trained is not exactly what is described; said in `start.sh` too."""
    return _rendered(launch, known)[1].notes


def _rendered(launch: TrainingLaunch, known: Flags) -> tuple[str, Start, tuple[File, ...]]:
    framework = framework_of(launch)
    _check_sizes(launch)
    _check_job(launch, framework.name)
    if framework.name == "reference":
        name, (start, files) = "reference", reference.start(launch)
    else:
        flags = known(framework.name, framework.release)
        name, (start, files) = flags.name, _FRAMEWORKS[framework.name](launch, flags)
    return name, replace(start, notes=(*interval_notes(launch), *start.notes)), files


def _check_sizes(launch: TrainingLaunch) -> None:
    """Raises SpecError where the launch contradicts itself."""
    layout, ranks = launch.layout, launch.nodes * launch.gpus_per_node
    if ranks != layout.world_size:
        raise SpecError(
            f"layout {layout.text()}: has {layout.world_size} ranks, but {launch.nodes} nodes of "
            f"{launch.gpus_per_node} hold {ranks}"
        )
    at_once = layout.dp * layout.micro_batch
    if launch.work.global_batch % at_once:
        raise SpecError(f"global_batch: {launch.work.global_batch} is no multiple of dp x micro_batch, {at_once}")


def _check_job(launch: TrainingLaunch, framework: str) -> None:
    """Raises SpecError for what the plan counts with and no framework, or not this one, is started with."""
    layout, work = launch.layout, launch.work
    if launch.device == "cpu" and framework not in ("deepspeed", "reference"):
        raise SpecError(
            f"launch.framework: {framework} trains on GPUs alone, and ranks of {launch.node} run on processors"
        )
    if work.optimizer.name not in ("adam", "adamw"):
        raise SpecError(f"optimizer.name: found {work.optimizer.name!r}; jobs are started with adam")
    if work.optimizer.moment_bytes != 8 and not framework.startswith("megatron"):
        raise SpecError(
            f"optimizer.moment_bytes: found {work.optimizer.moment_bytes:g}; {framework} keeps both moments in 8 bytes "
            "(fp32)"
        )
    idle = (
        _DESCRIBE
        + (("overlap-tensor",) if layout.tp == 1 else ())
        + (("overlap-experts", "dispatch-once") if layout.ep == 1 else ())
    )
    for switch in work.switches:
        if switch not in (*idle, *_TURNS_ON[framework]):
            raise SpecError(f"switches: {framework} is not started with {switch}; plan without it")
