"""Money of tokens: the parts make the whole, whatever the deployment, the mix of tokens and the utilisation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad import catalog
from myriad.api.serving import estimate_serving
from myriad.api.serving_money import serving_cost
from myriad.spec.serving import Deployment, Replicas, Requests, ServingLayout, ServingWork, Speculation

DAY_S = 86400.0


def _deployment(engine: str, apart: bool, drafted: int) -> Deployment:
    drafts = Speculation(draft_tokens=drafted, accepted_tokens=1 + 0.6 * drafted) if drafted else None
    work = ServingWork(engine=engine, speculation=drafts)
    each = Replicas(layout=ServingLayout(tp=2), work=work, count=2)
    prefill = Replicas(layout=ServingLayout(tp=1), work=work, count=3)
    return Deployment(model="llama3-8b", accelerator="h100-sxm", replicas=each, prefill=prefill if apart else None)


@settings(max_examples=25, deadline=None)
@given(
    engine=st.sampled_from(["vllm", "sglang"]),
    apart=st.booleans(),
    drafted=st.integers(0, 1),
    input_tokens=st.integers(1, 20_000),
    output_tokens=st.integers(1, 4_000),
    cached=st.floats(0.0, 1.0),
    concurrency=st.floats(1.0, 400.0),
    utilisation=st.floats(0.01, 1.0),
    price=st.floats(0.1, 20.0),
)
def test_tokens_of_a_day_cost_the_accelerators_of_a_day(
    engine, apart, drafted, input_tokens, output_tokens, cached, concurrency, utilisation, price
):
    model, cluster = catalog.model("llama3-8b"), catalog.cluster("h100:8")
    asked = Requests(input_tokens=input_tokens, output_tokens=output_tokens, cached_fraction=cached)
    deployment = _deployment(engine, apart, drafted)
    estimate = estimate_serving(model, cluster, deployment, asked, concurrency)
    cost = serving_cost(estimate, model, cluster, price, utilisation)

    requests_of_a_day = utilisation * estimate.requests_per_s * DAY_S
    new = max(input_tokens * (1 - cached), 1.0)
    usd = (
        requests_of_a_day
        / 1e6
        * (new * cost.usd.input + (input_tokens - new) * (cost.usd.cached or 0.0) + output_tokens * cost.usd.output)
    )
    assert usd == pytest.approx(deployment.gpus * 24 * price, rel=1e-6)
    assert requests_of_a_day / 1e6 * (input_tokens + output_tokens) * cost.usd.blended == pytest.approx(usd, rel=1e-6)
    assert min(cost.usd.input, cost.usd.cached or 0.0, cost.usd.output) >= 0.0
    assert 0.0 <= cost.prefill_fraction <= 1.0
