"""What texts and pages show of serving that no result holds as such: short names, memory by use, who is behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from myriad.report.language import Language
from myriad.report.numbers import Numbers, significant
from myriad.spec.serving import Deployment, Objective, Replicas
from myriad.spec.serving_result import ServingEstimate
from myriad.spec.serving_search import RankedDeployment, ServingSearch

#: What accelerators spend their time on, in the order of reports.
SPENT_PARTS: Final = (
    "gemm", "expert_gemm", "attention", "recurrent", "memory_bound", "head", "tp_comm", "ep_comm", "pp_comm", "host",
    "prefill",
)  # fmt: skip
MEMORY_USES: Final = ("weights", "work", "cache", "spare")


def deployment_text(deployment: Deployment) -> str:
    """A short name: `4 x TP2`, or `5P TP2 PP4 + 3D TP1 DP8 EP8` with prefill apart."""
    if deployment.prefill is None:
        return f"{deployment.replicas.count} x {deployment.replicas.layout.text()}"
    before, after = deployment.prefill, deployment.replicas
    return f"{before.count}P {before.layout.text()} + {after.count}D {after.layout.text()}"


def precision_text(replicas: Replicas) -> str:
    """Weights and cache: `fp8, KV bf16`."""
    return f"{replicas.work.precision}, KV {replicas.work.kv_precision}"


def dispatch_text(replicas: Replicas) -> str:
    """How tokens reach experts, where it is not the engine's default."""
    return replicas.work.dispatch or ""


def milliseconds(seconds: float, numbers: Numbers, like_s: float | None = None) -> str:
    """A time in milliseconds, without the unit."""
    return numbers.plain(1e3 * seconds, None if like_s is None else 1e3 * like_s)


def promise_text(objective: Objective, words: Language, numbers: Numbers) -> str:
    """What is promised: `TTFT 2 s, TPOT 50 ms at p95`, or that nothing is."""
    promised = [
        f"{name} {numbers.seconds(value)}"
        for name, value in (("TTFT", objective.ttft), ("TPOT", objective.tpot))
        if value is not None
    ]
    if not promised:
        return words("serving.no_promise")
    return words(
        "serving.promise", promises=words("words.comma").join(promised), percentile=f"{objective.percentile:g}"
    )


def deployment_words(deployment: Deployment, words: Language, numbers: Numbers) -> str:
    """A deployment in words: replicas, layouts, precisions, accelerators."""
    after, before = deployment.replicas, deployment.prefill
    values = {
        "count": numbers.integer(after.count),
        "layout": after.layout.text(),
        "precision": after.work.precision,
        "cache": after.work.kv_precision,
        "gpus": numbers.gpus(deployment.gpus),
    }
    if before is None:
        return words("serving.aggregated", **values)
    prefill = {"before": numbers.integer(before.count), "before_layout": before.layout.text()}
    return words("serving.disaggregated", **values, **prefill)


def memory_uses(estimate: ServingEstimate) -> dict[str, float]:
    """Bytes of one accelerator by use; `cache` is what the sequences at once take at the end of their answers."""
    memory = estimate.memory
    taken = min(max(memory.cache_bytes, 0.0), memory.sequence_bytes * estimate.batch)
    uses = {"weights": memory.weights_bytes, "work": memory.work_bytes, "cache": taken}
    return uses | {"spare": max(0.0, memory.capacity_bytes - sum(uses.values()))}


def behind(spent: Mapping[str, float], best: Mapping[str, float], count: int = 2) -> list[tuple[str, float]]:
    """What takes more accelerator time per token than in the best, as (part, seconds), below 0.5 % left out."""
    smallest_s = 5e-3 * sum(best.values())
    more = [(part, spent.get(part, 0.0) - best.get(part, 0.0)) for part in SPENT_PARTS]
    return sorted((item for item in more if item[1] > smallest_s), key=lambda item: -item[1])[:count]


def behind_text(row: RankedDeployment, best: RankedDeployment, words: Language) -> str:
    """What a deployment loses to the best, in microseconds of accelerator time per token."""
    if row is best:
        return words("serving.winner")
    if row.gpus < best.gpus and row.output_tokens_per_s_per_gpu >= best.output_tokens_per_s_per_gpu:
        return words("serving.idle")
    told = [
        f"{words(f'spent.{part}')} +{significant(1e6 * more, 2)}"
        for part, more in behind(row.gpu_time_parts_s, best.gpu_time_parts_s)
    ]
    return words("words.comma").join(told) or words("serving.as_good")


def rejections(search: ServingSearch) -> list[tuple[str, int]]:
    """Reasons with their counts, most frequent first."""
    return sorted(search.rejected.items(), key=lambda item: (-item[1], item[0]))
