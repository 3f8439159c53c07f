"""`myriad jobs draw` and `myriad jobs fit`: jobs from statistics, and statistics from jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, LanguageCode, at, check_language, read_flag
from myriad.cli.output import answer, check_outputs, say, write, yaml_text
from myriad.errors import SpecError

DRAW_EXAMPLES: Final = """\b
Examples:
  myriad jobs draw --mix acme-kalos --days 30 --out jobs.csv
  myriad jobs draw --mix mix.yaml --days 7 --scale 4 --seed 1 --out jobs.csv"""
FIT_EXAMPLES: Final = """\b
Examples:
  sacct -aPD -S 2026-01-01 -E 2026-04-01 > sacct.txt
    -o JobID,Account,Submit,Start,End,State,AllocTRES,Timelimit
  myriad jobs fit sacct.txt --name ours --accelerators 2048 --out ours.yaml
  myriad jobs fit statistics.yaml --out mix.yaml"""

MIX: Final = typer.Option(
    "--mix", metavar="NAME|FILE", help="Mix of the catalog, or a YAML file.", autocompletion=completion.mixes
)
SEED: Final = typer.Option("--seed", metavar="NUMBER", help="Of what is drawn.")
SCALE: Final = typer.Option("--scale", metavar="FACTOR", help="How many times as many jobs come.")
ASKED: Final = typer.Option(
    "--asked",
    metavar="FACTOR",
    help="Wall time that jobs ask for over what they run (default: the longest of the mix).",
)
DAYS: Final = typer.Option("--days", metavar="NUMBER", help="For how long jobs come.")


def draw(
    mix: Annotated[str, MIX],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The jobs as CSV, a trace as any other.")],
    days: Annotated[float, DAYS] = 30.0,
    seed: Annotated[int, SEED] = 0,
    scale: Annotated[float, SCALE] = 1.0,
    asked: Annotated[float | None, ASKED] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Draw jobs from the statistics of a cluster."""
    check_language(lang)
    check_outputs({"--out": out, "--json": json_file})
    check_drawing(days, seed, scale, asked)
    from myriad import api
    from myriad.report.job_statistics import drawn_jobs_text
    from myriad.sim.jobs.traces import jobs_text

    with at("--mix"):
        found = api.job_mix(mix)
    jobs = api.drawn_jobs(found, days, seed, scale, asked)
    result = api.compare_drawn(found, jobs, days, seed)
    write(out, jobs_text(jobs))
    answer(result, json_file, drawn_jobs_text(result, lang))
    say(f"jobs: {out}")


def fit(
    trace: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Trace (own CSV, sacct -P, pods of Alibaba's clusters, Kueue or Volcano as JSON Lines), or statistics "
            "in YAML or JSON.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The mix as YAML.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Of the mix (default: the file's).")
    ] = None,
    accelerators: Annotated[
        str | None, typer.Option("--accelerators", metavar="COUNT", help="Of the cluster that the jobs ran on.")
    ] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Make a mix of a trace, or of published statistics."""
    check_language(lang)
    check_outputs({"--out": out, "--json": json_file}, trace)
    if out.suffix not in (".yaml", ".yml"):
        raise SpecError(f"--out: {out}: expected a name that ends with .yaml")
    from myriad import api
    from myriad.report.job_statistics import drawn_jobs_text
    from myriad.spec.base import Count

    size = None if accelerators is None else read_flag("--accelerators", accelerators, Count)
    found, result = api.fit_mix(trace, name, size)
    write(out, yaml_text(found.model_dump(mode="json", exclude_defaults=True)))
    answer(result, json_file, drawn_jobs_text(result, lang))
    say(f"mix: {out}")


def check_drawing(days: float, seed: int, scale: float | None, asked: float | None) -> None:
    """Raises SpecError that names the option of a number which cannot be."""
    for flag, value, least in (("--days", days, 0.0), ("--scale", scale, 0.0), ("--asked", asked, 1.0)):
        if value is not None and not (least < value < 1e6 or value == least == 1.0):
            raise SpecError(f"{flag}: found {value:g}, expected {'1 or more' if least else 'more than 0'}")
    if seed < 0:
        raise SpecError(f"--seed: found {seed}, expected 0 or more")
