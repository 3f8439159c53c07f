"""Operating points are the steady states of their concurrency; percentiles and waits are what queues say."""

from __future__ import annotations

import numpy as np
import pytest

from myriad import catalog
from myriad.api.serving import machine_of
from myriad.estimate.serving.disaggregated import Side, disaggregated_state, prefilling
from myriad.estimate.serving.load import Limits, Load
from myriad.estimate.serving.machine import Cut
from myriad.estimate.serving.operating import operating_points
from myriad.estimate.serving.percentile import tpot_at_s, ttft_at_s
from myriad.estimate.serving.queue import wait_s
from myriad.estimate.serving.steady import steady_state
from myriad.estimate.serving.turn import room_of
from myriad.spec.serving import ServingLayout, ServingWork

BATCHES = np.array([0.5, 2.0, 8.0, 30.0, 60.0])
ROWS = len(BATCHES)


def setting(engine: str, layout: ServingLayout):
    machine = machine_of(catalog.cluster("h200:8"), ServingWork(engine=engine, precision="fp8"))
    load = Load(np.full(ROWS, np.inf), *(np.full(ROWS, n) for n in (2000.0, 500.0, 0.0)))
    limits = Limits(np.full(ROWS, 8192.0), np.full(ROWS, np.inf), 0.9)
    return catalog.model("qwen3-32b"), Cut.of([layout] * ROWS), machine, load, limits


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
@pytest.mark.parametrize("layout", [ServingLayout(tp=2), ServingLayout(tp=2, pp=2)], ids=ServingLayout.text)
def test_a_point_is_the_steady_state_of_its_concurrency(engine: str, layout: ServingLayout) -> None:
    model, cut, machine, load, limits = setting(engine, layout)
    room = room_of(model, cut, machine, load, limits)
    points = operating_points(model, cut, machine, load, limits, room, BATCHES)
    held = Load(points.concurrency, load.input_tokens, load.output_tokens, load.cached_tokens)
    steady = steady_state(model, cut, machine, held, limits)
    kept = points.held
    assert kept.sum() >= 4
    for mine, theirs in (
        (points.requests_per_s, steady.requests_per_s),
        (points.tpot_s, steady.tpot_s),
        (points.deviation_s, steady.tpot_deviation_s),
        (BATCHES * cut.pp, steady.batch),
    ):
        assert mine[kept] == pytest.approx(theirs[kept], rel=0.02)


def test_less_than_one_sequence_takes_as_long_as_one() -> None:
    model, cut, machine, load, limits = setting("vllm", ServingLayout(pp=4))
    held = Load(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), load.input_tokens, load.output_tokens, load.cached_tokens)
    steady = steady_state(model, cut, machine, held, limits)
    weights_s = model.num_layers and 30e9 / 4.8e12  # of one pass through all stages, at the datasheet bandwidth
    assert (steady.decode_s > weights_s).all()
    assert steady.decode_s[:3] == pytest.approx(steady.decode_s[0])


def test_a_side_takes_more_prompts_with_more_replicas_and_no_longer_for_one() -> None:
    model, cut, machine, load, limits = setting("sglang", ServingLayout(tp=2))
    side = Side(cut, np.full(ROWS, 3.0), machine, limits)
    prompts = prefilling(model, side, load)
    held = Load(np.full(ROWS, 4.0), load.input_tokens, load.output_tokens, load.cached_tokens)
    state = disaggregated_state(model, side, Side(cut, np.ones(ROWS), machine, limits), held)
    assert state.prefill_share == pytest.approx(state.requests_per_s / (3.0 * prompts.per_s))
    assert state.prefill_s == pytest.approx(prompts.alone_s)
    assert (state.tpot_deviation_s == 0.0).all()


def test_waits_are_those_of_equal_services() -> None:
    busy = np.array([0.0, 0.5, 0.9])
    assert wait_s(np.full(3, 2.0), busy) == pytest.approx([0.0, 1.0, 9.0])


@pytest.mark.parametrize("percentile", [90.0, 95.0, 99.0])
def test_the_tail_of_a_queue_is_that_of_its_simulation(percentile: float) -> None:
    generator = np.random.default_rng(1)
    busy, requests = 0.8, 200_000
    gaps = generator.exponential(1.0 / busy, requests)
    # Lindley: how long each request waits, of the one before it; as the highest of a random walk.
    walk = np.concatenate(([0.0], np.cumsum(1.0 - gaps[1:])))
    waits = walk - np.minimum.accumulate(walk)
    mean = wait_s(np.ones(1), np.array([busy]))
    predicted = ttft_at_s(1.0 + mean, mean, np.array([busy]), percentile)[0]
    assert mean[0] == pytest.approx(waits.mean(), rel=0.05)
    assert predicted == pytest.approx(1.0 + np.percentile(waits, percentile), rel=0.1)


def test_answers_spread_as_draws_of_prefill_do() -> None:
    generator = np.random.default_rng(2)
    passes, share, decode_s, prefill_s = 400, 0.2, 0.02, 0.1
    drawn = generator.binomial(passes, share, 100_000)
    times = decode_s + drawn / passes * (prefill_s - decode_s)
    deviation = (prefill_s - decode_s) * np.sqrt(share * (1 - share) / passes)
    predicted = tpot_at_s(np.array([times.mean()]), np.array([deviation]), 95.0)[0]
    assert predicted == pytest.approx(np.percentile(times, 95.0), rel=0.005)
