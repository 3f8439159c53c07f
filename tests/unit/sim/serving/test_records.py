import numpy as np
import pytest

from myriad import catalog
from myriad.api.simulate_serving import simulate_serving
from myriad.estimate.serving.load import Limits, Load, as_seen
from myriad.sim.serving import Way, simulate
from myriad.spec.fleet import Fleet, ReplicaPool
from myriad.spec.serving import Deployment, Replicas, ServingLayout, ServingWork
from serving_tables import constant_table, mixed_requests, requests


@pytest.mark.parametrize("interval", [1, 4, 50])
def test_a_client_sees_what_the_steady_state_says_it_does(interval):
    engine, iteration_s, inputs, outputs = catalog.engine("vllm"), 0.02, 700, 30
    way = Way(engine.request_s, engine.request_token_s, interval)
    arrivals = requests([0.0, 10.0], inputs, outputs)
    simulated = simulate(Fleet(replicas=ReplicaPool()), (constant_table(iteration_s),), arrivals, way=way)
    one = np.ones(1)
    load = Load(concurrency=one, input_tokens=inputs * one, output_tokens=outputs * one, cached_tokens=0 * one)
    limits = Limits(batched_tokens=8192 * one, sequences=one, memory_fraction=0.9, stream_interval=float(interval))
    ttft_s, tpot_s = as_seen(iteration_s * one, iteration_s * one, load, limits, engine)
    assert simulated.records.ttft_s == pytest.approx(np.repeat(ttft_s, 2))
    assert simulated.records.tpot_s == pytest.approx(np.repeat(tpot_s, 2), abs=1e-9)
    assert simulated.result.ttft.p50.value == pytest.approx(ttft_s[0])
    whole_s = iteration_s * outputs + engine.request_s + engine.request_token_s * inputs
    assert simulated.result.end_to_end.p50.value == pytest.approx(whole_s)
    assert simulated.result.queueing.p99.value == 0.0


def test_the_way_of_requests_is_in_no_event():
    arrivals, way = mixed_requests(60, 2.0), Way(request_s=0.5, request_token_s=1e-4, stream_interval=7)
    near, far = (
        simulate(Fleet(replicas=ReplicaPool()), (constant_table(0.02),), arrivals, way=w) for w in (Way(), way)
    )
    assert far.result.timeline == near.result.timeline
    assert far.result.duration_s == near.result.duration_s
    assert far.result.inter_token == near.result.inter_token
    np.testing.assert_allclose(
        far.records.finished_s - near.records.finished_s, 0.5 + 1e-4 * arrivals.input_tokens, rtol=1e-9
    )
    assert (far.records.first_token_s <= far.records.finished_s).all()
    assert far.result.ttft.mean.value > near.result.ttft.mean.value + 0.5


def test_a_deployment_is_seen_through_its_engine_and_stream_interval():
    def first_and_last_s(interval: int) -> tuple[float, float]:
        work = ServingWork(engine="vllm", stream_interval=interval)
        replicas = Replicas(layout=ServingLayout(tp=2), work=work)
        deployment = Deployment(model="qwen3-32b", accelerator="h200-sxm", replicas=replicas)
        records = simulate_serving("qwen3-32b", "h200:2", deployment, requests([0.0], 1000, 11)).records
        assert records.admitted_s[0] == 0.0
        return float(records.first_token_s[0]), float(records.finished_s[0])

    first_s, last_s = first_and_last_s(1)
    later_s, same_s = first_and_last_s(6)
    engine = catalog.engine("vllm")
    assert first_s > engine.request_s + 1000 * engine.request_token_s
    assert same_s == last_s
    assert later_s == pytest.approx((first_s + last_s) / 2)
