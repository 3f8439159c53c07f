"""`myriad serving simulate`: requests one by one through the replicas of a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli.options import MODEL, ClusterName, JsonFile, LanguageCode, at, check_language, read_flag, read_flags
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.sim.serving import Arrivals
    from myriad.spec.fleet import Fleet, ReplicaPool
    from myriad.spec.serving import Deployment

EXAMPLES: Final = """\b
Examples:
  myriad serving simulate --model qwen3-32b --cluster h200:8 --tp 2
    --trace trace.csv --ttft 2s --tpot 50ms
  myriad serving simulate --model qwen3-32b --cluster h200:8 --tp 2 --rate 3
    --input-tokens 4k --output-tokens 500 --variation 1 --requests 5000
  myriad serving simulate --model qwen3-32b --cluster h200:8 --tp 2
    --prefill 1 --concurrency 64 --input-tokens 4k --output-tokens 500
  myriad serving simulate --model qwen3-32b --cluster h200:8 --tp 2
    --trace trace.csv --target-requests 32 --mtbf 12h --repair 10min"""


def _option(help_text: str, metavar: str = "COUNT", **more: Any) -> Any:
    return typer.Option(metavar=metavar, help=help_text, **more)


def simulate(
    model: Annotated[str, MODEL],
    cluster: ClusterName,
    tp: Annotated[str | None, _option("Tensor parallel size of a replica.")] = None,
    pp: Annotated[str | None, _option("Pipeline stages of a replica.")] = None,
    dp: Annotated[str | None, _option("Copies of attention in a replica.")] = None,
    ep: Annotated[str | None, _option("Groups of ranks that own different experts.")] = None,
    prefill: Annotated[str | None, _option("Replicas that only prefill; the others decode.")] = None,
    link: Annotated[str | None, _option("Of a prefill replica (default: its scale-out links).", "BANDWIDTH")] = None,
    engine: Annotated[str | None, _option("Serving engine: vllm (default), sglang, ...", "NAME")] = None,
    precision: Annotated[str | None, _option("bf16 (default), fp8, nvfp4, ...", "NAME")] = None,
    kv_precision: Annotated[str | None, _option("Of the cache: bf16 (default), fp8, int4.", "NAME")] = None,
    max_sequences: Annotated[str | None, _option("Most requests at once on a copy.")] = None,
    max_batched_tokens: Annotated[str | None, _option("Most tokens of an iteration of a copy.")] = None,
    batching: Annotated[str | None, _option("chunked (default) or prefill-first.", "NAME")] = None,
    router: Annotated[str | None, _option("least-loaded (default), round-robin, prefix-aware.", "NAME")] = None,
    target_requests: Annotated[
        str | None, _option("Start and stop replicas, aiming at so many unfinished requests on each.", "NUMBER")
    ] = None,
    least_replicas: Annotated[str | None, _option("Replicas of each kind that always run (default: 1).")] = None,
    start_up: Annotated[str | None, _option("Until a started replica answers (default: 2 min).", "TIME")] = None,
    mtbf: Annotated[str | None, _option("Mean time of one replica until it fails (default: never).", "TIME")] = None,
    repair: Annotated[str | None, _option("Of a failed replica.", "TIME")] = None,
    order: Annotated[str | None, _option("fcfs (default) or priority.", "NAME")] = None,
    prefix_cache: Annotated[bool | None, typer.Option("--prefix-cache/--no-prefix-cache", help="Default on.")] = None,
    trace: Annotated[Path | None, _option("Requests: Azure, Mooncake or own, .csv or .jsonl(.gz).", "FILE")] = None,
    speed: Annotated[float, _option("How many times as fast the trace comes.", "FACTOR")] = 1.0,
    rate: Annotated[float | None, _option("Requests per second, drawn.", "RATE")] = None,
    burst: Annotated[
        float, _option("Variation of their gaps: 1 Poisson (default), 0 a clock, above 1 bursts.", "RATIO")
    ] = 1.0,
    concurrency: Annotated[str | None, _option("Clients of a closed loop, in place of times.")] = None,
    requests: Annotated[str, _option("Requests to draw.")] = "2000",
    input_tokens: Annotated[str | None, _option("Mean prompt tokens of drawn requests.")] = None,
    output_tokens: Annotated[str | None, _option("Mean output tokens of drawn requests.")] = None,
    variation: Annotated[float, _option("Standard deviation of both over the mean.", "RATIO")] = 0.0,
    ttft: Annotated[str | None, _option("Promised time to the first token.", "TIME")] = None,
    tpot: Annotated[str | None, _option("Promised time per output token after it.", "TIME")] = None,
    percentile: Annotated[float, _option("Of requests that the promise holds for.", "PERCENT")] = 95.0,
    warm_up: Annotated[float, _option("Share of the first requests that is not counted.", "SHARE")] = 0.0,
    seed: Annotated[int, _option("Of what is drawn.")] = 0,
    out: Annotated[Path | None, _option("Write every request: .csv or .jsonl.", "FILE")] = None,
    html: Annotated[Path | None, _option("Write a page with charts.", "FILE")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Simulate requests one by one: queues, batches, caches, replicas."""
    given = {name: value for name, value in locals().items() if value is not None}
    check_language(lang)
    check_outputs({"--out": out, "--html": html, "--json": json_file}, *([trace] if trace is not None else []))
    from myriad import api, catalog
    from myriad.report.serving_simulation_page import simulation_html
    from myriad.report.serving_simulation_text import serving_simulation_text
    from myriad.sim.serving import records_text
    from myriad.sim.serving.records import FORMATS
    from myriad.spec.base import BytesPerS
    from myriad.spec.fleet import Fleet, Link, ReplicaPool
    from myriad.spec.serving import Objective

    if out is not None and out.suffix not in FORMATS:
        raise SpecError(f"--out: {out}: expected a name that ends with {' or '.join(FORMATS)}")
    if not 0 <= warm_up < 1:
        raise SpecError(f"--warm-up: found {warm_up:g}, expected a share from 0 to below 1")
    with at("--model"):
        named = catalog.model(model)
    with at("--cluster"):
        machines = catalog.cluster(cluster)
    deployment = _deployment(given, machines.num_accelerators, machines.accelerator_id)
    like = read_flags(
        ReplicaPool, {name: given[name] for name in ("batching", "router", "prefix_cache") if name in given}
    )
    between = None if link is None else Link(bandwidth=read_flag("--link", link, BytesPerS))
    fleet = _living(given, api.fleet_of(machines, deployment, like, between))
    if order is not None:
        fleet = read_flags(Fleet, {**fleet.model_dump(), "order": order})
    limits: dict[str, Any] = {name: given[name] for name in ("ttft", "tpot") if name in given}
    objective = read_flags(Objective, {**limits, "percentile": percentile}) if limits else None
    arrivals = _arrivals(given)
    label = f"simulating {model}"
    with progress(label, rate="requests/s") as step:
        simulated = api.simulate_serving(
            model, machines, deployment, arrivals, objective, fleet, seed, warm_up, step(label)
        )
    if out is not None:
        write(out, records_text(simulated.records, out.suffix))
    if html is not None:
        write(html, simulation_html(simulated.result, named.name, machines.accelerator.name, lang))
    answer(simulated.result, json_file, serving_simulation_text(simulated.result, lang))
    if html is not None:
        say(f"page: {html}")


def _deployment(given: Mapping[str, Any], gpus: int, accelerator_id: str) -> Deployment:
    """Replicas of the layout on all accelerators; with `--prefill`, so many of them only prefill."""
    from myriad import catalog
    from myriad.spec.base import Count
    from myriad.spec.serving import Deployment, Replicas, ServingLayout, ServingWork

    layout = read_flags(ServingLayout, {name: given[name] for name in ServingLayout.model_fields if name in given})
    work = read_flags(ServingWork, {name: given[name] for name in ServingWork.model_fields if name in given})
    with at("--engine"):
        catalog.engine(work.engine)
    if gpus % layout.gpus:
        raise SpecError(
            f"--cluster: {gpus} accelerators are not a whole number of replicas of {layout.gpus} ({layout.text()})"
        )
    count = gpus // layout.gpus
    of_prefill = read_flag("--prefill", given["prefill"], Count) if "prefill" in given else 0
    if of_prefill >= count:
        raise SpecError(f"--prefill: {of_prefill} of {count} replicas leave none to decode")
    if "link" in given and not of_prefill:
        raise SpecError("--link: goes with --prefill")
    return Deployment(
        model=given["model"],
        accelerator=accelerator_id,
        replicas=Replicas(layout=layout, work=work, count=count - of_prefill),
        prefill=Replicas(layout=layout, work=work, count=of_prefill) if of_prefill else None,
    )


def _living(given: Mapping[str, Any], fleet: Fleet) -> Fleet:
    """The fleet, whose replicas start and stop with the load, fail and are repaired, where that is asked for."""
    from myriad.spec.base import Count
    from myriad.spec.fleet import Autoscaling, Failures

    def pool(steady: ReplicaPool) -> ReplicaPool:
        more: dict[str, Any] = {}
        if "target_requests" in given:
            named = {"target_requests": given["target_requests"], "least": given.get("least_replicas", 1)}
            named |= {name: given[name] for name in ("start_up",) if name in given}
            if not (least := read_flag("--least-replicas", str(named["least"]), Count)) <= steady.replicas:
                raise SpecError(f"--least-replicas: found {least}, there are {steady.replicas}")
            more["autoscaling"] = read_flags(Autoscaling, {**named, "most": steady.replicas})
        if "mtbf" in given:
            more["failures"] = read_flags(Failures, {"mtbf": given["mtbf"], "repair": given["repair"]})
        return steady.model_copy(update=more)

    for flag, needed in (
        ("least_replicas", "target_requests"), ("start_up", "target_requests"), ("mtbf", "repair"), ("repair", "mtbf"),
    ):  # fmt: skip
        if flag in given and needed not in given:
            raise SpecError(f"--{flag.replace('_', '-')}: goes with --{needed.replace('_', '-')}")
    pools = {name: pool(value) for name in ("replicas", "prefill") if (value := getattr(fleet, name)) is not None}
    return fleet.model_copy(update=pools)


def _arrivals(given: Mapping[str, Any]) -> Arrivals:
    """The requests: of a trace or drawn; with `--concurrency` in a closed loop."""
    import numpy as np

    from myriad.sim.serving.arrivals import Arrivals, closed_loop, gamma_s, lengths, sped_up
    from myriad.sim.serving.traces import read_trace
    from myriad.spec.base import Count

    ways = [name for name in ("trace", "rate") if name in given]
    clients = read_flag("--concurrency", given["concurrency"], Count) if "concurrency" in given else None
    if len(ways) > 1 or (not ways and clients is None) or ("rate" in given and clients is not None):
        raise SpecError("expected one of --trace, --rate and --concurrency (a trace may go with --concurrency)")
    for name in ("speed", "rate"):
        if name in given and not 0 < given[name] < 1e12:
            raise SpecError(f"--{name}: found {given[name]:g}, expected more than 0")
    for name in ("burst", "variation"):
        if not 0 <= given[name] <= 100:
            raise SpecError(f"--{name}: found {given[name]:g}, expected 0 to 100")
    if "trace" in given:
        with at("--trace"):
            found = sped_up(read_trace(given["trace"]), given["speed"])
        return found if clients is None else closed_loop(found, clients)
    for name in ("input_tokens", "output_tokens"):
        if name not in given:
            raise SpecError(f"--{name.replace('_', '-')}: is missing; drawn requests need it")
    generator = np.random.default_rng([given["seed"], 0])
    number = read_flag("--requests", given["requests"], Count)
    times = np.zeros(number) if clients else gamma_s(given["rate"], given["burst"], number, generator)
    return Arrivals(
        arrival_s=times,
        input_tokens=lengths(
            read_flag("--input-tokens", given["input_tokens"], Count), given["variation"], number, generator
        ),
        output_tokens=lengths(
            read_flag("--output-tokens", given["output_tokens"], Count), given["variation"], number, generator
        ),
        concurrency=clients,
    )
