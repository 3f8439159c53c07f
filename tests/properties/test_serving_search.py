"""The search over deployments against plain loops over single estimates; what looser promises or machines change."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad import api, catalog
from myriad.api.serving import load_of, side_of
from myriad.errors import InfeasibleError
from myriad.estimate.serving.disaggregated import disaggregated_state
from myriad.estimate.serving.percentile import tpot_at_s, ttft_at_s
from myriad.estimate.serving.queue import MOST_BUSY
from myriad.estimate.serving.steady import steady_state
from myriad.spec.serving import Deployment, Objective, Replicas, Requests, ServingLayout, ServingWork
from myriad.spec.serving_search import ServingSearch

MODEL, GPUS = "llama3.1-8b", 2
WORK = ServingWork(engine="vllm")


@dataclass(frozen=True)
class Seen:
    """What one deployment does under one load."""

    requests_per_s: float
    ttft_s: float
    tpot_s: float
    held: bool


def alone(deployment: Deployment, requests: Requests, concurrency: float, percentile: float) -> Seen:
    """One deployment by itself, as `estimate_serving` has it, at a percentile."""
    model, cluster = catalog.model(deployment.model), catalog.cluster(f"h100:{GPUS}")
    side, count = side_of(deployment.replicas, cluster), deployment.replicas.count
    if deployment.prefill is not None:
        before = side_of(deployment.prefill, cluster)
        state, times = disaggregated_state(model, before, side, load_of(requests, concurrency)), 1
    else:
        state = steady_state(model, side.cut, side.machine, load_of(requests, concurrency / count), side.limits)
        times = count
    within = concurrency / count / deployment.replicas.layout.dp <= state.most_sequences[0] + 1e-9
    return Seen(
        float(state.requests_per_s[0]) * times,
        float(ttft_at_s(state.ttft_s, state.wait_s, state.wait_share, percentile)[0]),
        float(tpot_at_s(state.tpot_s, state.tpot_deviation_s, percentile)[0]),
        bool(state.fits[0] and not state.saturated[0] and within and state.wait_share[0] < MOST_BUSY),
    )


def every_deployment() -> Iterator[tuple[Deployment, int]]:
    """All of two accelerators, with the step of their concurrency."""
    for layout in ({"tp": 1}, {"tp": 2}, {"pp": 2}):
        for tokens in (2048, 8192, 16384):
            work = WORK.model_copy(update={"max_batched_tokens": tokens})
            cut = ServingLayout(**layout)
            count = GPUS // cut.gpus
            replicas = Replicas(layout=cut, work=work, count=count)
            yield Deployment(model=MODEL, accelerator="h100", replicas=replicas), count
            if cut.gpus == 1:
                one = Replicas(layout=cut, work=WORK)
                before = Replicas(layout=cut, work=work)
                yield Deployment(model=MODEL, accelerator="h100", replicas=one, prefill=before), 1


def searched(requests: Requests, objective: Objective, gpus: int = GPUS, **more: float) -> ServingSearch:
    return api.search_serving(
        MODEL, f"h100:{gpus}", requests, objective, work=WORK, precisions=["bf16"], kv_precisions=["bf16"], cores=1,
        **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("requests", "objective"),
    [
        (Requests(input_tokens=60000, output_tokens=800), Objective(ttft=20.0, tpot=0.06, percentile=90)),
        (Requests(input_tokens=50000, output_tokens=200, cached_fraction=0.5), Objective(percentile=95)),
        (Requests(input_tokens=60000, output_tokens=3000), Objective(tpot=0.014, percentile=50)),
    ],
)
def test_the_best_is_that_of_plain_loops(requests: Requests, objective: Objective) -> None:
    found = searched(requests, objective)
    ttft_s, tpot_s = objective.ttft or np.inf, objective.tpot or np.inf
    best = 0.0
    for deployment, step in every_deployment():
        for concurrency in itertools.count(step, step):
            seen = alone(deployment, requests, float(concurrency), objective.percentile)
            if not seen.held:
                break
            if seen.ttft_s <= ttft_s and seen.tpot_s <= tpot_s:
                best = max(best, seen.requests_per_s)
    assert best > 0.0
    assert found.best.requests_per_s == pytest.approx(best, rel=1e-9)


def most(requests: Requests, objective: Objective, gpus: int) -> float:
    """Requests per second that so many accelerators answer at most, 0 where they keep no promise."""
    try:
        return searched(requests, objective, gpus).best.requests_per_s
    except InfeasibleError:
        return 0.0


REQUESTS = st.builds(
    Requests,
    input_tokens=st.integers(100, 20000),
    output_tokens=st.integers(10, 2000),
    cached_fraction=st.sampled_from([0.0, 0.5]),
)


@settings(max_examples=6)
@given(REQUESTS, st.floats(0.5, 8.0), st.floats(0.015, 0.1), st.sampled_from([50.0, 95.0, 99.0]))
def test_every_answer_keeps_its_promises(requests: Requests, ttft_s: float, tpot_s: float, percentile: float) -> None:
    objective = Objective(ttft=ttft_s, tpot=tpot_s, percentile=percentile)
    try:
        found = searched(requests, objective)
    except InfeasibleError:
        return
    for row in found.ranked[:3]:
        seen = alone(row.deployment, requests, row.concurrency, percentile)
        assert seen.held
        assert seen.ttft_s == pytest.approx(row.ttft_at_percentile_s)
        assert seen.tpot_s == pytest.approx(row.tpot_at_percentile_s)
        assert seen.ttft_s <= ttft_s * (1 + 1e-9)
        assert seen.tpot_s <= tpot_s * (1 + 1e-9)
        assert sum(row.gpu_time_parts_s.values()) == pytest.approx(1.0 / row.output_tokens_per_s_per_gpu)
    best, first = found.best, found.ranked[0]
    assert (best.requests_per_s, best.ttft_s, best.tpot_s) == pytest.approx(
        (first.requests_per_s, first.ttft_s, first.tpot_s)
    )
    rates = [row.requests_per_s for row in found.ranked]
    assert rates == sorted(rates, reverse=True)


@settings(max_examples=4)
@given(REQUESTS, st.floats(1.0, 4.0), st.floats(0.02, 0.05), st.floats(1.1, 2.0))
def test_looser_promises_are_never_worse(requests: Requests, ttft_s: float, tpot_s: float, looser: float) -> None:
    try:
        tight = searched(requests, Objective(ttft=ttft_s, tpot=tpot_s))
    except InfeasibleError:
        return
    for objective in (Objective(ttft=looser * ttft_s, tpot=tpot_s), Objective(ttft=ttft_s, tpot=looser * tpot_s)):
        loose = searched(requests, objective)
        # Loads between two points of the grid are computed at 24 places.
        assert loose.best.requests_per_s >= tight.best.requests_per_s * 0.98


@settings(max_examples=4)
@given(REQUESTS, st.floats(1.0, 4.0), st.floats(0.02, 0.05))
def test_more_accelerators_are_never_worse(requests: Requests, ttft_s: float, tpot_s: float) -> None:
    rates = [most(requests, Objective(ttft=ttft_s, tpot=tpot_s), gpus) for gpus in (2, 4, 8)]
    for fewer, more in itertools.pairwise(rates):
        assert more >= 2 * fewer * 0.98


@settings(max_examples=4)
@given(REQUESTS, st.floats(0.5, 40.0))
def test_a_rate_is_answered_by_as_few_as_can(requests: Requests, rate: float) -> None:
    objective = Objective(ttft=3.0, tpot=0.05)
    try:
        found = searched(requests, objective, 8, requests_per_s=rate)
    except InfeasibleError:
        assert most(requests, objective, 8) <= rate * 1.02
        return
    assert all(row.requests_per_s >= rate * (1 - 1e-9) for row in found.ranked)
    gpus = [row.gpus for row in found.ranked]
    assert gpus == sorted(gpus)
    assert gpus[0] == 1 or most(requests, objective, gpus[0] - 1) <= rate * 1.02


def test_a_concurrency_is_held_as_asked() -> None:
    found = searched(Requests(input_tokens=2000, output_tokens=500), Objective(ttft=3.0, tpot=0.05), 8, concurrency=100)
    assert {row.concurrency for row in found.ranked} == {100.0}
    per_gpu = [row.output_tokens_per_s_per_gpu for row in found.ranked]
    assert per_gpu == sorted(per_gpu, reverse=True)
    assert found.best.ttft_s <= 3.0


def test_no_point_of_a_front_is_beaten() -> None:
    found = searched(Requests(input_tokens=2000, output_tokens=500), Objective(ttft=3.0), 8)
    for points in (found.pareto, *found.curves.values()):
        users = [point.tokens_per_s_per_user for point in points]
        gpus = [point.output_tokens_per_s_per_gpu for point in points]
        assert users == sorted(users, reverse=True)
        assert gpus == sorted(gpus)
        assert all(point.ttft_at_percentile_s <= 3.0 * (1 + 1e-9) for point in points)
    every = [point for points in found.curves.values() for point in points]
    for best in found.pareto:
        assert not any(
            other.tokens_per_s_per_user > best.tokens_per_s_per_user * (1 + 1e-9)
            and other.output_tokens_per_s_per_gpu > best.output_tokens_per_s_per_gpu * (1 + 1e-9)
            for other in every
        )


def test_points_of_a_front_are_states_of_their_deployments() -> None:
    requests = Requests(input_tokens=2000, output_tokens=500)
    found = searched(requests, Objective(ttft=3.0), 2)
    for point in found.pareto[::4]:
        estimate = api.estimate_serving(MODEL, "h100:2", point.deployment, requests, point.concurrency)
        assert point.requests_per_s == pytest.approx(estimate.requests_per_s, rel=0.02)
        assert point.tpot_s == pytest.approx(estimate.tpot_s, rel=0.02)
