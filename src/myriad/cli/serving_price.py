"""`myriad serving price`: what tokens cost, models by accelerators, beside what they sell for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, LanguageCode, check_language, read_flag, read_flags
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.serving import ServingWork

EXAMPLES: Final = """\b
Examples:
  myriad serving price --model mimo-v2-flash --cluster h100:64,h200:64
    --input 4000 --output 1000 --cached 50% --ttft 2s --tpot 50ms
  myriad serving price --model deepseek-v3,gpt-oss-120b --cluster h800:128
    --precision fp8-block,bf16/mxfp4 --input 4000 --output 1000
    --utilisation 60% --html price.html"""


def price(
    model: Annotated[
        str, typer.Option(metavar="NAMES", help="Models of the catalog: A,B.", autocompletion=completion.models)
    ],
    cluster: Annotated[
        str,
        typer.Option(
            metavar="NAME:COUNT,...",
            help="Accelerators, and how many a deployment may use: h100:64,h200:64.",
            autocompletion=completion.clusters,
        ),
    ],
    input_tokens: Annotated[str, typer.Option("--input", metavar="COUNT", help="Input tokens of a request.")],
    output_tokens: Annotated[str, typer.Option("--output", metavar="COUNT", help="Output tokens of a request.")],
    cached: Annotated[str, typer.Option(metavar="SHARE", help="Share of the input found in the cache.")] = "0",
    utilisation: Annotated[
        str, typer.Option(metavar="SHARE", help="Share of the capacity that is used (default 100%).")
    ] = "1",
    ttft: Annotated[str | None, typer.Option(metavar="TIME", help="Promised time to the first token: 2s.")] = None,
    tpot: Annotated[str | None, typer.Option(metavar="TIME", help="Promised time per token after it: 50ms.")] = None,
    percentile: Annotated[str, typer.Option(metavar="NUMBER", help="Of requests that keep the promise.")] = "95",
    engine: Annotated[str, typer.Option(metavar="NAME", help="Serving engine of the catalog.")] = "vllm",
    precision: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Of all models, or one for each: fp8-block,bf16/mxfp4 (experts after the slash)."
        ),
    ] = "bf16",
    kv_precision: Annotated[str, typer.Option(metavar="NAME", help="Of the cache: bf16, fp8 or int4.")] = "bf16",
    gpu_price: Annotated[
        str | None,
        typer.Option(
            "--price",
            metavar="PRICES",
            help='Of all clusters, or one for each: "2 USD/GPU-h" (default: the catalog\'s).',
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with charts.")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Price tokens: cost per million on each accelerator, beside list prices of the catalog."""
    check_language(lang)
    check_outputs({"--html": html, "--json": json_file})
    from myriad import api, catalog
    from myriad.report.price_page import price_html
    from myriad.report.price_text import price_text
    from myriad.spec.base import Count, Fraction, Seconds
    from myriad.spec.money import PerGpuSecond
    from myriad.spec.serving import Objective, Requests
    from myriad.units import HOUR_S

    requests = Requests(
        input_tokens=read_flag("--input", input_tokens, Count),
        output_tokens=read_flag("--output", output_tokens, Count),
        cached_fraction=read_flag("--cached", cached, Fraction),
    )
    share = read_flag("--utilisation", utilisation, Fraction)
    if not share:
        raise SpecError("--utilisation: expected a share above 0")
    limits = {"ttft": ttft, "tpot": tpot}
    promised = {name: read_flag(f"--{name}", text, Seconds) for name, text in limits.items() if text is not None}
    objective = read_flags(Objective, {**promised, "percentile": percentile})
    rates = {"USD": 1.0, **catalog.usd_per_currency()}
    prices = None
    if gpu_price is not None:
        prices = [read_flag("--price", one, PerGpuSecond).usd(rates) * HOUR_S for one in gpu_price.split(",")]
    models, clusters = _listed("--model", model), _listed("--cluster", cluster)
    works = [_work(engine, one, kv_precision) for one in _listed("--precision", precision)]
    for flag, count, given in (("--precision", len(works), models), ("--price", len(prices or [0]), clusters)):
        if count not in (1, len(given)):
            raise SpecError(f"{flag}: expected one for all, or one for each of {len(given)}, found {count}")
    with progress("pricing") as step:
        result = api.price_check(models, clusters, requests, objective, share, works, prices, progress=step("pricing"))
    if html is not None:
        write(html, price_html(result, lang))
    answer(result, json_file, price_text(result, lang))
    if html is not None:
        say(f"page: {html}")


def _listed(flag: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise SpecError(f"{flag}: expected names separated by commas, found {text!r}")
    return names


def _work(engine: str, precision: str, kv_precision: str) -> ServingWork:
    from myriad import catalog
    from myriad.cli.options import at
    from myriad.spec.serving import ServingWork

    dense, _, experts = precision.partition("/")
    given = {"engine": engine, "precision": dense, "kv_precision": kv_precision}
    work = read_flags(ServingWork, {**given, **({"expert_precision": experts} if experts else {})})
    with at("--engine"):
        catalog.engine(work.engine)
    return work
