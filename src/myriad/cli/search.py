"""`myriad search`: all layouts of one job on one cluster."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from myriad.cli.options import (
    ClusterName,
    FabricName,
    GlobalBatch,
    Imbalance,
    JsonFile,
    LanguageCode,
    ModelName,
    PrecisionName,
    SequenceLength,
    StackName,
    Switches,
    check_language,
    read_flag,
    read_job,
)
from myriad.cli.output import answer, check_outputs, progress
from myriad.errors import InfeasibleError, SpecError

EXAMPLES: Final = """\b
Examples:
  myriad search --model mimo-v2-pro --cluster h800:16384
    --seq-len 4096 --global-batch 8192
  myriad search --model llama3.1-8b --cluster h100:64
    --seq-len 8192 --global-batch 512
    --tokens "100 B" --deadline "30 days" --objective gpus"""


def search(
    model: ModelName,
    cluster: ClusterName,
    seq_len: SequenceLength,
    global_batch: GlobalBatch,
    fabric: FabricName = None,
    precision: PrecisionName = None,
    stack: StackName = None,
    switches: Switches = None,
    expert_imbalance: Imbalance = None,
    objective: Annotated[
        str, typer.Option(metavar="time|cost|gpus", help="Shortest step, fewest GPU-seconds, or fewest GPUs.")
    ] = "time",
    least_gpus: Annotated[
        str | None,
        typer.Option(
            metavar="COUNT", help="Fewest accelerators to use (default: 3/4 of them; for cost 1/2, for gpus 1)."
        ),
    ] = None,
    headroom: Annotated[
        str, typer.Option(metavar="SHARE", help="Memory that a layout must leave free, for example 10%.")
    ] = "5%",
    tokens: Annotated[
        str | None, typer.Option(metavar="COUNT", help='With --objective gpus: what to train on, "15 T".')
    ] = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="TIME", help='With --objective gpus: time for --tokens, "90 days".')
    ] = None,
    top: Annotated[str, typer.Option(metavar="COUNT", help="Layouts to list.")] = "20",
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Search all layouts of one job for the best."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--json": json_file})
    from myriad import api
    from myriad.report.terminal import search_text
    from myriad.search.rank import Objective
    from myriad.spec.base import Count, Fraction, Seconds, Tokens
    from myriad.units import format_seconds

    aim = read_flag("--objective", objective, Objective)
    rows = read_flag("--top", top, Count)
    free = read_flag("--headroom", headroom, Fraction)
    named, machines, work = read_job(given)
    least = None if least_gpus is None else read_flag("--least-gpus", least_gpus, Count)
    if least is not None and least > machines.num_accelerators:
        raise SpecError(f"--least-gpus: {least} is more than the {machines.num_accelerators} accelerators of {cluster}")
    limit_s: float | None = None
    if tokens is not None or deadline is not None:
        _check_together(aim, tokens, deadline)
        seconds = read_flag("--deadline", deadline or "", Seconds)
        limit_s = seconds * work.seq_len * work.global_batch / read_flag("--tokens", tokens or "", Tokens)
    with progress(f"searching layouts of {model}") as step:
        result = api.search_training(
            named, machines, work, objective=aim, least_gpus=least, step_limit_s=limit_s, memory_headroom=free,
            top=rows, progress=step(f"searching layouts of {model}"),
        )  # fmt: skip
    if limit_s is not None and result.best.step_s > limit_s:
        raise InfeasibleError(
            f"--deadline: no layout on up to {machines.num_accelerators} accelerators is fast enough: a step may take "
            f"{format_seconds(limit_s)}, the nearest takes {format_seconds(result.best.step_s)}"
        )
    answer(result, json_file, search_text(result, lang))


def _check_together(objective: str, tokens: str | None, deadline: str | None) -> None:
    if tokens is None or deadline is None:
        raise SpecError("--tokens and --deadline: give both or neither")
    if objective != "gpus":
        raise SpecError("--deadline: only --objective gpus looks for the fewest accelerators that meet a deadline")
