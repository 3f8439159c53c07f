"""Options that describe a layout, one per field, which several commands take, and how they become one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from myriad.cli.options import (
    FabricName,
    Imbalance,
    PrecisionName,
    StackName,
    Switches,
    at,
    flag_of,
    read_flags,
    read_job,
)
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


_OF_LAYOUT: dict[str, Any] = {
    "fabric": FabricName,
    "layout": Annotated[
        Path | None, typer.Option(metavar="FILE", help="Layout in YAML or JSON; options given beside it win.")
    ],
    "tp": Annotated[str | None, _count("Tensor parallel size.")],
    "pp": Annotated[str | None, _count("Pipeline stages.")],
    "vpp": Annotated[str | None, _count("Model chunks per stage.")],
    "split": Annotated[
        str | None,
        typer.Option(metavar="LAYERS", help="Layers per chunk, 7,8*14,7, or best (default: the software's own rule)."),
    ],
    "cp": Annotated[str | None, _count("Context parallel size.")],
    "ep": Annotated[str | None, _count("Expert parallel size.")],
    "etp": Annotated[str | None, _count("Tensor parallel size within an expert.")],
    "dp": Annotated[str | None, _count("Data parallel replicas (default: what the cluster leaves).")],
    "zero": Annotated[str | None, typer.Option(metavar="0-3", help="ZeRO stage; 3 is FSDP (default 1).")],
    "shard": Annotated[str | None, _count("Ranks that one copy is sharded over (default: all).")],
    "micro_batch": Annotated[str | None, _count("Sequences per micro-batch.")],
    "recompute": Annotated[
        str | None, typer.Option(metavar="MODULES", help="none, selective, full, or modules: moe_act,mla_up_proj.")
    ],
    "offload_optimizer": Annotated[
        bool | None, typer.Option("--offload-optimizer/--no-offload-optimizer", help="Optimizer states in host memory.")
    ],
    "schedule": Annotated[
        str | None, typer.Option(metavar="NAME", help="1f1b (default), gpipe, zero-bubble, zb-v, dualpipe.")
    ],
    "order": Annotated[
        str | None, typer.Option(metavar="ORDER", help="Rank order, fastest-varying first (default tp-cp-ep-dp-pp).")
    ],
    "sp": Annotated[bool | None, typer.Option("--sp/--no-sp", help="Sequence parallelism (default on).")],
    "precision": PrecisionName,
    "stack": StackName,
    "switches": Switches,
    "expert_imbalance": Imbalance,
}
"""Options of a layout and of how it is run, in the order of the help."""


def takes_layout(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of a layout after `global_batch`; it gets them as `**of_layout`."""
    own = inspect.signature(command, eval_str=True)
    parameters = []
    for parameter in own.parameters.values():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            parameters.append(parameter)
        if parameter.name == "global_batch":
            parameters += [
                inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
                for name, annotation in _OF_LAYOUT.items()
            ]

    @wraps(command)
    def with_layout(**given: Any) -> None:
        command(**given)

    # Keyword-only, since those with and without defaults mix.
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    vars(with_layout)["__signature__"] = own.replace(parameters=keywords)
    with_layout.__annotations__ = {parameter.name: parameter.annotation for parameter in keywords}
    return with_layout


def given_options(of_layout: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    """The options of a command that are given, those of the layout among them."""
    return {name: value for name, value in (own | dict(of_layout)).items() if value is not None}


def read_laid_out(given: Mapping[str, Any]) -> tuple[Model, Cluster, TrainingWork, Layout, BestSplit | None]:
    """Model, cluster, work and layout that the options describe; and the best split, if that is asked for."""
    for name in ("cluster", "seq_len", "global_batch"):
        if name not in given:
            raise SpecError(f"{flag_of(name)}: is missing")
    model, cluster, work = read_job(given)
    layout, best = _read_layout(given, model, cluster, work)
    return model, cluster, work, layout, best


def _read_layout(
    given: Mapping[str, Any], model: Model, cluster: Cluster, work: TrainingWork
) -> tuple[Layout, BestSplit | None]:
    """The layout of a file and of options, dp filled in from the cluster; and the best split, if that is asked for."""
    from myriad.api import best_split

    if given.get("split") != BEST_SPLIT:
        return _layout(given, cluster.num_accelerators), None
    one = _layout({name: value for name, value in given.items() if name != "split"}, cluster.num_accelerators)
    with at("--split"):
        best = best_split(model, cluster, one, work)
    return best.layout, best


def _layout(given: Mapping[str, Any], num_accelerators: int) -> Layout:
    from myriad.catalog import read_spec
    from myriad.spec.layout import Layout

    file = given.get("layout")
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
