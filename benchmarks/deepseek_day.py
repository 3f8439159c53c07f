"""DeepSeek's published day of February 2025 beside its plan: `python benchmarks/deepseek_day.py`.

Published: "DeepSeek-V3/R1 Inference System Overview", deepseek-ai/open-infra-index, day 6. Its rates per node are means
over a day in which the number of nodes followed the load; those of the plan are what nodes can do at full use.
"""

from __future__ import annotations

import sys
from pathlib import Path

import myriad
from myriad.units import DAY_S

EXAMPLE = Path(__file__).parents[1] / "examples" / "deepseek-day.yaml"
GPUS_OF_A_NODE = 8
USD_PER_GPU_HOUR = 2.0
INPUT_TOKENS, CACHED_TOKENS, OUTPUT_TOKENS = 608e9, 342e9, 168e9

PUBLISHED = {
    "prefill, input tokens/s per node": 73_700.0,
    "decode, output tokens/s per node": 14_800.0,
    "nodes, mean of the day": 226.75,
    "nodes, peak": 278.0,
    "cost of the day, USD": 87_072.0,
    "revenue of the day, USD": 562_027.0,
    "revenue over cost, less one": 5.45,
}


def predicted() -> dict[str, float]:
    """The same figures by the plan of the example. Nodes of the mean load are counted without rounding to units."""
    (service,) = myriad.plan(EXAMPLE).services
    assert service.chosen is not None
    estimate, cost = service.chosen.estimate, service.chosen.cost
    assert estimate is not None
    assert estimate.deployment.prefill is not None
    assert cost is not None
    taken = estimate.requests_per_s * estimate.requests.input_tokens / estimate.prefill_share
    prefill = taken / (estimate.deployment.prefill.gpus / GPUS_OF_A_NODE)
    decode = estimate.output_tokens_per_s / (estimate.deployment.replicas.gpus / GPUS_OF_A_NODE)
    nodes = INPUT_TOKENS / DAY_S / prefill + OUTPUT_TOKENS / DAY_S / decode
    day_usd = nodes * GPUS_OF_A_NODE * 24 * USD_PER_GPU_HOUR
    listed = cost.list_prices[0].usd
    assert listed.cached is not None
    new_tokens = INPUT_TOKENS - CACHED_TOKENS
    revenue = (new_tokens * listed.input + CACHED_TOKENS * listed.cached + OUTPUT_TOKENS * listed.output) / 1e6
    figures = (
        prefill, decode, nodes, service.chosen.num_gpus / GPUS_OF_A_NODE, day_usd, revenue, revenue / day_usd - 1.0,
    )  # fmt: skip
    return dict(zip(PUBLISHED, figures, strict=True))


def main() -> None:
    found = predicted()
    lines = [f"{'':34}{'published':>12}{'predicted':>12}{'ratio':>8}"]
    for name, published in PUBLISHED.items():
        ours = found[name]
        lines.append(f"{name:34}{published:12,.6g}{ours:12,.6g}{ours / published:8.2f}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
