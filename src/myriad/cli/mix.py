"""`myriad mix`: one job over two or more pools that a long link joins."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from myriad.cli.options import (
    GlobalBatch,
    Imbalance,
    JsonFile,
    LanguageCode,
    ModelName,
    PrecisionName,
    SequenceLength,
    StackName,
    Switches,
    at,
    check_language,
    read_flag,
    read_job,
)
from myriad.cli.output import answer, check_outputs, progress
from myriad.errors import SpecError

EXAMPLES: Final = """\b
Examples:
  myriad mix --model llama3.1-405b --pool h800:8192 --pool h100:4096
    --distance 1200km --bandwidth 4Tbit/s
    --seq-len 8192 --global-batch 3072
  myriad mix --model llama3.1-70b --pool h100:1024 --pool h100:1024
    --distance 80km --bandwidth 10Tbit/s --join pipeline
    --seq-len 8192 --global-batch 1024"""


def mix(
    model: ModelName,
    pool: Annotated[
        list[str],
        typer.Option(
            metavar="NAME:COUNT", help="A pool, as for --cluster; given once for each, in order of the chain."
        ),
    ],
    distance: Annotated[str, typer.Option(metavar="LENGTH", help="Fibre between two neighbours: 1200km.")],
    bandwidth: Annotated[str, typer.Option(metavar="RATE", help="Between two neighbours, one way: 4Tbit/s.")],
    seq_len: SequenceLength,
    global_batch: GlobalBatch,
    fibre: Annotated[
        str, typer.Option(metavar="single-mode|hollow-core", help="What light travels in: glass, or air.")
    ] = "single-mode",
    join: Annotated[
        str, typer.Option(metavar="data|pipeline|best", help="Replicas in each pool, stages in two, or the faster.")
    ] = "best",
    precision: PrecisionName = None,
    stack: StackName = None,
    switches: Switches = None,
    expert_imbalance: Imbalance = None,
    headroom: Annotated[
        str, typer.Option(metavar="SHARE", help="Memory that a layout must leave free, for example 10%.")
    ] = "5%",
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Ask whether one job over several pools pays, and how."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--json": json_file})
    from myriad import api, catalog
    from myriad.api.training import setting_of
    from myriad.report.mixed import mix_text
    from myriad.spec.base import BytesPerS, Fraction, Metres
    from myriad.spec.fibre import FibreKind
    from myriad.spec.mixed import LongLink, Mix

    if len(pool) < 2:
        raise SpecError(f"--pool: a mix needs at least two, found {len(pool)}")
    wanted = read_flag("--join", join, Mix.model_fields["join"].annotation)
    if wanted == "pipeline" and len(pool) != 2:
        raise SpecError(f"--join: a pipeline joins two pools, found {len(pool)}")
    link = LongLink(
        distance=read_flag("--distance", distance, Metres),
        bandwidth=read_flag("--bandwidth", bandwidth, BytesPerS),
        fibre=read_flag("--fibre", fibre, FibreKind),
    )
    free = read_flag("--headroom", headroom, Fraction)
    with at("--pool"):
        clusters = {_named(pool, index): catalog.cluster(text) for index, text in enumerate(pool)}
    named, _, work = read_job({**given, "cluster": pool[0]})
    with at("--precision"):
        for machines in clusters.values():
            setting_of(named, machines, work)
    with progress(f"mixing pools for {model}") as step:
        result = api.mix_training(named, clusters, work, link, join=wanted, memory_headroom=free, progress=step)
    answer(result, json_file, mix_text(result, lang))


def _named(pools: list[str], index: int) -> str:
    """The pool as it was given, numbered where it was given more than once."""
    text = pools[index]
    return text if pools.count(text) == 1 else f"{text} ({pools[: index + 1].count(text)})"
