"""`myriad goodput`: what a job keeps of its time on a cluster that breaks."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, LanguageCode, check_language, read_flag, read_flags
from myriad.cli.output import answer, check_outputs, progress

EXAMPLES: Final = """\b
Examples:
  myriad goodput --cluster h100:16384 --reliability llama3-h100
    --model llama3.1-405b
  myriad goodput --accelerators 16384 --interruptions 419 --duration 54days
    --checkpoint-interval 30min --restart 10min
  myriad goodput --accelerators 4096 --failures-per-1000-node-days 6.5
    --checkpoint-interval 1h --blocking 0 --restart 5min --runs 200"""


def _time(help_text: str) -> Any:
    return typer.Option(metavar="TIME", help=help_text)


def goodput(
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:COUNT",
            help="Of the catalog: h100:16384; or --accelerators.",
            autocompletion=completion.clusters,
        ),
    ] = None,
    accelerators: Annotated[
        str | None, typer.Option(metavar="COUNT", help="How many, where nobody says which.")
    ] = None,
    accelerators_per_node: Annotated[str | None, typer.Option(metavar="COUNT", help="Of a node (default 8).")] = None,
    reliability: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What breaks: an entry of the catalog.", autocompletion=completion.reliabilities
        ),
    ] = None,
    mtti: Annotated[str | None, _time("Or: mean time to an interruption of the job.")] = None,
    failures_per_1000_node_days: Annotated[str | None, typer.Option(metavar="RATE", help="Or: as published.")] = None,
    interruptions: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Or: so many interruptions in --duration.")
    ] = None,
    duration: Annotated[str | None, _time("In which the interruptions were counted: 54days.")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model of the catalog: says how large a checkpoint is.",
            autocompletion=completion.models,
        ),
    ] = None,
    checkpoint_size: Annotated[str | None, typer.Option(metavar="BYTES", help="Or: its size: 2.3TB.")] = None,
    checkpoint_to: Annotated[
        str | None, typer.Option(metavar="storage|peer-memory|node-disk", help="Where it goes (default storage).")
    ] = None,
    checkpoint_interval: Annotated[str | None, _time("Between two checkpoints (default: the best).")] = None,
    synchronous: Annotated[
        bool, typer.Option("--synchronous", help="Training stands still until a checkpoint is written.")
    ] = False,
    blocking: Annotated[str | None, _time("For which a checkpoint stops training.")] = None,
    write: Annotated[str | None, _time("From its start until it can be read back.")] = None,
    read: Annotated[str | None, _time("To read it at a restart.")] = None,
    storage_bandwidth: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of the file system, each way: 100GB/s (default).")
    ] = None,
    detection: Annotated[str | None, _time("Until it is known that something is wrong.")] = None,
    diagnosis: Annotated[str | None, _time("From then until it is known what to take out.")] = None,
    restart: Annotated[str | None, _time("From then until the first step (default: by the number of nodes).")] = None,
    downtime: Annotated[str | None, _time("Or: all of it, from the failure to the first step after it.")] = None,
    swap: Annotated[str | None, _time("Until a spare node stands in, beyond the restart (default 0).")] = None,
    spares: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Accelerators that stand by (default: enough).")
    ] = None,
    repair: Annotated[str | None, _time("Of a broken node (default 1 day).")] = None,
    repair_crews: Annotated[str | None, typer.Option(metavar="COUNT", help="Repairs at a time (default all).")] = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="restart|elastic|replica", help="What the job does about failures (default restart)."),
    ] = None,
    replicas: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Data-parallel replicas, of elastic and replica.")
    ] = None,
    replica_stall: Annotated[str | None, _time("Of the other replicas when one is lost (default 10s).")] = None,
    runs: Annotated[str, typer.Option(metavar="COUNT", help="Simulate it so often too (default 0: not).")] = "0",
    seed: Annotated[str, typer.Option(metavar="NUMBER", help="Of the simulated runs.")] = "0",
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Ask what a job keeps of its time when things break, and which checkpoint interval is best."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--json": json_file})
    from myriad import api
    from myriad.report.goodput_text import goodput_text
    from myriad.spec.base import CountOrZero
    from myriad.spec.goodput import GoodputQuestion

    number = read_flag("--runs", runs, CountOrZero)
    first = read_flag("--seed", seed, CountOrZero)
    question = read_flags(
        GoodputQuestion, {name: given[name] for name in GoodputQuestion.model_fields if name in given}
    )
    with progress("simulating") as step:
        result = api.goodput(question, number, first, step("simulating"))
    answer(result, json_file, goodput_text(result, lang))
