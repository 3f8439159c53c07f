import dataclasses

import numpy as np
import pytest

from myriad.errors import InfeasibleError, SpecError
from myriad.sim.serving import simulate
from myriad.sim.serving import state as at
from myriad.sim.serving.run import run_fleet
from myriad.spec.fleet import Autoscaling, Failures, Fleet, Link, ReplicaPool
from myriad.spec.serving import Objective
from serving_tables import constant_table, curved_table, mixed_requests, requests

FLEETS = {
    "chunked": Fleet(replicas=ReplicaPool(max_batched_tokens=512)),
    "prefill first": Fleet(replicas=ReplicaPool(batching="prefill-first", max_batched_tokens=4096)),
    "copies": Fleet(replicas=ReplicaPool(copies=3, max_batched_tokens=1024)),
    "replicas": Fleet(replicas=ReplicaPool(replicas=3, router="round-robin")),
    "disaggregated": Fleet(
        replicas=ReplicaPool(replicas=2), prefill=ReplicaPool(), link=Link(bandwidth=1e9, latency=0.01)
    ),
    "failing": Fleet(replicas=ReplicaPool(replicas=2, failures=Failures(mtbf=60.0, repair=20.0))),
    "disaggregated and failing": Fleet(
        replicas=ReplicaPool(replicas=2, failures=Failures(mtbf=60.0, repair=20.0)),
        prefill=ReplicaPool(replicas=2, failures=Failures(mtbf=60.0, repair=20.0)),
        link=Link(bandwidth=1e8, latency=0.01),
    ),
    "scaling": Fleet(
        replicas=ReplicaPool(autoscaling=Autoscaling(most=4, target_requests=4, interval=5.0, start_up=10.0))
    ),
}


def tables_of(fleet: Fleet, **more) -> tuple:
    return tuple(curved_table(**more) for _ in fleet.pools)


@pytest.mark.parametrize("name", FLEETS)
@pytest.mark.parametrize("cache_tokens", [6_000, 60_000])
def test_runs_of_iterations_agree_with_single_steps(name, cache_tokens):
    fleet, arrivals = FLEETS[name], mixed_requests(80, 2.0)
    tables = tables_of(fleet, cache_tokens=cache_tokens)
    runs, steps = (run_fleet(fleet, tables, arrivals, stepping=stepping) for stepping in (False, True))
    for field in (at.ADMITTED_S, at.FIRST_S, at.FINISHED_S):
        np.testing.assert_allclose(runs.times_s[:, field], steps.times_s[:, field], rtol=1e-9)
    for field in (at.PREEMPTIONS, at.CACHED, at.GENERATED, at.ON_COPY):
        np.testing.assert_array_equal(runs.requests[:, field], steps.requests[:, field])
    assert runs.ints[at.TOKENS_OUT] == steps.ints[at.TOKENS_OUT]
    for field in (at.DECODE_S, at.BATCH_S, at.COPY_S, at.MOST_USED, at.NOW):
        assert runs.floats[field] == pytest.approx(steps.floats[field], rel=1e-9)
    # Within a run the cache is taken to fill evenly, though it does by blocks.
    assert runs.floats[at.CACHE_S] == pytest.approx(steps.floats[at.CACHE_S], rel=0.02)
    assert runs.ints[at.EVENTS] < steps.ints[at.EVENTS]


@pytest.mark.parametrize("accepted", [1.0, 1.8, 2.5])
def test_runs_agree_with_steps_under_speculation(accepted):
    fleet, arrivals = FLEETS["chunked"], mixed_requests(60, 2.0)
    tables = tables_of(fleet, cache_tokens=6_000, tokens_per_sequence=3, accepted_tokens=accepted)
    runs, steps = (run_fleet(fleet, tables, arrivals, stepping=stepping) for stepping in (False, True))
    np.testing.assert_allclose(runs.times_s[:, at.FINISHED_S], steps.times_s[:, at.FINISHED_S], rtol=1e-9)
    assert runs.ints[at.TOKENS_OUT] == steps.ints[at.TOKENS_OUT] == arrivals.output_tokens.sum()


@pytest.mark.parametrize("name", FLEETS)
@pytest.mark.parametrize("cache_tokens", [6_000, 60_000])
def test_no_token_is_lost_and_no_cache_overflows(name, cache_tokens):
    fleet, arrivals = FLEETS[name], mixed_requests(120, 3.0)
    run = run_fleet(fleet, tables_of(fleet, cache_tokens=cache_tokens), arrivals)
    assert run.ints[at.TOKENS_OUT] == arrivals.output_tokens.sum()
    np.testing.assert_array_equal(run.requests[:, at.GENERATED], arrivals.output_tokens)
    assert 0 < run.floats[at.MOST_USED] <= 1
    order = run.times_s[:, [at.ARRIVAL_S, at.ADMITTED_S, at.FIRST_S, at.FINISHED_S]]
    assert (np.diff(order, axis=1) >= 0).all()
    if cache_tokens == 6_000 and name != "disaggregated":
        assert run.requests[:, at.PREEMPTIONS].sum() > 0 or "fail" in name or name == "replicas"
    first, end = run.ints[at.FIRST_UNIT], run.ints[at.FIRST_REQUEST]
    assert end > first
    for pool in range(len(fleet.pools)):  # everything was given back, except on a sender whose transfer came too late
        row = run.ints[at.FIRST_POOL] + pool * at.POOL_WIDTH
        for copy in range(run.ints[row + at.POOL_FIRST_COPY], run.ints[row + at.POOL_COPIES_END], at.COPY_FIELDS):
            assert run.ints[copy + at.FREE] + run.ints[copy + at.EVICTABLE] == run.ints[row + at.TOTAL_BLOCKS]
            assert run.ints[copy + at.LOAD] == 0
            assert run.ints[copy + at.OFFSET_SUM] == 0


def test_a_full_cache_preempts_the_last_and_computes_it_again():
    """Two prompts of 4 blocks in a cache of 10: after 1 output token each they need 2 more, and then 1 preempts."""
    table = constant_table(1.0, cache_tokens=10, block_tokens=1)
    run = run_fleet(Fleet(replicas=ReplicaPool()), (table,), requests([0.0, 0.0], 4, 4))
    assert run.requests[:, at.PREEMPTIONS].tolist() == [0, 1]
    # The first: prefill at 0-1, decode to 4. The second: decode to 2, again from 4: prefill of 6 tokens yields its
    # third, one more iteration its last.
    assert run.times_s[:, at.FINISHED_S].tolist() == [4.0, 6.0]
    assert run.times_s[:, at.FIRST_S].tolist() == [1.0, 1.0]


def test_chunks_fill_what_decode_leaves_of_the_budget():
    """10 tokens each: a prompt of 12 takes two iterations; with it decoding, the next of 12 gets 9 and 3."""
    table = constant_table(1.0)
    pool = ReplicaPool(max_batched_tokens=10)
    records = simulate(Fleet(replicas=pool), (table,), requests([0.0, 2.0], 12, 6)).records
    assert records.first_token_s.tolist() == [2.0, 4.0]
    assert records.finished_s.tolist() == [7.0, 9.0]


def test_prefill_first_lets_decode_wait():
    pool = ReplicaPool(batching="prefill-first")
    simulated = simulate(Fleet(replicas=pool), (constant_table(1.0),), requests([0.0, 1.0], 12, 3))
    assert simulated.records.first_token_s.tolist() == [1.0, 2.0]
    assert simulated.records.finished_s.tolist() == [4.0, 4.0]
    assert simulated.result.inter_token.p99.value == pytest.approx(2.0, rel=2e-3)
    assert simulated.result.inter_token.mean.value == pytest.approx((2 + 1 + 1 + 1) / 4, rel=2e-3)


def test_priority_goes_before_arrival_in_the_queue():
    pool = ReplicaPool(max_sequences=1)
    arrivals = requests([0.0, 0.1, 0.2], 1, 2, priority=np.array([1, 1, 0]))
    for order, expected in (("fcfs", [2.0, 4.0, 6.0]), ("priority", [2.0, 6.0, 4.0])):
        records = simulate(Fleet(replicas=pool, order=order), (constant_table(1.0),), arrivals).records
        assert records.finished_s.tolist() == expected


def test_prefix_hits_are_those_counted_by_hand():
    """Blocks of 4. The second request begins with both blocks of the first, the third with one, the fourth is new.

    The fifth is the first again: its last token must be computed, so only one of its two blocks counts.
    """
    blocks = [[1, 2], [1, 2, 3], [1, 9], [7], [1, 2]]
    arrivals = requests(
        [0.0, 10.0, 20.0, 30.0, 40.0], [8, 12, 8, 4, 8], 2, block_counts=np.array([len(ids) for ids in blocks]),
        block_ids=np.concatenate(blocks), block_tokens=4,
    )  # fmt: skip
    table = constant_table(1.0, cache_tokens=400, block_tokens=2)
    simulated = simulate(Fleet(replicas=ReplicaPool()), (table,), arrivals)
    assert simulated.records.cached_tokens.tolist() == [0, 8, 4, 0, 4]
    assert simulated.result.prefix_hit_fraction == pytest.approx(16 / 40)
    off = simulate(Fleet(replicas=ReplicaPool(prefix_cache=False)), (table,), arrivals)
    assert off.records.cached_tokens.sum() == 0


def test_the_least_recently_used_prefix_is_evicted():
    """Room for 5 blocks of 4 and a token: A, B, A again; what C and A need evicts ends of prompts first, then B."""
    blocks = np.array([1, 10, 2, 20, 1, 11, 3, 30, 1, 12, 2, 21])
    arrivals = requests(np.arange(6) * 10.0, 9, 1, block_counts=np.full(6, 2), block_ids=blocks, block_tokens=4)
    table = constant_table(1.0, cache_tokens=21, block_tokens=1)
    records = simulate(Fleet(replicas=ReplicaPool()), (table,), arrivals).records
    assert records.cached_tokens.tolist() == [0, 0, 4, 0, 4, 0]


def test_a_prefix_that_is_computed_twice_at_once_is_kept_once():
    arrivals = requests(
        [0.0, 0.0, 5.0], 9, 3, block_counts=np.full(3, 2), block_ids=np.array([1, 2] * 3), block_tokens=4
    )
    run = run_fleet(Fleet(replicas=ReplicaPool()), (constant_table(1.0, cache_tokens=40),), arrivals)
    assert run.requests[:, at.CACHED].tolist() == [0, 0, 8]
    assert run.ints[run.ints[at.FIRST_UNIT + 0] + at.FIRST_COPY] > 0
    copy = run.ints[run.ints[at.FIRST_POOL] + at.POOL_FIRST_COPY]
    assert run.ints[copy + at.EVICTABLE] == 8
    assert run.ints[copy + at.FREE] == 32


def test_prefix_aware_routing_goes_where_the_prefix_is():
    arrivals = requests(
        np.arange(8) * 10.0, 1001, 2, block_counts=np.full(8, 2), block_ids=np.array([1, 2, 3, 4] * 4), block_tokens=500
    )
    table = constant_table(1.0, cache_tokens=5000)
    hits = {}
    for router in ("round-robin", "least-loaded", "prefix-aware"):
        pool = ReplicaPool(replicas=3, router=router)
        hits[router] = int(simulate(Fleet(replicas=pool), (table,), arrivals).records.cached_tokens.sum())
    assert hits["prefix-aware"] == 6 * 1000
    assert hits["round-robin"] < hits["prefix-aware"]


def test_round_robin_takes_turns_and_least_loaded_the_idle_one():
    table = constant_table(1.0)
    arrivals = requests([0.0, 0.1, 0.2, 0.3], [100, 1, 1, 1], 50)
    turns = run_fleet(Fleet(replicas=ReplicaPool(replicas=2, router="round-robin")), (table,), arrivals)
    loads = run_fleet(Fleet(replicas=ReplicaPool(replicas=2)), (table,), arrivals)
    first, second = np.unique(turns.requests[:, at.ON_COPY])
    assert turns.requests[:, at.ON_COPY].tolist() == [first, second, first, second]
    assert loads.requests[:, at.ON_COPY].tolist() == [first, second, second, second]


def test_copies_run_iterations_together():
    """A long prompt on one copy holds up the other, which decodes."""
    table = curved_table()
    arrivals = requests([0.0, 0.05], [10, 8000], [40, 1])
    alone = simulate(Fleet(replicas=ReplicaPool(replicas=2)), (table,), arrivals).result
    together = simulate(Fleet(replicas=ReplicaPool(copies=2)), (table,), arrivals).result
    assert together.inter_token.p99.value > 3 * alone.inter_token.p99.value


def test_the_same_seed_gives_the_same_result_and_another_does_not():
    fleet, arrivals = FLEETS["failing"], mixed_requests(100, 2.0)
    tables = tables_of(fleet)
    first, second, other = (simulate(fleet, tables, arrivals, seed=seed).result for seed in (3, 3, 4))
    assert first == second
    assert first.duration_s != other.duration_s
    assert first.requeued > 0


def test_scaling_follows_the_load_between_its_limits():
    fleet = FLEETS["scaling"]
    result = simulate(fleet, tables_of(fleet), mixed_requests(200, 4.0)).result
    ready = np.array(result.timeline.ready[0])
    assert ready.min() == 1
    assert 2 <= ready.max() <= 4
    assert 1 < result.mean_gpus <= 4
    alone = Fleet(replicas=ReplicaPool())
    assert result.ttft.p95.value < simulate(alone, tables_of(alone), mixed_requests(200, 4.0)).result.ttft.p95.value


def test_percentiles_rise_and_goodput_is_what_meets_the_objective():
    objective = Objective(ttft=0.2, tpot=0.03)
    simulated = simulate(FLEETS["chunked"], (curved_table(),), mixed_requests(450, 2.0), objective)
    result, records = simulated.result, simulated.records
    for times in (result.ttft, result.tpot, result.inter_token, result.end_to_end, result.queueing):
        assert times.p50.value <= times.p90.value <= times.p95.value <= times.p99.value
        assert times.p95.low <= times.p95.value <= times.p95.high
    good = (records.ttft_s <= 0.2) & ~(records.tpot_s > 0.03)
    assert 0 < result.good_fraction.value < 1
    assert result.good_fraction.value == pytest.approx(good.mean())
    assert result.good_requests_per_s == pytest.approx(good.sum() / result.duration_s)
    assert result.meets_objective == bool(
        np.percentile(records.ttft_s, 95) <= 0.2 and np.nanpercentile(records.tpot_s, 95) <= 0.03
    )


def test_gaps_between_tokens_add_up_to_the_time_of_decode():
    simulated = simulate(FLEETS["chunked"], (curved_table(cache_tokens=6_000),), mixed_requests(80, 2.0))
    records, result = simulated.records, simulated.result
    decoding_s = (records.finished_s - records.first_token_s).sum()
    gaps = (records.output_tokens - 1).sum()
    assert result.inter_token.mean.value * gaps == pytest.approx(decoding_s, rel=2e-3)


def test_requests_that_can_never_fit_are_refused_and_miss_the_objective():
    arrivals = requests([0.0, 1.0], [50, 5000], 10)
    table = curved_table(cache_tokens=1000)
    result = simulate(Fleet(replicas=ReplicaPool()), (table,), arrivals, Objective(ttft=10.0)).result
    assert (result.requests, result.refused, result.counted) == (2, 1, 1)
    assert result.good_fraction.value == 0.5
    with pytest.raises(InfeasibleError, match="1000 tokens"):
        simulate(Fleet(replicas=ReplicaPool()), (table,), requests([0.0], 5000, 10))


def test_what_does_not_go_together_is_said():
    with pytest.raises(SpecError, match="2 iteration tables for 1 pool"):
        simulate(Fleet(replicas=ReplicaPool()), (curved_table(), curved_table()), mixed_requests(2, 1.0))
    with pytest.raises(SpecError, match="no request"):
        simulate(Fleet(replicas=ReplicaPool()), (curved_table(),), requests([], 1, 1))
    hashed = dataclasses.replace(
        requests([0.0], 600, 1), block_counts=np.array([1]), block_ids=np.array([5]), block_tokens=500
    )
    with pytest.raises(SpecError, match="500 tokens"):
        simulate(Fleet(replicas=ReplicaPool()), (curved_table(),), hashed)
