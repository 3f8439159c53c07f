"""`myriad launch`: a deployment, as the files that start it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli.options import JsonFile
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, say, write
from myriad.errors import SpecError

EXAMPLES: Final = """\b
Examples:
  myriad launch deployment.yaml --dry-run
  myriad launch deployment.yaml --to launch
  kubectl apply -f launch/kubernetes.yaml"""


def launch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Deployment and what starts it, YAML or JSON.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Write the files into this folder.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Write what starts a deployment: server arguments and a Kubernetes manifest."""
    if to is None and not dry_run and json_file is None:
        raise SpecError("--to: missing; expected a folder to write into, or --dry-run to see what would be written")
    if to is not None and dry_run:
        raise SpecError("--to: --dry-run writes nothing; give one of them")
    if to is not None:
        _check_folder(to)
    check_outputs({"--json": json_file}, file)
    from myriad import api

    files = api.launch_files(file)
    if to is not None:
        check_outputs({f"--to {one.path}": to / one.path for one in files} if to.is_dir() else {}, file)
        to.mkdir(exist_ok=True)
        for one in files:
            write(to / one.path, one.text)
            say(f"wrote {to / one.path}")
    if json_file is not None:
        write(json_file, json_text({"files": [{"path": one.path, "text": one.text} for one in files]}))
    if dry_run and json_file != STANDARD_OUTPUT:
        for one in files:
            print(f"==> {one.path} <==\n{one.text}")


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"--to: {folder} is a file, expected a folder")
    if not folder.resolve().parent.is_dir():
        raise SpecError(f"--to: {folder}: there is no folder {str(folder.resolve().parent)!r}")
