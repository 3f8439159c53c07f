"""`myriad jobs simulate`: many jobs on one cluster, under several policies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.engine_options import EngineName, RayAddress, Workers, read_engine
from myriad.cli.job_mixes import ASKED, check_drawing
from myriad.cli.options import ClusterName, JsonFile, LanguageCode, at, check_language, read_flag
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.sim.jobs import JobRuns, Submissions
    from myriad.spec.jobs import Policy
    from myriad.spec.recovery import Recovery

EXAMPLES: Final = """\b
Examples:
  myriad jobs simulate --cluster dgx-a100-80gb:2416 --mix acme-kalos
    --policy fifo,slurm-backfill,shortest --days 60 --html jobs.html
  myriad jobs simulate --cluster dgx-h100:4096 --trace sacct.txt
    --reliability llama3-h100 --checkpoint 30min --out jobs.csv
  myriad jobs simulate --cluster dgx-h100:16384 --mix acme-seren
    --policy own-policy.yaml --scale 5 --asked 3"""

_DESCRIPTIONS: Final = (".yaml", ".yml", ".json")


def simulate(
    cluster: ClusterName,
    mix: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Draw jobs: a mix of the catalog, or a YAML file.",
            autocompletion=completion.mixes,
        ),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Jobs of a trace: CSV, sacct -P, openb, Kueue, Volcano.")
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="fifo, slurm-backfill, conservative, shortest, quota-preempt, priority-preempt, or YAML files.",
        ),
    ] = "slurm-backfill",
    days: Annotated[
        float | None, typer.Option(metavar="NUMBER", help="That count (default 30; of a trace, all of it).")
    ] = None,
    warm_up: Annotated[float, typer.Option(metavar="NUMBER", help="Days before them that do not count.")] = 0.0,
    scale: Annotated[
        float | None,
        typer.Option(metavar="FACTOR", help="How many times as many jobs of a mix come (default: by cluster size)."),
    ] = None,
    asked: Annotated[float | None, ASKED] = None,
    reliability: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="How machines break (default: not).", autocompletion=completion.reliabilities
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Work between checkpoints (default: stopped jobs start anew)."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Runs, each with its own draws (default 5; nothing drawn: 1).")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Of what is drawn.")] = 0,
    engine: EngineName = "local",
    address: RayAddress = None,
    workers: Workers = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the jobs of the first run of each policy as CSV.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with charts.")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Simulate many jobs on one cluster: use, waits, lost work, by policy and by size."""
    check_language(lang)
    if (mix is None) == (trace is None):
        raise SpecError(f"expected one of --mix and --trace, found {'both' if mix else 'none of them'}")
    check_outputs({"--out": out, "--html": html, "--json": json_file}, *([trace] if trace is not None else []))
    check_drawing(30.0 if days is None else days, seed, scale, asked)
    if not 0 <= warm_up < 1e6:
        raise SpecError(f"--warm-up: found {warm_up:g}, expected 0 or more")
    from myriad import api, catalog
    from myriad.report.job_statistics import remark_lines
    from myriad.report.jobs_text import jobs_result_text
    from myriad.report.language import language
    from myriad.report.numbers import Numbers
    from myriad.sim.jobs.policies import policy_named
    from myriad.sim.jobs.traces import jobs_text, read_jobs
    from myriad.spec.base import Count
    from myriad.spec.jobs import Policy
    from myriad.units import DAY_S, HOUR_S

    with at("--cluster"):
        node, accelerators = catalog.counted_node(cluster)
    chosen = []
    for name in policy.split(","):
        with at("--policy"):
            is_file = Path(name).suffix in _DESCRIPTIONS
            chosen.append(catalog.read_spec(Path(name), Policy) if is_file else policy_named(name.strip()))
    if reliability is not None:
        with at("--reliability"):
            catalog.reliability(reliability)
    elif checkpoint is not None:
        raise SpecError("--checkpoint: goes with --reliability; without it nothing stops a job")
    runs = read_flag("--seeds", seeds, Count) if seeds is not None else 1 if trace and reliability is None else 5
    published = None
    asked_of: Any
    if trace is not None:
        for flag, given in (("--scale", scale), ("--asked", asked)):
            if given is not None:
                raise SpecError(f"{flag}: goes with --mix; a trace says it itself")
        with at("--trace"):
            recorded = read_jobs(trace)
        asked_of, named = recorded.jobs, trace.name
        # Until just after the last job comes; but an hour at least, for lists of jobs that came at once.
        days = days or max((float(recorded.jobs.submitted_s[-1]) + 1.0) / DAY_S - warm_up, HOUR_S / DAY_S)
        for remark in remark_lines(recorded.remarks, words := language(lang), Numbers(words)):
            say(remark)
    else:
        with at("--mix"):
            asked_of = api.job_mix(str(mix))
        named, published = asked_of.name, asked_of.published
    rows: list[tuple[Policy, Submissions, JobRuns]] = []
    with progress("simulating", rate="runs/s") as step:
        result = api.simulate_job_mix(
            asked_of,
            chosen,
            accelerators=accelerators,
            node=node,
            days=days or 30.0,
            warm_up_days=warm_up,
            runs=runs,
            seed=seed,
            scale=scale,
            asked=asked,
            reliability=reliability,
            recovery=_recovery(checkpoint),
            name=named,
            engine=read_engine(engine, address, workers),
            progress=step("simulating"),
            first_run=None if out is None else lambda *one: rows.append(one),
        )
    if out is not None:
        write(out, _fates(rows, jobs_text))
    if html is not None:
        from myriad.report.jobs_page import jobs_html

        write(html, jobs_html(result, catalog.accelerator(node.accelerator).name, published, lang))
    answer(result, json_file, jobs_result_text(result, published, lang))
    for title, path in (("jobs", out), ("page", html)):
        if path is not None:
            say(f"{title}: {path}")


def _recovery(checkpoint: str | None) -> Recovery | None:
    """Checkpoints so often, and restarts as usual."""
    from myriad.spec.base import Seconds
    from myriad.spec.recovery import Checkpoint, Recovery

    if checkpoint is None:
        return None
    interval = read_flag("--checkpoint", checkpoint, Seconds)
    if interval <= 0:
        raise SpecError("--checkpoint: expected a time above 0")
    return Recovery(checkpoints=(Checkpoint(interval=interval),))


def _fates(rows: list[tuple[Policy, Submissions, JobRuns]], jobs_text: Any) -> str:
    """What became of each job, one policy after the other."""
    from myriad.sim.jobs import STATES

    texts: list[str] = []
    for policy, jobs, runs in rows:
        columns: Mapping[str, Any] = {
            "policy": [policy.name] * len(jobs),
            "state": [STATES[one] for one in runs.state],
            "started_s": runs.started_s,
            "ended_s": runs.ended_s,
            "waited_s": runs.waited_s,
            "held_s": runs.held_s,
            "productive_s": runs.productive_s,
            "interruptions": runs.interruptions.astype(float),
            "preemptions": runs.preemptions.astype(float),
            "leaves": runs.leaves.astype(float),
        }
        text = jobs_text(jobs, columns)
        texts.append(text if not texts else text.partition("\n")[2])
    return "".join(texts)
