from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.sim.serving import simulate
from myriad.sim.serving import state as at
from myriad.sim.serving.run import run_fleet
from myriad.spec.fleet import Fleet, ReplicaPool
from serving_tables import constant_table, curved_table, requests


@settings(max_examples=25)
@given(
    gap_s=st.floats(0.1, 20.0), number=st.integers(2, 40), outputs=st.integers(1, 6), slots=st.integers(1, 4),
    router=st.sampled_from(["round-robin", "least-loaded", "prefix-aware"]),
)  # fmt: skip
def test_more_replicas_never_raise_the_p95_of_ttft_of_equal_requests_at_even_times(
    gap_s, number, outputs, slots, router
):
    arrivals = requests(np.arange(number) * gap_s, 10, outputs)
    p95 = []
    for replicas in (1, 2, 3, 5):
        fleet = Fleet(replicas=ReplicaPool(replicas=replicas, max_sequences=slots, router=router))
        p95.append(simulate(fleet, (constant_table(1.0),), arrivals).result.ttft.p95.value)
    # A request may come while an iteration runs, of which it waits the rest, at most one.
    assert all(later <= earlier + 1.0 for earlier, later in pairwise(p95))


@settings(max_examples=25)
@given(
    data=st.lists(st.tuples(st.floats(0, 3), st.integers(1, 900), st.integers(1, 90)), min_size=1, max_size=25),
    budget=st.integers(8, 600), slots=st.integers(1, 12), batching=st.sampled_from(["chunked", "prefill-first"]),
    accepted=st.sampled_from([1.0, 1.7]), copies=st.integers(1, 3),
)  # fmt: skip
def test_whatever_comes_is_answered_within_the_cache(data, budget, slots, batching, accepted, copies):
    gaps, inputs, outputs = zip(*data, strict=True)
    arrivals = requests(np.cumsum(gaps), inputs, outputs)
    pool = ReplicaPool(max_batched_tokens=budget, max_sequences=slots, batching=batching, copies=copies)
    table = curved_table(cache_tokens=1600, tokens_per_sequence=2, accepted_tokens=accepted)
    runs, steps = (run_fleet(Fleet(replicas=pool), (table,), arrivals, stepping=flag) for flag in (False, True))
    assert runs.ints[at.TOKENS_OUT] == arrivals.output_tokens.sum()
    assert runs.floats[at.MOST_USED] <= 1
    assert (runs.times_s[:, at.FIRST_S] >= arrivals.arrival_s).all()
    np.testing.assert_allclose(runs.times_s[:, at.FINISHED_S], steps.times_s[:, at.FINISHED_S], rtol=1e-9)
