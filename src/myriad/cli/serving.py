"""`myriad serving estimate` and `search`: deployments that answer requests, and the best of them under promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.options import (
    CLUSTER,
    MODEL,
    FabricName,
    JsonFile,
    LanguageCode,
    at,
    check_language,
    read_cluster,
    read_flag,
    read_flags,
)
from myriad.cli.output import answer, check_outputs, say, write, yaml_text
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.cluster import Cluster
    from myriad.spec.serving import Deployment, Replicas, Requests

ESTIMATE_EXAMPLES: Final = """\b
Examples:
  myriad serving estimate --model qwen3-32b --cluster h200:2 --tp 2
    --precision fp8 --input 4000 --output 1000 --concurrency 64
  myriad serving estimate --model deepseek-v3 --cluster h200:32
    --dp 16 --ep 16 --engine sglang --precision fp8-block
    --prefill-tp 8 --prefill-ep 8 --prefill-replicas 2
    --input 4000 --output 1000 --concurrency 1024
  myriad serving estimate --deployment deployment.yaml
    --input 4000 --output 1000"""

SEARCH_EXAMPLES: Final = """\b
Examples:
  myriad serving search --model qwen3-32b --cluster h200:32
    --input 4000 --output 1000 --ttft 2s --tpot 50ms
  myriad serving search --model deepseek-v3 --cluster h200:64
    --engine sglang --precisions fp8-block --input 4000 --output 1000
    --ttft 2s --tpot 50ms --percentile 99 --rate 20 --html search.html"""

InputTokens = Annotated[str, typer.Option("--input", metavar="COUNT", help="Prompt tokens of the mean request.")]
OutputTokens = Annotated[str, typer.Option("--output", metavar="COUNT", help="Output tokens of the mean request.")]
CachedShare = Annotated[
    str, typer.Option("--cached", metavar="SHARE", help="Share of the prompt that is found in the prefix cache.")
]
EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="NAME", help="vllm (default), sglang, trtllm, or one release: vllm@0.18.",
        autocompletion=completion.engines,
    ),
]  # fmt: skip
_PRECISIONS = "bf16, fp8, fp8-block, mxfp8, nvfp4, mxfp4, int8-weights, int4-weights"


def _size(flag: str, help_text: str) -> Any:
    return typer.Option(flag, metavar="COUNT", help=help_text)


def estimate(
    input_tokens: InputTokens,
    output_tokens: OutputTokens,
    model: Annotated[str | None, MODEL] = None,
    cluster: Annotated[str | None, CLUSTER] = None,
    fabric: FabricName = None,
    deployment: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Deployment in YAML or JSON, in place of --model and all options of replicas."
        ),
    ] = None,
    tp: Annotated[str | None, _size("--tp", "Tensor parallel size of a replica.")] = None,
    pp: Annotated[str | None, _size("--pp", "Pipeline stages of a replica.")] = None,
    dp: Annotated[str | None, _size("--dp", "Copies of attention in a replica (data-parallel attention).")] = None,
    ep: Annotated[str | None, _size("--ep", "Groups that own different experts; divides tp * dp.")] = None,
    replicas: Annotated[str | None, _size("--replicas", "Equal replicas (default 1).")] = None,
    prefill_tp: Annotated[str | None, _size("--prefill-tp", "The same of replicas that prefill alone.")] = None,
    prefill_pp: Annotated[str | None, _size("--prefill-pp", "")] = None,
    prefill_dp: Annotated[str | None, _size("--prefill-dp", "")] = None,
    prefill_ep: Annotated[str | None, _size("--prefill-ep", "")] = None,
    prefill_replicas: Annotated[str | None, _size("--prefill-replicas", "Replicas that prefill alone.")] = None,
    engine: EngineName = None,
    precision: Annotated[str | None, typer.Option(metavar="NAME", help=f"Of weights: {_PRECISIONS}.")] = None,
    expert_precision: Annotated[str | None, typer.Option(metavar="NAME", help="Of routed experts alone.")] = None,
    kv_precision: Annotated[str | None, typer.Option(metavar="NAME", help="Of the cache: bf16, fp8, int4.")] = None,
    max_sequences: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Most sequences at once on one copy of attention.")
    ] = None,
    max_batched_tokens: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Most tokens of one iteration on one copy of attention.")
    ] = None,
    cached: CachedShare = "0",
    concurrency: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Requests in the deployment at once (default: as many as fit).")
    ] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Estimate one deployment: TTFT, TPOT, tokens/s, what binds."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--json": json_file}, *([deployment] if deployment else []))
    from myriad import api, catalog
    from myriad.report.serving_text import estimate_text
    from myriad.spec.base import Count

    one = _deployment(given)
    with at("--deployment" if deployment else "--model"):
        named = catalog.model(one.model)
    machines = _cluster(cluster, fabric, one)
    api.check_deployment(named, machines, one)
    asked = _requests(given)
    load = None if concurrency is None else float(read_flag("--concurrency", concurrency, Count))
    result = api.estimate_serving(named, machines, one, asked, load)
    answer(result, json_file, estimate_text(result, named.name, machines.accelerator.name, lang))


def search(
    model: Annotated[str, MODEL],
    cluster: Annotated[str, CLUSTER],
    input_tokens: InputTokens,
    output_tokens: OutputTokens,
    fabric: FabricName = None,
    cached: CachedShare = "0",
    rate: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="Requests per second to answer, on the fewest GPUs.")
    ] = None,
    concurrency: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Requests at once, at the highest rate per GPU.")
    ] = None,
    ttft: Annotated[str | None, typer.Option(metavar="TIME", help="Promised time to the first token: 2s.")] = None,
    tpot: Annotated[str | None, typer.Option(metavar="TIME", help="Promised time per further token: 50ms.")] = None,
    percentile: Annotated[str, typer.Option(metavar="NUMBER", help="Of the requests that keep the promise.")] = "95",
    engine: EngineName = None,
    precisions: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Weights that you allow: fp8,nvfp4 (default: bf16,fp8,nvfp4 if there are)."),
    ] = None,
    kv_precisions: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Caches that you allow (default: bf16,fp8).")
    ] = None,
    prefill: Annotated[
        str, typer.Option(metavar="any|beside|apart", help="Prefill on the replicas that decode, on others, or either.")
    ] = "any",
    top: Annotated[str, typer.Option(metavar="COUNT", help="Deployments to list.")] = "10",
    json_file: JsonFile = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with the front.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write all listed points as CSV.")] = None,
    launch: Annotated[
        Path | None, typer.Option("--launch", metavar="FILE", help="Write the best as what `myriad launch` reads.")
    ] = None,
    lang: LanguageCode = "en",
) -> None:
    """Search deployments for the best that keeps promised latency."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--json": json_file, "--html": html, "--csv": csv, "--launch": launch})
    from myriad import api, catalog
    from myriad.report.serving_csv import points_csv
    from myriad.report.serving_page import serving_html
    from myriad.report.serving_text import search_text
    from myriad.spec.base import Count
    from myriad.spec.serving import Objective, ServingWork
    from myriad.spec.serving_search import PrefillPlace

    objective = read_flags(Objective, {name: given[name] for name in ("ttft", "tpot", "percentile") if name in given})
    asked = _requests(given)
    rows = read_flag("--top", top, Count)
    if rate is not None and concurrency is not None:
        raise SpecError("--rate and --concurrency: give one of them, the other follows")
    per_s = None if rate is None else _positive("--rate", rate)
    load = None if concurrency is None else float(read_flag("--concurrency", concurrency, Count))
    place = read_flag("--prefill", prefill, PrefillPlace)
    with at("--model"):
        named = catalog.model(model)
    machines = read_cluster(cluster, fabric)
    with at("--engine"):
        work = ServingWork(engine=engine) if engine is not None else ServingWork()
        catalog.engine(work.engine)
    result = api.search_serving(
        model, machines, asked, objective, requests_per_s=per_s, concurrency=load, work=work, top=rows, prefill=place,
        precisions=_names("--precisions", precisions, "precision"),
        kv_precisions=_names("--kv-precisions", kv_precisions, "kv_precision"),
    )  # fmt: skip
    names = (named.name, machines.accelerator.name)
    if csv is not None:
        write(csv, points_csv(result))
    if html is not None:
        write(html, serving_html(result, *names, lang))
    if launch is not None:
        started = api.launch_of(result.best.deployment, asked.input_tokens + asked.output_tokens)
        write(launch, yaml_text(started.model_dump(mode="json", exclude_defaults=True)))
    answer(result, json_file, search_text(result, *names, lang))
    for name, path in (("points", csv), ("page", html), ("launch", launch)):
        if path is not None:
            say(f"{name}: {path}")


def _requests(given: Mapping[str, Any]) -> Requests:
    from myriad.spec.base import Count, Fraction
    from myriad.spec.serving import Requests

    return Requests(
        input_tokens=read_flag("--input", given["input_tokens"], Count),
        output_tokens=read_flag("--output", given["output_tokens"], Count),
        cached_fraction=read_flag("--cached", given["cached"], Fraction),
    )


_LAYOUT = ("tp", "pp", "dp", "ep")
_WORK = ("engine", "precision", "expert_precision", "kv_precision", "max_sequences", "max_batched_tokens")


def _deployment(given: Mapping[str, Any]) -> Deployment:
    """The deployment of the file or of the options."""
    from myriad.catalog import read_spec
    from myriad.spec.serving import Deployment

    own = [*_LAYOUT, *_WORK, "replicas", *(f"prefill_{name}" for name in (*_LAYOUT, "replicas"))]
    if "deployment" in given:
        for name in ("model", *own):
            if name in given:
                raise SpecError(f"--{name.replace('_', '-')}: does not go with --deployment")
        return read_spec(given["deployment"], Deployment)
    for name in ("model", "cluster"):
        if name not in given:
            raise SpecError(f"--{name}: is missing; give it, or a file as --deployment")
    return Deployment(
        model=given["model"],
        accelerator=given["cluster"].partition(":")[0],
        replicas=_replicas(given, ""),
        prefill=_replicas(given, "prefill_") if any(name.startswith("prefill_") for name in given) else None,
    )


def _replicas(given: Mapping[str, Any], prefix: str) -> Replicas:
    from myriad.spec.base import Count
    from myriad.spec.serving import Replicas, ServingLayout, ServingWork

    sizes = {name: given[prefix + name] for name in _LAYOUT if prefix + name in given}
    try:
        layout = read_flags(ServingLayout, sizes)
    except SpecError as error:
        raise SpecError(str(error).replace("--", f"--{prefix.replace('_', '-')}", 1)) from None
    # What bounds a batch is a matter of replicas that decode.
    names = [name for name in _WORK if name in given and not (prefix and name == "max_sequences")]
    flag = f"--{prefix.replace('_', '-')}replicas"
    return Replicas(
        layout=layout,
        work=read_flags(ServingWork, {name: given[name] for name in names}),
        count=read_flag(flag, given.get(f"{prefix}replicas", "1"), Count),
    )


def _cluster(name: str | None, fabric: str | None, deployment: Deployment) -> Cluster:
    """The cluster that is named, else as many accelerators as the deployment takes."""
    if name is not None:
        return read_cluster(name, fabric)
    return read_cluster(f"{deployment.accelerator}:{deployment.gpus}", fabric, "--deployment")


def _names(flag: str, text: str | None, field: str) -> tuple[Any, ...] | None:
    """Names separated by commas, each one that the field of `ServingWork` may have."""
    from myriad.spec.serving import ServingWork

    if text is None:
        return None
    found = []
    for name in (part.strip() for part in text.split(",")):
        with at(flag):
            try:
                found.append(getattr(read_flags(ServingWork, {field: name}), field))
            except SpecError as error:
                raise SpecError(str(error).partition(": ")[2]) from None
    return tuple(found)


def _positive(flag: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise SpecError(f"{flag}: found {text!r}, expected a number above 0")
    return number
