"""Options that describe a layout, one per field, and how they become one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myriad.cli.options import at, read_flags
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.cluster import Cluster
    from myriad.spec.job import TrainingWork
    from myriad.spec.layout import Layout
    from myriad.spec.model import Model
    from myriad.spec.result import BestSplit

BEST_SPLIT = "best"


def _count(help_text: str) -> Any:
    return typer.Option(metavar="COUNT", help=help_text)


LayoutFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Layout in YAML or JSON; options given beside it win.")
]
TensorParallel = Annotated[str | None, _count("Tensor parallel size.")]
PipelineParallel = Annotated[str | None, _count("Pipeline stages.")]
VirtualStages = Annotated[str | None, _count("Model chunks per stage.")]
Split = Annotated[
    str | None,
    typer.Option(metavar="LAYERS", help="Layers per chunk, 7,8*14,7, or best (default: the software's own rule)."),
]
ContextParallel = Annotated[str | None, _count("Context parallel size.")]
ExpertParallel = Annotated[str | None, _count("Expert parallel size.")]
ExpertTensorParallel = Annotated[str | None, _count("Tensor parallel size within an expert.")]
DataParallel = Annotated[str | None, _count("Data parallel replicas (default: what the cluster leaves).")]
ZeroStage = Annotated[str | None, typer.Option(metavar="0-3", help="ZeRO stage; 3 is FSDP (default 1).")]
ShardSize = Annotated[str | None, _count("Ranks that one copy is sharded over (default: all).")]
MicroBatch = Annotated[str | None, _count("Sequences per micro-batch.")]
Recompute = Annotated[
    str | None, typer.Option(metavar="MODULES", help="none, selective, full, or modules: moe_act,mla_up_proj.")
]
OffloadOptimizer = Annotated[
    bool | None, typer.Option("--offload-optimizer/--no-offload-optimizer", help="Optimizer states in host memory.")
]
Schedule = Annotated[
    str | None, typer.Option(metavar="NAME", help="1f1b (default), gpipe, zero-bubble, zb-v, dualpipe.")
]
RankOrder = Annotated[
    str | None, typer.Option(metavar="ORDER", help="Rank order, fastest-varying first (default tp-cp-ep-dp-pp).")
]
SequenceParallel = Annotated[bool | None, typer.Option("--sp/--no-sp", help="Sequence parallelism (default on).")]


def read_layout(
    given: Mapping[str, Any], file: Path | None, model: Model, cluster: Cluster, work: TrainingWork
) -> tuple[Layout, BestSplit | None]:
    """The layout of a file and of options, dp filled in from the cluster; and the best split, if that is asked for."""
    from myriad.api import best_split

    if given.get("split") != BEST_SPLIT:
        return _layout(given, file, cluster.num_accelerators), None
    one = _layout({name: value for name, value in given.items() if name != "split"}, file, cluster.num_accelerators)
    with at("--split"):
        best = best_split(model, cluster, one, work)
    return best.layout, best


def _layout(given: Mapping[str, Any], file: Path | None, num_accelerators: int) -> Layout:
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
