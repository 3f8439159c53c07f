"""The simulation in a closed loop against the steady state: two ways to the same answer."""

from __future__ import annotations

import numpy as np
import pytest

from myriad.api.serving import estimate_serving
from myriad.api.simulate_serving import simulate_serving
from myriad.sim.serving.arrivals import Arrivals, closed_loop, lengths
from myriad.spec.serving import Deployment, Replicas, Requests, ServingLayout, ServingWork

VLLM = ServingWork(engine="vllm", precision="fp8")
SGLANG = ServingWork(engine="sglang", precision="fp8-block")
TRTLLM = ServingWork(engine="trtllm", precision="nvfp4", kv_precision="fp8")


@pytest.mark.parametrize(
    ("model", "accelerator", "work", "layout", "prompt", "output", "concurrency"),
    [
        ("qwen3-32b", "h200-sxm", VLLM, ServingLayout(tp=4), 4000, 300, 16),
        ("llama3-70b", "b200-sxm", TRTLLM, ServingLayout(tp=4), 1000, 400, 24),
        ("deepseek-v3", "b200-sxm", SGLANG, ServingLayout(tp=8, ep=8), 2000, 400, 16),
    ],
)
def test_a_closed_loop_takes_the_steady_state(model, accelerator, work, layout, prompt, output, concurrency):
    deployment = Deployment(model=model, accelerator=accelerator, replicas=Replicas(layout=layout, work=work))
    count, generator = 20 * concurrency, np.random.default_rng(0)
    drawn = Arrivals(np.zeros(count), lengths(prompt, 0.1, count, generator), lengths(output, 0.1, count, generator))
    simulated = simulate_serving(
        model, f"{accelerator}:8", deployment, closed_loop(drawn, concurrency), warm_up=0.3
    ).result
    requests = Requests(input_tokens=prompt, output_tokens=output)
    steady = estimate_serving(model, f"{accelerator}:8", deployment, requests, concurrency)
    assert simulated.tpot is not None
    assert steady.tpot_s == pytest.approx(simulated.tpot.mean.value, rel=0.04)
    assert steady.requests_per_s == pytest.approx(simulated.requests_per_s, rel=0.05)
