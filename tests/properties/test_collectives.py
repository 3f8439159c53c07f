"""What holds for bus bandwidths, rings, switches and expert exchanges whatever the sizes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from myriad.estimate.collectives import all_reduce_in_ring_s, all_reduce_in_switch_s, all_reduce_s
from myriad.estimate.nccl_tests import COLLECTIVES, TIMES, bus_bandwidth
from myriad.estimate.peers import copies
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link

byte_counts = st.floats(1, 1e12)
collectives = st.sampled_from(COLLECTIVES)


@st.composite
def links(draw: st.DrawFn, sums: bool | None = None) -> tuple[Link, ...]:
    """A scale-up link and a slower network; with switches that sum, without, or either."""
    share = draw(st.floats(0.1, 1.0)) if (draw(st.booleans()) if sums is None else sums) else None
    near = Link(
        tier="scale-up", domain=draw(st.sampled_from([2, 8, 72])), bytes_per_s_one_way=450e9,
        efficiency=draw(st.floats(0.5, 1.0)), latency_s=draw(st.floats(0, 1e-5)), start_s=draw(st.floats(0, 1e-5)),
        half_bytes=draw(st.floats(0, 1e8)), reduction_share=share, reduction_start_s=draw(st.floats(0, 1e-4)),
        point_to_point=draw(st.booleans()),
    )  # fmt: skip
    return (near, Link(tier="scale-out", domain=4096, bytes_per_s_one_way=50e9, latency_s=8e-6))


@given(collectives, byte_counts, st.integers(2, 72), links(sums=False))
def test_a_ring_has_no_more_bus_bandwidth_than_its_links(collective, bytes_, ranks, tiers):
    time_s = TIMES[collective](bytes_, place(ranks, 1, tiers))
    hosts = min(ranks, tiers[0].domain)
    # Over the network every card of a host carries its share; an all-to-all keeps what lies inside the host.
    network = 50e9 * hosts if collective != "alltoall" else 50e9 * ranks / max(ranks - hosts, 1)
    most = 450e9 if ranks <= tiers[0].domain else min(450e9 * ranks, network * ranks / (ranks - 1))
    assert bus_bandwidth(collective, bytes_, ranks, time_s) <= most * (1 + 1e-9)


@given(byte_counts, st.integers(2, 72), links(sums=True))
def test_a_switch_that_sums_at_most_doubles_the_bus_bandwidth(bytes_, ranks, tiers):
    time_s = all_reduce_in_switch_s(bytes_, place(min(ranks, tiers[0].domain), 1, tiers))
    most = 2 * 450e9 * tiers[0].reduction_share
    assert bus_bandwidth("all_reduce", bytes_, min(ranks, tiers[0].domain), time_s) <= most


@given(collectives, byte_counts, st.floats(1, 100), st.integers(1, 512), st.sampled_from([1, 2, 8]), links())
def test_time_grows_with_bytes(collective, bytes_, factor, ranks, stride, tiers):
    placement = place(ranks, stride, tiers)
    assert TIMES[collective](bytes_ * factor, placement) >= TIMES[collective](bytes_, placement) * (1 - 1e-12)


@given(byte_counts, st.integers(1, 512), st.sampled_from([1, 2, 8]), links())
def test_an_all_reduce_is_the_faster_of_its_ways(bytes_, ranks, stride, tiers):
    placement = place(ranks, stride, tiers)
    ways = all_reduce_in_ring_s(bytes_, placement), all_reduce_in_switch_s(bytes_, placement)
    assert all_reduce_s(bytes_, placement) == np.minimum(*ways)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=9), byte_counts, links())
def test_many_groups_at_once_are_each_alone(sizes, bytes_, tiers):
    together = all_reduce_s(bytes_, place(np.array(sizes), 1, tiers))
    assert together.tolist() == [float(all_reduce_s(bytes_, place(size, 1, tiers))) for size in sizes]


@given(st.integers(1, 16), st.sampled_from([1, 2, 8, 16, 32, 64, 256]), st.integers(1, 8), links())
def test_copies_are_no_more_than_choices_ranks_or_domains(topk, ranks, most_domains, tiers):
    to_ranks, to_domains = copies(topk, ranks, tiers[0], most_domains)
    domains = np.ceil(ranks / min(ranks, tiers[0].domain))
    assert 1 - 1e-9 <= to_domains <= to_ranks * (1 + 1e-9)
    assert to_ranks <= min(topk, ranks) * (1 + 1e-9)
    assert to_domains <= min(topk, domains, most_domains) * (1 + 1e-9)
