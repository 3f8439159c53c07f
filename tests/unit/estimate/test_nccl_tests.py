import pytest

from myriad.estimate.collectives import all_reduce_s
from myriad.estimate.nccl_tests import COLLECTIVES, NAMED, TIMES, bus_bandwidth, bus_factor
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link


def test_the_example_of_nccl_tests():
    """doc/PERFORMANCE.md: an all-reduce takes t = (S / B) * 2 (n-1)/n."""
    assert bus_bandwidth("all_reduce", 1e9, 8, 1e9 / 100e9 * 2 * 7 / 8) == pytest.approx(100e9)


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_a_bare_ring_has_the_bus_bandwidth_of_its_link(collective):
    link = Link(tier="scale-up", domain=8, bytes_per_s_one_way=450e9, latency_s=0.0)
    bytes_ = 1e9
    time_s = TIMES[collective](bytes_, place(8, 1, (link,)))
    assert bus_bandwidth(collective, bytes_, 8, time_s) == pytest.approx(450e9, rel=0.05)
    assert bus_factor(collective, 8) == (1.75 if TIMES[collective] is all_reduce_s else 0.875)


def test_bus_factors_of_nccl_tests():
    assert bus_factor(NAMED["all-reduce"], 8) == 1.75
    assert bus_factor(NAMED["all-gather"], 8) == bus_factor(NAMED["all-to-all"], 8) == 0.875
    assert bus_factor(NAMED["broadcast"], 8) == 1.0
