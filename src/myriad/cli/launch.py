"""`myriad launch`: a planned training job, started and supervised, or the files that start it or a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, read_flag
from myriad.cli.output import STANDARD_OUTPUT, check_folder, check_outputs, json_text, make_folder, progress, say, write
from myriad.cli.run_options import Database
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.launch.files import File
    from myriad.spec.training_launch import TrainingLaunch

EXAMPLES: Final = """\b
Examples:
  myriad launch system.yaml --job pretrain --on local
  myriad launch plan.json --job pretrain --on slurm --detach
  myriad launch system.yaml --job pretrain --on slurm --dry-run
  myriad launch plan.json --job pretrain --on kubernetes --to launch
  myriad launch deployment.yaml --to launch
  kubectl apply -f launch/kubernetes.yaml"""


def launch(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="System file, its plan (plan --json), or deployment; YAML or JSON.")
    ],
    job: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Training job (default: the only one of the file).",
            autocompletion=completion.jobs,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULER",
            help="local, slurm, kubernetes, ray or hosts (default: as its pool says).",
            autocompletion=completion.schedulers,
        ),
    ] = None,
    framework: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What trains it, torchtitan@0.2.2 for example (default: as the job says).",
            autocompletion=completion.frameworks,
        ),
    ] = None,
    steps: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Steps that the job trains (default: all its tokens).")
    ] = None,
    folder: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Where runs are kept (default: as the job says).")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start the run and leave it to its supervisor.")] = False,
    database: Database = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Write the files into this folder.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,
    json_file: JsonFile = None,
) -> int:
    """Start a planned training job and supervise it, or write what starts it or a deployment.

    With --to, --dry-run or --json nothing is started.
    """
    starts = to is None and not dry_run and json_file is None
    if to is not None and dry_run:
        raise SpecError("--to: --dry-run writes nothing; give one of them")
    if to is not None:
        check_folder("--to", to)
    check_outputs({"--json": json_file}, file)
    from myriad import api

    for flag, given in {"--detach": detach or None, "--database": database}.items():
        if given is not None and not starts:
            raise SpecError(f"{flag}: nothing is started with --to, --dry-run or --json")
    described: dict[str, Any] = {}
    if api.launched_kind(file) == "deployment":
        given_flags = {
            "--job": job,
            "--on": on,
            "--steps": steps,
            "--folder": folder,
            "--database": database,
            "--framework": framework,
            "--detach": detach or None,
        }
        for flag, given in given_flags.items():
            if given is not None:
                raise SpecError(f"{flag}: {file} describes no training jobs")
        if starts:
            raise SpecError("--to: missing; expected a folder to write into, or --dry-run to see what would be written")
        files = api.launch_files(file)
    else:
        planned = training_launch(file, job, on, steps, folder, framework)
        files = _rendered(file, planned, framework)
        if starts:
            return _start(planned, files, database, detach)
        described = {"launch": planned.model_dump(mode="json")}
    if to is not None:
        write_files(files, to, file)
    if json_file is not None:
        write(json_file, json_text(described | {"files": [{"path": one.path, "text": one.text} for one in files]}))
    if dry_run and json_file != STANDARD_OUTPUT:
        for one in files:
            print(f"==> {one.path} <==\n{one.text}")
    return 0


def _start(planned: TrainingLaunch, files: tuple[File, ...], database: str | None, detach: bool) -> int:
    """Enters the run and starts its supervisor; Ctrl-C leaves it to that."""
    from myriad.api.runs import enter_run
    from myriad.cli.run_options import exit_code, open_store
    from myriad.cli.runs import started

    with open_store(database, create=True) as store:
        run = enter_run(store, planned, files)
        return exit_code(started(store, run, detach))


def training_launch(
    file: Path,
    job: str | None,
    on: str | None,
    steps: str | None,
    folder: str | None,
    framework: str | None,
) -> TrainingLaunch:
    """The planned job with everything looked up; errors name the option at fault."""
    from myriad import api
    from myriad.spec.base import Count

    number = None if steps is None else read_flag("--steps", steps, Count)
    try:
        with progress(f"planning {file.name}") as step:
            return api.training_launch(file, job, on, number, folder, step, framework)
    except SpecError as error:
        _, _, rest = str(error).rpartition(f"{file}: ")
        named = rest.partition(":")[0] in ("job", "on", "steps")
        raise SpecError(f"--{rest}" if named else str(error)) from None


def _rendered(file: Path, planned: TrainingLaunch, framework: str | None) -> tuple[File, ...]:
    """What starts the job; errors name the line of the file, or the option at fault."""
    from myriad import api
    from myriad.api.training_launch import errors_in

    try:
        with errors_in(file):
            return api.training_files(planned)
    except SpecError as error:
        _, of_framework, rest = str(error).rpartition(f"jobs.{planned.job}.launch.framework: ")
        if framework is None or not of_framework:
            raise
        raise SpecError(f"--framework: {rest}") from None


def write_files(files: tuple[File, ...], folder: Path, *inputs: Path) -> None:
    """Writes rendered files into a folder, which is made; scripts may be run."""
    check_outputs({f"--to {one.path}": folder / one.path for one in files} if folder.is_dir() else {}, *inputs)
    make_folder(folder)
    for one in files:
        write(folder / one.path, one.text)
        if one.text.startswith("#!"):
            (folder / one.path).chmod(0o755)
        say(f"wrote {folder / one.path}")
