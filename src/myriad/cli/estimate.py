"""`myriad estimate`: one layout."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from myriad.cli.layout_options import given_options, read_laid_out, takes_layout
from myriad.cli.options import (
    ClusterName,
    GlobalBatch,
    JsonFile,
    LanguageCode,
    ModelName,
    SequenceLength,
    check_language,
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


@takes_layout
def estimate(
    model: ModelName,
    cluster: ClusterName,
    seq_len: SequenceLength,
    global_batch: GlobalBatch,
    flops: Annotated[
        str, typer.Option(metavar="NAME", help="What MFU counts: computed (default), noncausal, six-n, sc21-model, ...")
    ] = "computed",
    operations: Annotated[bool, typer.Option("--operations", help="Add the time of every kind of operation.")] = False,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
    **of_layout: Any,
) -> None:
    """Estimate one layout: step time, memory, tokens/s, MFU."""
    given = given_options(**locals())
    check_language(lang)
    check_outputs({"--json": json_file}, *([given["layout"]] if "layout" in given else []))
    from myriad import api
    from myriad.report.terminal import estimate_text

    named, machines, work, one, best = read_laid_out(given)
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
