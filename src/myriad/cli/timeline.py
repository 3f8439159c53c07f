"""`myriad timeline`: the operations of one step on the stages of its pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import options
from myriad.cli.layout_options import (
    ContextParallel,
    DataParallel,
    ExpertParallel,
    ExpertTensorParallel,
    LayoutFile,
    MicroBatch,
    OffloadOptimizer,
    PipelineParallel,
    RankOrder,
    Recompute,
    Schedule,
    SequenceParallel,
    ShardSize,
    Split,
    TensorParallel,
    VirtualStages,
    ZeroStage,
    read_layout,
)
from myriad.cli.options import (
    Imbalance,
    JsonFile,
    LanguageCode,
    PrecisionName,
    StackName,
    Switches,
    check_belongs,
    check_language,
    flag_of,
    one_subject,
    read_job,
)
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, progress, say, show, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.timeline import StepTimeline

EXAMPLES: Final = """\b
Examples:
  myriad timeline --model llama3-70b --cluster h100:64 --tp 4 --pp 4 --vpp 2
    --seq-len 8192 --global-batch 64 --trace step.json --html step.html
  myriad timeline system.yaml --job pretrain"""

_NEEDED: Final = ("cluster", "seq_len", "global_batch")
MOST_DRAWN: Final = 12_000
"""Operations in a page; of longer steps it holds the start, a part of the middle and the end."""


def timeline(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="System file: the layout that is chosen for one of its jobs.")
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="NAME", help="With FILE: the job, where it has several.")] = None,
    model: Annotated[str | None, options.MODEL] = None,
    cluster: Annotated[str | None, options.CLUSTER] = None,
    seq_len: Annotated[str | None, options.SEQ_LEN] = None,
    global_batch: Annotated[str | None, options.GLOBAL_BATCH] = None,
    layout: LayoutFile = None,
    tp: TensorParallel = None,
    pp: PipelineParallel = None,
    vpp: VirtualStages = None,
    split: Split = None,
    cp: ContextParallel = None,
    ep: ExpertParallel = None,
    etp: ExpertTensorParallel = None,
    dp: DataParallel = None,
    zero: ZeroStage = None,
    shard: ShardSize = None,
    micro_batch: MicroBatch = None,
    recompute: Recompute = None,
    offload_optimizer: OffloadOptimizer = None,
    schedule: Schedule = None,
    order: RankOrder = None,
    sp: SequenceParallel = None,
    precision: PrecisionName = None,
    stack: StackName = None,
    switches: Switches = None,
    expert_imbalance: Imbalance = None,
    json_file: JsonFile = None,
    trace_file: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Write a trace for Perfetto or chrome://tracing.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page that draws it.")
    ] = None,
    lang: LanguageCode = "en",
) -> None:
    """Draw one step operation by operation: who computes, waits, sends and holds what, and when.

    Of one layout, or of what is chosen for a job of a system file.
    """
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    inputs = (path for path in (file, layout) if path is not None)
    check_outputs({"--json": json_file, "--trace": trace_file, "--html": html_file}, *inputs)
    result = _timeline(
        {name: value for name, value in given.items() if name not in ("json_file", "trace_file", "html_file", "lang")}
    )
    if json_file is not None:
        write(json_file, json_text(result.model_dump(mode="json")))
    if trace_file is not None:
        from myriad.report.trace import timeline_trace

        write(trace_file, timeline_trace(result))
    if html_file is not None:
        from myriad import api
        from myriad.report.timeline_page import timeline_html

        write(html_file, timeline_html(api.shortened(result, MOST_DRAWN), lang))
    if json_file != STANDARD_OUTPUT:
        from myriad.report.timeline import timeline_text

        show(timeline_text(result, lang))
        for what, path in (("trace", trace_file), ("page", html_file)):
            if path is not None:
                say(f"{what}: {path}")


def _timeline(given: Mapping[str, Any]) -> StepTimeline:
    from myriad import api

    if one_subject(given, ("file", "model")) == "file":
        check_belongs(given, ("file", "job"))
        with progress(f"planning {given['file'].name}") as step:
            return api.timeline_of_plan(given["file"], given.get("job"), step)
    check_belongs(given, (name for name in given if name != "job"))
    for name in _NEEDED:
        if name not in given:
            raise SpecError(f"{flag_of(name)}: is missing")
    named, machines, work = read_job(given)
    one, _ = read_layout(given, given.get("layout"), named, machines, work)
    return api.timeline_of(named, machines, one, work)
