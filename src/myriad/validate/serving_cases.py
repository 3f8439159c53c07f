"""From a row to what the serving estimate needs: model, cluster, deployment, requests; or why that cannot be.

Rules, in this order. Each that fills something in is noted in `ServingCase.assumed`.

- A row that is not `primary`, or prints neither latency nor throughput, is not judged.
- The model is the catalog's; what a name says of a checkpoint (`-FP8`, `-Instruct`, an owner before `/`) is left off.
- The mode is the row's: closed loop, offline (more requests wait than fit), prefill or decode alone.
- Sizes that the parallelism leaves out are 1; those of InferenceX are divided where its tables multiply them
  (`serving_conventions`). Whatever `gpus` says beyond one replica is more of the same, and shares the load.
- A disaggregated deployment must say how many replicas prefill and decode.
- Throughput is the row's; where a closed loop prints latencies only, it follows from them:
  load x output / (TTFT + (output - 1) x TPOT).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

import myriad.catalog as catalog
from myriad.errors import MissingDataError, SpecError
from myriad.estimate.parameters import model_parameters
from myriad.spec.cluster import Cluster
from myriad.spec.model import Model
from myriad.spec.serving import Deployment, Replicas, Requests, ServingLayout, ServingWork
from myriad.spec.system import Pool
from myriad.validate import serving_conventions as conventions
from myriad.validate.errors import SkipError
from myriad.validate.serving_layouts import disaggregated, sizes_of
from myriad.validate.serving_precisions import cache_precision, precisions
from myriad.validate.serving_rows import ServingRow

Mode = Literal["closed-loop", "offline", "prefill", "decode"]


@dataclass(frozen=True)
class ServingMeasured:
    """What a row prints, `None` where it does not."""

    ttft_s: float | None
    tpot_s: float | None
    tokens_per_s_per_gpu: float | None
    """Output tokens; of prefill alone, prompt tokens."""
    throughput_from: str
    """How it was found; empty without."""


@dataclass(frozen=True)
class ServingCase:
    """A row made whole."""

    row: ServingRow
    model: Model
    cluster: Cluster
    deployment: Deployment
    requests: Requests
    mode: Mode
    concurrency: int | None
    """Requests at once over all replicas; `None` where more wait than fit."""
    varied_lengths: bool
    """Whether lengths differ from request to request, so that the ends of requests spread."""
    rounds: float
    """Requests per place of the concurrency that were measured."""
    release: str
    """Of the engine, as the row names it; empty where it does not."""
    measured: ServingMeasured
    assumed: tuple[str, ...]


_SUFFIXES: Final = re.compile(
    r"[-_](instruct|chat|it|base|hf|nvfp4|mxfp4|fp4|fp8|int4|int8|awq|gptq|w4a16|bf16|dynamic|block|v\d|\d{4})$",
    re.IGNORECASE,
)


def _model(name: str) -> Model:
    candidate = name.partition(" (")[0]
    shorter = candidate.rpartition("/")[2]
    while True:
        for one in (candidate, shorter):
            if catalog.find("models", one) is not None:
                return catalog.model(one)
        candidate, before = _SUFFIXES.sub("", shorter), shorter
        shorter = candidate
        if candidate == before:
            raise SkipError(f"the catalog lacks the model {name}")


def _accelerator(name: str) -> str:
    if "undisclosed" in name:
        raise SkipError("the accelerator is not disclosed")
    candidate = name.partition(" (")[0]
    for pattern in (r"$", r"-\d+GB$", r"-NVL\d+$", r"-SXM\d?$"):
        candidate = re.sub(pattern, "", candidate, flags=re.IGNORECASE)
        found = catalog.find("accelerators", candidate)
        if found is not None:
            return found
    raise SkipError(f"the catalog lacks the accelerator {name}")


def _cluster(row: ServingRow, accelerator: str, num_gpus: int) -> Cluster:
    node_name = catalog.accelerator(accelerator).default_node
    if node_name is None:
        raise SkipError(f"the catalog has no node with {accelerator}")
    size = catalog.node(node_name).num_accelerators
    whole = num_gpus if num_gpus < size else -(-num_gpus // size) * size
    try:
        return catalog.cluster_of(row.id, Pool(accelerator=accelerator, count=whole))
    except (SpecError, MissingDataError) as reason:
        raise SkipError(str(reason).partition(": ")[2]) from None


def _mode(row: ServingRow) -> Mode:
    text = row.mode.lower()
    if "offline" in text:
        return "offline"
    if "phase" not in text:
        return "closed-loop"
    phases: tuple[Mode, ...] = ("prefill", "decode")
    named = [phase for phase in phases if re.search(rf"\b{phase}\b", row.parallelism, re.IGNORECASE)]
    if len(named) != 1:
        raise SkipError("one phase alone, but the row does not say which")
    return named[0]


def _concurrency(row: ServingRow, mode: Mode, attention_copies: int) -> int | None:
    if mode in ("offline", "prefill"):
        return None
    if match := re.fullmatch(r"(\d+)(?:\.0)?", row.load):
        return int(match[1]) or None
    if match := re.fullmatch(r"batch (\d+) per DP rank", row.load):
        return int(match[1]) * attention_copies
    raise SkipError("the load is not stated as a count of requests at once")


def _aggregated(row: ServingRow, model: Model) -> tuple[ServingLayout, int, int, str]:
    """Layout and count of the replicas, GPUs that figures are printed for, and what was assumed."""
    stated = sizes_of(row.parallelism)
    if not any((stated.tp, stated.pp, stated.dp, stated.ep)):
        raise SkipError("the layout is not stated")
    if conventions.names_all_gpus(row, stated):
        raise SkipError("disaggregated, but the source says no more than how many GPUs there are in all")
    sizes, divided, assumed = conventions.replica_sizes(row, stated)
    layout = sizes.layout(model)
    total = conventions.deployment_gpus(row)
    total = layout.gpus if total is None else total
    if divided > 1 and total == layout.gpus * divided:
        total = layout.gpus
    count, left = divmod(total, layout.gpus)
    if left:
        raise SkipError("the row contradicts itself: gpus is no multiple of tp x pp x dp")
    return layout, count, total, assumed


def _batch_for_load(row: ServingRow) -> bool:
    return "batch_size used" in row.notes


def _measured(
    row: ServingRow, mode: Mode, requests: Requests, concurrency: int | None, num_gpus: int
) -> ServingMeasured:
    if _batch_for_load(row):
        found = ServingMeasured(None, row.tpot_s, None, "")
    else:
        found = ServingMeasured(row.ttft_s, row.tpot_s, *_throughput(row, mode, requests, concurrency, num_gpus))
    if found.tokens_per_s_per_gpu is None and found.ttft_s is None and found.tpot_s is None:
        raise SkipError("neither latency nor throughput is printed")
    return found


def _throughput(
    row: ServingRow, mode: Mode, requests: Requests, concurrency: int | None, num_gpus: int
) -> tuple[float | None, str]:
    if mode == "prefill":
        return row.total_tokens_per_s_per_gpu, "prompt tokens/s"
    if row.output_tokens_per_s_per_gpu:
        return row.output_tokens_per_s_per_gpu, "output tokens/s"
    if row.total_tokens_per_s_per_gpu:
        share = requests.output_tokens / (requests.input_tokens + requests.output_tokens)
        return row.total_tokens_per_s_per_gpu * share, "tokens/s of prompt and output"
    if mode == "closed-loop" and concurrency and row.ttft_s and row.tpot_s:
        request_s = row.ttft_s + (requests.output_tokens - 1) * row.tpot_s
        return concurrency * requests.output_tokens / request_s / num_gpus, "load and latencies"
    return None, ""


def _check_rate(measured: ServingMeasured, mode: Mode, model: Model, requests: Requests, accelerator: str) -> None:
    """Raises SkipError where the rate takes more FLOP/s than the accelerator has in its narrowest precision.

    Such a row names the load of several replicas and the GPUs of one.
    """
    known = catalog.accelerator(accelerator)
    peaks = (known.fp4_flops_per_s, known.fp8_flops_per_s, known.bf16_flops_per_s, known.fp16_flops_per_s)
    peak = next((rate for rate in peaks if rate is not None), None)
    if measured.tokens_per_s_per_gpu is None or peak is None:
        return
    per_output = 1.0 if mode == "prefill" else (requests.input_tokens + requests.output_tokens) / requests.output_tokens
    counts = model_parameters(model)
    flops_per_token = 2.0 * (counts.active_without_embedding - counts.head)
    if measured.tokens_per_s_per_gpu * per_output * flops_per_token > peak:
        raise SkipError("the row contradicts itself: such a rate takes more FLOP/s than its GPUs have")


def case_of(row: ServingRow) -> ServingCase:
    """The row made whole by the rules above. Raises SkipError with the reason."""
    if row.quality != "primary":
        raise SkipError(f"quality is {row.quality}, not primary")
    accelerator, model, mode = _accelerator(row.accelerator), _model(row.model), _mode(row)
    pools = disaggregated(row.parallelism)
    prefill: ServingLayout | None = None
    prefill_count, layouts_note = 0, ""
    if pools is None:
        layout, count, num_gpus, layouts_note = _aggregated(row, model)
    else:
        prefill, layout = (pool.sizes.layout(model) for pool in pools)
        prefill_count, count = (pool.count for pool in pools)
        num_gpus = prefill.gpus * prefill_count + layout.gpus * count
        if row.num_gpus not in (None, num_gpus):
            raise SkipError("the row contradicts itself: gpus is not the sum over its replicas")
    prompt, output, varied, lengths_note = conventions.mean_lengths(row)
    if prompt is None or (output is None and mode != "prefill"):
        raise SkipError("the lengths of prompt and output are not stated")
    requests = Requests(input_tokens=prompt, output_tokens=output or 1)
    concurrency = _concurrency(row, mode, layout.dp * count)
    engine, release = conventions.engine(row)
    work, work_notes = _work(row, model, accelerator, engine, release, data_parallel=layout.dp > 1)
    measured = _measured(row, mode, requests, concurrency, num_gpus)
    _check_rate(measured, mode, model, requests, accelerator)
    notes = [layouts_note, lengths_note, *work_notes]
    if _batch_for_load(row):
        notes.append("load: the size of the batch, as the source does not state it; TPOT alone is judged")
    return ServingCase(
        row=row,
        model=model,
        cluster=_cluster(row, accelerator, num_gpus),
        deployment=Deployment(
            model=row.model,
            accelerator=accelerator,
            replicas=Replicas(layout=layout, work=work, count=count),
            prefill=None if prefill is None else Replicas(layout=prefill, work=work, count=prefill_count),
        ),
        requests=requests,
        mode=mode,
        concurrency=concurrency,
        varied_lengths=varied,
        rounds=conventions.rounds(row),
        release=release,
        measured=measured,
        assumed=tuple(note for note in notes if note),
    )


def _work(
    row: ServingRow, model: Model, accelerator: str, engine: str, release: str, data_parallel: bool
) -> tuple[ServingWork, list[str]]:
    try:
        releases = catalog.engine(engine).releases
    except SpecError:
        raise SkipError(f"the catalog lacks the serving engine {engine}") from None
    known_release = conventions.newest_not_newer(release, releases)
    known = catalog.accelerator(accelerator)
    found = precisions(row, model, known.vendor)
    has_fp4 = known.fp4_flops_per_s is not None
    cache, cache_note = cache_precision(row, engine, found.quantised, has_fp4)
    speculation, speculation_note = conventions.speculation(row, model, engine, release, data_parallel)
    interval, interval_note = conventions.stream_interval(row, engine)
    balance, balance_note = conventions.balance_iterations(row, engine, data_parallel)
    work = ServingWork(
        engine=f"{engine}@{known_release}" if known_release else engine,
        precision=found.dense,
        expert_precision=found.experts,
        attention_precision=found.attention,
        kv_precision=cache,
        speculation=speculation,
        stream_interval=interval,
        balance_iterations=balance,
    )
    return work, [*found.assumed, cache_note, speculation_note, interval_note, balance_note]
