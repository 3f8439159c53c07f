"""`myriad estimate`: one layout."""

from __future__ import annotations

from typing import Annotated, Final

import typer

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
    ClusterName,
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
    read_job,
)
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, show, write

EXAMPLES: Final = """\b
Examples:
  myriad estimate --model llama3.1-8b --cluster h100:8 --tp 2
    --seq-len 8192 --global-batch 128
  myriad estimate --model deepseek-v3 --cluster h800:2048 --pp 16 --ep 64
    --precision fp8-block --recompute moe_act,mla_up_proj
    --seq-len 4096 --global-batch 15360
  myriad estimate --model llama3.1-405b --cluster h100:16384 --tp 8 --pp 16
    --split best --seq-len 8192 --global-batch 2048"""


def estimate(
    model: ModelName,
    cluster: ClusterName,
    seq_len: SequenceLength,
    global_batch: GlobalBatch,
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
    flops: Annotated[
        str, typer.Option(metavar="NAME", help="What MFU counts: computed (default), noncausal, six-n, sc21-model, ...")
    ] = "computed",
    operations: Annotated[bool, typer.Option("--operations", help="Add the time of every kind of operation.")] = False,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Estimate one layout: step time, memory, tokens/s, MFU."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--json": json_file}, *([layout] if layout else []))
    from myriad import api
    from myriad.report.terminal import estimate_text

    named, machines, work = read_job(given)
    one, best = read_layout(given, layout, named, machines, work)
    result = api.estimate_training(named, machines, one, work, flops)
    parts = api.operations_of(named, machines, one, work) if operations else ()
    if json_file is not None:
        values = result.model_dump(mode="json")
        if best is not None:
            values["best_split"] = best.model_dump(mode="json")
        if operations:
            values["operations"] = [part.model_dump(mode="json") for part in parts]
        write(json_file, json_text(values))
    if json_file != STANDARD_OUTPUT:
        show(estimate_text(result, parts, lang, best))
