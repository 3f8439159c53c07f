"""`myriad calibrate`: what a run teaches about the machine that its plan assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, LanguageCode, check_language
from myriad.cli.output import answer, check_folder, check_outputs, make_folder, progress, say, write
from myriad.cli.run_options import Database

EXAMPLES: Final = """\b
Examples:
  myriad calibrate system.yaml --from pretrain-0003
  myriad calibrate system.yaml --from pretrain-0003 --to calibrated
  MYRIAD_CATALOG=calibrated myriad plan calibrated/system.yaml"""


def calibrate(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="System file that the run was planned from, or its plan (JSON).")
    ],
    run: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Run to learn from: its id, name or folder.",
            autocompletion=completion.runs,
        ),
    ],
    to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write catalog entries and a system file there, for MYRIAD_CATALOG."),
    ] = None,
    database: Database = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Fit machine, software and failures to a run, and plan again with what it says."""
    check_language(lang)
    check_outputs({"--json": json_file}, file)
    if to is not None:
        check_folder("--to", to)
    from myriad import api
    from myriad.report.run_calibration_text import run_calibration_text

    with progress("planning", rate="layouts") as step:
        result, files = api.calibrate_from_run(file, run, to, database, step)
    if to is not None:
        check_outputs({f"--to {path}": to / path for path in files if (to / path).parent.is_dir()}, file)
        for path, text in files.items():
            make_folder((to / path).parent)
            write(to / path, text)
    answer(result, json_file, run_calibration_text(result, lang))
    if to is not None:
        for path in files:
            say(f"wrote {to / path}")
