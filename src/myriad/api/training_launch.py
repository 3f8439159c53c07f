"""From a plan to what starts one of its jobs: everything looked up, then the files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from myriad import catalog
from myriad.api.named import at_key, models_of
from myriad.api.plan import StepProgress, plan
from myriad.api.planned_launch import chosen_of, job_on_pool, run_name
from myriad.catalog.reading import problem_text
from myriad.errors import SpecError, unknown_name
from myriad.launch.files import File
from myriad.launch.training.frameworks import framework_files
from myriad.launch.training.schedulers import scheduler_files
from myriad.launch.training.schedulers.ray import DRIVER, KEEPER
from myriad.spec.accelerator import Accelerator
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.model import Model
from myriad.spec.result import JobPlan, Plan
from myriad.spec.system import System
from myriad.spec.training_launch import JobLaunch, RayScheduler, TrainingLaunch

_PLAN: Final = re.compile(r'"format"\s*:\s*"myriad-plan-')


def launched_kind(path: Path) -> Literal["plan", "system", "deployment"]:
    """What is launched from a file: a plan as `myriad plan --json` writes it, a system file, or a deployment.

    Raises SpecError for a file that cannot be read.
    """
    if _is_plan(path):
        return "plan"
    keys = catalog.keys_of(path)
    return "system" if "deployment" not in keys and keys & set(System.model_fields) - {"name"} else "deployment"


def job_names(path: Path) -> tuple[str, ...]:
    """The training jobs of a plan or a system file. Raises SpecError for a file that cannot be read."""
    system = read_plan(path).described if _is_plan(path) else catalog.read_spec(path, System)
    return () if system is None else tuple(system.jobs)


def training_launch(
    file: Plan | System | Path,
    job: str | None = None,
    on: str | None = None,
    steps: int | None = None,
    folder: str | None = None,
    progress: StepProgress | None = None,
    framework: str | None = None,
) -> TrainingLaunch:
    """A planned job with everything looked up that starting it needs.

    `file` is a plan, a system, or a file of either; a system is planned first, as far as the job needs it. `job` may
    be left out where there is one, `on` where the job's pool names its scheduler. `steps` are those of all its tokens
    unless given; `folder` is where runs are kept and `framework` what trains it, in place of the job's own.

    Raises SpecError for wrong names and plans that are too old, InfeasibleError for a job that no pool can do.
    """
    if not isinstance(file, Path):
        return _launch(file, job, on, steps, folder, progress, framework)
    found = read_plan(file) if _is_plan(file) else catalog.read_spec(file, System)
    with errors_in(file):
        return _launch(found, job, on, steps, folder, progress, framework)


@contextmanager
def errors_in(file: Path) -> Iterator[None]:
    """Says of wrong input in which file it stands, and in a system file in which line."""
    try:
        yield
    except SpecError as error:
        text = f"{file}: {error}" if _is_plan(file) else catalog.located(file, str(error))
        raise type(error)(text) from None


def read_plan(path: Path) -> Plan:
    """The plan in a file that `myriad plan --json` wrote. Raises SpecError that names the file and the first key."""
    try:
        return Plan.model_validate_json(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SpecError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path}: is not UTF-8 text") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        why = f"{key}: {problem_text(first, Plan)}" if key else first["msg"]
        raise SpecError(f"{path} is not what `myriad plan --json` writes ({why}); plan again") from None


def training_files(launch: TrainingLaunch) -> tuple[File, ...]:
    """The files that start a planned job, as text: what its software reads, and its scheduler. Writes nothing.

    Raises SpecError for what the software or the scheduler cannot be asked for, with the key of the system file.
    """
    try:
        own = framework_files(launch, _known_flags)
        driven = _driven(launch) if isinstance(launch.scheduler, RayScheduler) else ()
        return *own, *scheduler_files(launch, own), *driven
    except SpecError as error:
        at_job = f"jobs.{launch.job}"
        keys = {"scheduler": f"pools.{launch.pool}.scheduler", "work": at_job}
        keys |= {key: f"{at_job}.{key}" for key in ("launch", "layout")}
        text = re.sub(r"^(scheduler|launch|layout|work)(?=[.:])", lambda named: keys[named[1]], str(error))
        raise type(error)(text) from None


def _known_flags(framework: str, release: str) -> EngineFlags:
    with at_key("launch.framework"):
        return catalog.engine_flags(framework, release)


def _driven(launch: TrainingLaunch) -> tuple[File, ...]:
    """What Ray runs, and what that reads."""
    scripts = [File(name, (resources.files("myriad.run") / name).read_text("utf-8")) for name in (DRIVER, KEEPER)]
    return *scripts, File("launch.json", launch.model_dump_json(indent=1) + "\n")


def _is_plan(path: Path) -> bool:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return text.startswith("{") and _PLAN.search(text) is not None
    except (OSError, UnicodeDecodeError):
        return False  # whoever reads it next says what is wrong


def _launch(
    found: Plan | System,
    name: str | None,
    on: str | None,
    steps: int | None,
    folder: str | None,
    progress: StepProgress | None,
    framework: str | None,
) -> TrainingLaunch:
    system = found.described if isinstance(found, Plan) else found
    if system is None:
        raise SpecError("plan: it does not hold what was planned, as older plans do not; plan again")
    name = _job_name(system, name)
    if isinstance(found, System):
        found = plan(found.model_copy(update={"jobs": {name: found.jobs[name]}}), progress)
    planned = next((one for one in found.jobs if one.name == name), None)
    models = models_of(system)
    if planned is None or planned.model not in models or not _pools_of(planned) <= system.pools.keys():
        raise SpecError(f"jobs.{name}: the plan does not belong to what it says was planned; plan again")
    model = models[planned.model]
    one = job_on_pool(system, name, model, *chosen_of(name, planned.chosen, planned.others), steps)
    given = {"folder": folder, "framework": framework}
    with at_key(f"jobs.{name}.launch.data"):
        changed = {key: value for key, value in given.items() if value is not None} | _absolute(one.job.launch)
    launch = one.job.launch.model_copy(update=changed)
    meant = system.models.get(one.job.model, one.job.model)
    return TrainingLaunch(
        name=run_name(name),
        system=system.name,
        job=name,
        pool=one.chosen.pool,
        model_id=one.job.model if isinstance(meant, Model) else meant,
        model=one.setting.model,
        layout=one.estimate.layout,
        work=one.setting.work,
        steps=one.steps,
        accelerator=one.cluster.accelerator_id,
        device=_device(one.chosen.pool, one.cluster.accelerator),
        node=catalog.node_id_of(one.pool.node or one.pool.accelerator or ""),
        gpus_per_node=one.ranks_per_node,
        nodes=one.nodes,
        spare_nodes=one.held_spares,
        nodes_per_group=one.nodes_per_group(),
        checkpoint_interval_s=one.interval_s,
        checkpoint_asynchronous=one.job.recovery.asynchronous,
        elastic=one.job.recovery.mode != "restart",
        launch=launch,
        scheduler=one.scheduler(on),
        promise=one.promise({"USD": 1.0, **catalog.usd_per_currency(), **system.exchange_rates}),
    )


def _pools_of(planned: JobPlan) -> set[str]:
    chosen = planned.chosen
    return set() if chosen is None or chosen.estimate is None else {chosen.pool}


def _absolute(launch: JobLaunch) -> dict[str, str]:
    """Files that are named from here, from anywhere: jobs run in the folder of their run. Other names stay."""
    named = {key: getattr(launch, key) for key in ("tokenizer", "script")}
    found = {key: str(Path(name).absolute()) for key, name in named.items() if name and Path(name).exists()}
    return found if launch.data is None else found | {"data": _absolute_data(launch.data)}


def _absolute_data(data: str) -> str:
    """A file or folder; or else names and weights, of which those of data that Megatron indexed have no ending.

    Raises SpecError for quotes that do not end.
    """
    if Path(data).exists():
        return str(Path(data).absolute())
    if _indexed(data):
        return shlex.quote(str(Path(data).absolute()))
    try:
        words = shlex.split(data)
    except ValueError as error:
        raise SpecError(f"{str(error).lower()}, found {data!r}") from None
    here = [str(Path(word).absolute()) if Path(word).exists() or _indexed(word) else word for word in words]
    return data if here == words else shlex.join(here)


def _indexed(prefix: str) -> bool:
    return Path(f"{prefix}.bin").exists() and Path(f"{prefix}.idx").exists()


def _device(pool: str, accelerator: Accelerator) -> Literal["cuda", "cpu"]:
    """What PyTorch calls it. Ranks of a computer run on its processor, unless its accelerator is NVIDIA's.

    Raises SpecError for accelerators that PyTorch knows by another name, on which no framework is started here.
    """
    if accelerator.vendor == "NVIDIA":
        return "cuda"
    if accelerator.accelerator_class == "computer":
        return "cpu"
    if accelerator.vendor != "AMD":
        raise SpecError(
            f"pools.{pool}: {accelerator.name} is not NVIDIA's or AMD's; nothing that trains on it is started by myriad"
        )
    return "cuda"


def _job_name(system: System, name: str | None) -> str:
    """The job that is meant. Raises SpecError where none of this name is there, or several are and none is named."""
    if name is None:
        if len(system.jobs) != 1:
            listed = ", ".join(system.jobs) or "there are none"
            raise SpecError(f"job: missing; expected one of the training jobs: {listed}")
        return next(iter(system.jobs))
    if name not in system.jobs:
        raise SpecError(f"job: {unknown_name('job', name, system.jobs)}")
    return name
