"""`myriad estimate`: one layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

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
    check_language,
    read_flags,
    read_job,
)
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, show, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.layout import Layout


EXAMPLES: Final = """\b
Examples:
  myriad estimate --model llama3.1-8b --cluster h100:8 --tp 2
    --seq-len 8192 --global-batch 128
  myriad estimate --model deepseek-v3 --cluster h800:2048 --pp 16 --ep 64
    --precision fp8-block --recompute moe_act,mla_up_proj
    --seq-len 4096 --global-batch 15360"""


def _count(help_text: str) -> Any:
    return typer.Option(metavar="COUNT", help=help_text)


def estimate(
    model: ModelName,
    cluster: ClusterName,
    seq_len: SequenceLength,
    global_batch: GlobalBatch,
    layout: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Layout in YAML or JSON; options given beside it win.")
    ] = None,
    tp: Annotated[str | None, _count("Tensor parallel size.")] = None,
    pp: Annotated[str | None, _count("Pipeline stages.")] = None,
    vpp: Annotated[str | None, _count("Model chunks per stage.")] = None,
    cp: Annotated[str | None, _count("Context parallel size.")] = None,
    ep: Annotated[str | None, _count("Expert parallel size.")] = None,
    etp: Annotated[str | None, _count("Tensor parallel size within an expert.")] = None,
    dp: Annotated[str | None, _count("Data parallel replicas (default: what the cluster leaves).")] = None,
    zero: Annotated[str | None, typer.Option(metavar="0-3", help="ZeRO stage; 3 is FSDP (default 1).")] = None,
    shard: Annotated[str | None, _count("Ranks that one copy is sharded over (default: all).")] = None,
    micro_batch: Annotated[str | None, _count("Sequences per micro-batch.")] = None,
    recompute: Annotated[
        str | None, typer.Option(metavar="MODULES", help="none, selective, full, or modules: moe_act,mla_up_proj.")
    ] = None,
    offload_optimizer: Annotated[
        bool | None, typer.Option("--offload-optimizer/--no-offload-optimizer", help="Optimizer states in host memory.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option(metavar="NAME", help="1f1b (default), gpipe, zero-bubble, dualpipe.")
    ] = None,
    order: Annotated[
        str | None, typer.Option(metavar="ORDER", help="Rank order, fastest-varying first (default tp-cp-ep-dp-pp).")
    ] = None,
    sp: Annotated[bool | None, typer.Option("--sp/--no-sp", help="Sequence parallelism (default on).")] = None,
    precision: PrecisionName = None,
    stack: StackName = None,
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
    one = _layout(given, layout, machines.num_accelerators)
    result = api.estimate_training(named, machines, one, work, flops)
    parts = api.operations_of(named, machines, one, work) if operations else ()
    if json_file is not None:
        values = result.model_dump(mode="json")
        if operations:
            values["operations"] = [part.model_dump(mode="json") for part in parts]
        write(json_file, json_text(values))
    if json_file != STANDARD_OUTPUT:
        show(estimate_text(result, parts, lang))


def _layout(given: Mapping[str, Any], file: Path | None, num_accelerators: int) -> Layout:
    """The layout of a file and of options, dp filled in from the cluster where neither gives it."""
    from myriad.catalog import read_spec
    from myriad.spec.layout import Layout

    of_file = read_spec(file, Layout).model_dump(exclude_unset=True) if file is not None else {}
    values: dict[str, Any] = of_file | {name: given[name] for name in Layout.model_fields if name in given}
    if "recompute" in given:
        values["recompute"] = [module.strip() for module in given["recompute"].split(",")]
    if "zero" in given and given["zero"].strip().isdecimal():
        values["zero"] = int(given["zero"])
    one = read_flags(Layout, values)
    if "dp" in values:
        return one
    ranks = one.tp * one.cp * one.pp
    if num_accelerators % ranks:
        raise SpecError(
            f"--dp: {num_accelerators} accelerators are not a whole number of model copies of {ranks} "
            f"(tp {one.tp} x cp {one.cp} x pp {one.pp}); change one of these, or give --dp"
        )
    return one.model_copy(update={"dp": num_accelerators // ranks})
