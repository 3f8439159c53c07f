"""GPU-seconds and money of tokens: who carries what, on replicas that do both and on sides apart."""

import numpy as np
import pytest

from myriad import catalog
from myriad.api.serving import side_of
from myriad.estimate.serving.money import (
    PerKind,
    aggregated_gpu_s,
    cached_share,
    disaggregated_gpu_s,
    margin_fraction,
    token_gpu_s,
    token_usd,
    tokens_of_request,
)
from myriad.spec.serving import Replicas, ServingLayout, ServingWork

ONE = np.ones(1)


def test_iterations_beyond_pure_decode_are_prefill():
    # 8 accelerators, 2 requests a second: 4 GPU-seconds each; of 50 ms an iteration would take 40 without prefill.
    prefill, decode = aggregated_gpu_s(8 * ONE, 2 * ONE, 0.04 * ONE, 0.05 * ONE)
    assert (prefill[0], decode[0]) == (pytest.approx(0.8), pytest.approx(3.2))


def test_sides_apart_cost_what_they_have():
    assert [float(side[0]) for side in disaggregated_gpu_s(32 * ONE, 96 * ONE, 16 * ONE)] == [2.0, 6.0]


def test_tokens_of_each_kind_carry_their_share():
    tokens = tokens_of_request(1000 * ONE, 200 * ONE, 600 * ONE)
    each = token_gpu_s(2.0 * ONE, 6.0 * ONE, 0.1 * ONE, tokens)
    assert float(each.input[0]) == pytest.approx(1.8 / 400)
    assert float(each.cached[0]) == pytest.approx(0.2 / 600)
    assert float(each.output[0]) == pytest.approx(6.0 / 200)


def test_without_cached_tokens_all_of_prefill_is_the_others():
    tokens = tokens_of_request(1000 * ONE, 200 * ONE, 0 * ONE)
    each = token_gpu_s(2.0 * ONE, 6.0 * ONE, 0.3 * ONE, tokens)
    assert float(each.input[0]) == pytest.approx(2.0 / 1000)
    assert float(each.cached[0]) == 0.0


def test_a_prompt_in_the_cache_computes_one_token():
    tokens = tokens_of_request(1000 * ONE, 200 * ONE, 1000 * ONE)
    assert (tokens.input[0], tokens.cached[0]) == (1.0, 999.0)


def test_capacity_that_is_not_used_is_paid_by_what_is():
    each = PerKind(1e-3 * ONE, 1e-4 * ONE, 1e-2 * ONE)
    half, whole = (token_usd(each, 2.0 / 3600, share) for share in (0.5, 1.0))
    assert float(half.output[0]) == pytest.approx(2 * float(whole.output[0]))
    assert float(whole.input[0]) == pytest.approx(1e-3 * 2 / 3600)


@pytest.mark.parametrize("cached", [0.0, 1000.0, 8000.0, 64000.0])
def test_cached_tokens_cost_little_beside_new_ones(cached):
    side = side_of(Replicas(layout=ServingLayout(tp=8), work=ServingWork()), catalog.cluster("h100:8"))
    tokens = PerKind(1000 * ONE, cached * ONE, 200 * ONE)
    share = float(cached_share(catalog.model("llama3-70b"), side, tokens)[0])
    assert share == 0.0 if cached == 0.0 else 0.0 < share < 0.75
    if cached:
        assert share / cached < 0.1 * (1 - share) / 1000


def test_more_cached_tokens_take_more():
    side = side_of(Replicas(layout=ServingLayout(tp=8), work=ServingWork()), catalog.cluster("h100:8"))
    shares = [
        float(cached_share(catalog.model("llama3-70b"), side, PerKind(1000 * ONE, c * ONE, ONE))[0])
        for c in (500.0, 5000.0, 50000.0)
    ]
    assert shares == sorted(shares)


def test_margins_are_negative_below_cost():
    assert float(margin_fraction(ONE, 2 * ONE)[0]) == -1.0
