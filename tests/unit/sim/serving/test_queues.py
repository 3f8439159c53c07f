"""The simulation against queues that have formulas."""

import numpy as np
import pytest

from myriad.sim.serving import simulate
from myriad.sim.serving.arrivals import closed_loop, poisson_s
from myriad.spec.fleet import Fleet, Link, ReplicaPool
from serving_tables import constant_table, curved_table, linear_table, mixed_requests, requests

ONE = ReplicaPool(max_sequences=1, max_batched_tokens=10**9)


def test_waiting_times_of_one_server_with_exponential_service_are_those_of_m_m_1():
    generator = np.random.default_rng(1)
    load, number = 0.6, 20_000
    lengths = np.maximum(np.rint(generator.exponential(1e6, number)), 1).astype(np.int64)
    arrivals = requests(poisson_s(load, number, generator), lengths, 1)
    result = simulate(Fleet(replicas=ONE), (linear_table(1e-6),), arrivals, warm_up=0.05).result
    expected_s = load / (1 - load)
    mean = result.queueing.mean
    assert mean.low <= expected_s <= mean.high
    assert mean.value == pytest.approx(expected_s, rel=0.1)
    assert result.busy_fraction == pytest.approx(load, rel=0.02)
    # The time in the system is exponential with the rate 1 - load.
    assert result.end_to_end.p90.low <= np.log(10) / (1 - load) <= result.end_to_end.p90.high


def test_waiting_times_of_one_server_with_constant_service_are_those_of_m_d_1():
    generator = np.random.default_rng(2)
    load, number = 0.7, 20_000
    arrivals = requests(poisson_s(load, number, generator), 1, 1)
    mean = simulate(Fleet(replicas=ONE), (constant_table(1.0),), arrivals, warm_up=0.05).result.queueing.mean
    expected_s = load / (2 * (1 - load))
    assert mean.low <= expected_s <= mean.high
    assert mean.value == pytest.approx(expected_s, rel=0.1)


def test_slots_of_one_replica_are_the_servers_of_m_m_c():
    generator = np.random.default_rng(3)
    servers, load, number, iterations = 4, 3.0, 8_000, 400
    outputs = np.maximum(np.rint(generator.exponential(iterations, number)), 1).astype(np.int64)
    arrivals = requests(poisson_s(load, number, generator), 1, outputs)
    pool = ReplicaPool(max_sequences=servers)
    result = simulate(Fleet(replicas=pool), (constant_table(1 / iterations),), arrivals, warm_up=0.05).result
    terms = np.cumprod([1.0, *(load / step for step in range(1, servers))])
    last = terms[-1] * load / servers / (1 - load / servers)
    expected_s = last / (terms.sum() + last) / (servers - load)  # Erlang C
    mean = result.queueing.mean
    assert mean.low - 1 / iterations <= expected_s <= mean.high + 1 / iterations
    assert mean.value == pytest.approx(expected_s, rel=0.15)


@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_a_closed_loop_on_a_constant_table_is_its_steady_state(concurrency):
    iteration_s, outputs, rounds = 0.25, 5, 12
    arrivals = closed_loop(requests(np.zeros(concurrency * rounds), 7, outputs), concurrency)
    simulated = simulate(Fleet(replicas=ReplicaPool(max_sequences=8)), (constant_table(iteration_s),), arrivals)
    result = simulated.result
    assert result.duration_s == pytest.approx(rounds * outputs * iteration_s, rel=1e-12)
    assert result.ttft.p99.value == pytest.approx(iteration_s, rel=1e-12)
    assert result.tpot.p99.value == pytest.approx(iteration_s, rel=1e-12)
    assert result.output_tokens_per_s_per_gpu == pytest.approx(concurrency / iteration_s, rel=1e-12)
    assert result.busy_fraction == pytest.approx(1.0)


def test_a_closed_loop_has_as_many_under_way_as_it_has_clients():
    arrivals = closed_loop(mixed_requests(60, 1.0), 5)
    records = simulate(Fleet(replicas=ReplicaPool()), (curved_table(),), arrivals).records
    for time_s in records.arrival_s[5:]:
        under_way = (records.arrival_s <= time_s) & (records.finished_s > time_s)
        assert under_way.sum() == 5


def test_littles_law_holds():
    records = simulate(Fleet(replicas=ReplicaPool()), (curved_table(),), mixed_requests(300, 3.0)).records
    end_s = records.finished_s.max()
    events = np.sort(np.concatenate([records.arrival_s, records.finished_s]))
    under_way = [((records.arrival_s <= t) & (records.finished_s > t)).sum() for t in events[:-1]]
    mean_number = (np.diff(events) * under_way).sum() / end_s
    rate_per_s = 300 / end_s
    assert mean_number == pytest.approx(rate_per_s * (records.finished_s - records.arrival_s).mean(), rel=1e-9)


def test_work_is_conserved():
    """A server with work is never idle: without overlap of service, busy time is the sum of all services."""
    lengths = np.random.default_rng(5).integers(1, 100, 200)
    arrivals = requests(np.sort(np.random.default_rng(6).uniform(0, 5000, 200)), lengths, 1)
    simulated = simulate(Fleet(replicas=ONE), (linear_table(1.0),), arrivals)
    result, records = simulated.result, simulated.records
    assert result.busy_fraction * result.duration_s == pytest.approx(lengths.sum())
    free_s = 0.0
    for arrived_s, length, finished_s in zip(arrivals.arrival_s, lengths, records.finished_s, strict=True):
        free_s = max(free_s, arrived_s) + length
        assert finished_s == pytest.approx(free_s)


def test_separate_pools_on_an_infinitely_fast_link_are_two_queues_in_tandem():
    generator = np.random.default_rng(7)
    number, output = 150, 6
    lengths = generator.integers(1, 20, number)
    arrivals = requests(np.cumsum(generator.exponential(12.0, number)), lengths, output)
    fleet = Fleet(replicas=ONE, prefill=ONE, link=Link(bandwidth=1e30))
    records = simulate(fleet, (linear_table(1.0), constant_table(2.0)), arrivals).records
    prefill_free_s = decode_free_s = 0.0
    for place in range(number):
        prefill_free_s = max(prefill_free_s, arrivals.arrival_s[place]) + lengths[place]
        assert records.first_token_s[place] == pytest.approx(prefill_free_s)
        decode_free_s = max(decode_free_s, prefill_free_s) + 2.0 * (output - 1)
        assert records.finished_s[place] == pytest.approx(decode_free_s)


def test_transfers_queue_on_the_link_of_their_replica():
    """Two prompts prefilled together: 10 bytes each at 2 bytes/s, one after the other, then the latency."""
    fleet = Fleet(replicas=ReplicaPool(), prefill=ReplicaPool(), link=Link(bandwidth=2.0, latency=1.0))
    records = simulate(fleet, (constant_table(1.0), constant_table(0.5)), requests([0.0, 0.0], 10, 2)).records
    assert records.first_token_s.tolist() == [1.0, 1.0]
    assert records.finished_s.tolist() == [1 + 5 + 1 + 0.5, 1 + 10 + 1 + 0.5]
