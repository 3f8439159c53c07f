"""`myriad simulate`: the training jobs of a system file, lived through on pools that break."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli.engine_options import EngineName, RayAddress, Workers, read_engine
from myriad.cli.options import JsonFile, LanguageCode, check_language, plan_file, read_flag
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import SpecError

EXAMPLES: Final = """\b
Examples:
  myriad simulate system.yaml
  myriad simulate system.yaml --job pretrain --runs 1000 --html twin.html
  myriad plan system.yaml --json plan.json
  myriad simulate system.yaml --plan plan.json --json simulated.json
    --events events.csv --trace life.json
  myriad simulate system.yaml --engine ray --address 10.0.0.1:6379"""


def simulate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="System file, YAML or JSON.")],
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its plan, as plan --json writes it (else it is planned).")
    ] = None,
    job: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Job to simulate (default: all); may be given again.")
    ] = None,
    runs: Annotated[str, typer.Option(metavar="COUNT", help="Lives of each job.")] = "200",
    seed: Annotated[str, typer.Option(metavar="COUNT", help="Of what is drawn.")] = "0",
    horizon: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="No run is followed further (default: well beyond the expected end)."),
    ] = None,
    improvements: Annotated[
        bool, typer.Option("--improvements/--no-improvements", help="Try what would help. Default on.")
    ] = True,
    engine: EngineName = "local",
    address: RayAddress = None,
    workers: Workers = None,
    events: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the events of every run as CSV.")] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the median run as a trace for Perfetto.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with charts.")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Simulate training on clusters that break: when it ends, what is lost, what helps."""
    check_language(lang)
    inputs = [path for path in (file, plan) if path is not None]
    check_outputs({"--events": events, "--trace": trace, "--html": html, "--json": json_file}, *inputs)
    from myriad import api
    from myriad.report.campaign_text import simulation_text
    from myriad.report.life_csv import events_csv
    from myriad.report.life_trace import life_trace
    from myriad.spec.base import Count, CountOrZero, Seconds

    number = read_flag("--runs", runs, Count)
    if number < 2:
        raise SpecError(f"--runs: found {number}, expected 2 or more: an interval needs them")
    drawn_by = read_flag("--seed", seed, CountOrZero)
    horizon_s = None if horizon is None else read_flag("--horizon", horizon, Seconds)
    if horizon_s is not None and horizon_s <= 0.0:
        raise SpecError("--horizon: expected a time above 0")
    runner = read_engine(engine, address, workers)
    planned = plan_file(plan)
    label = f"simulating {file.name}"
    with progress(label, rate="runs/s") as step:
        simulation = api.simulate(
            file, planned, jobs=tuple(job or ()), runs=number, seed=drawn_by, horizon_s=horizon_s,
            improvements=improvements, engine=runner, keep_events=events is not None, plan_progress=step,
            progress=lambda name: step(f"simulating {name}"),
        )  # fmt: skip
    result = simulation.result
    if events is not None:
        write(events, events_csv(simulation.events()))
    if trace is not None:
        write(trace, life_trace(result))
    if html is not None:
        from myriad.report.campaign_page import simulation_html

        write(html, simulation_html(result, lang))
    answer(result, json_file, simulation_text(result, lang))
    for name, path in (("events", events), ("trace", trace), ("page", html)):
        if path is not None:
            say(f"{name}: {path}")
