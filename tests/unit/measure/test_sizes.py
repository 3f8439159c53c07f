"""Sizes follow from the kind of machine and its memory."""

from math import prod

import pytest

from myriad.measure.sizes import sizes

PLENTY = 1e12


def test_gpus_are_measured_beyond_their_caches():
    cpu, gpu = (sizes(on_gpu, False, PLENTY) for on_gpu in (False, True))
    cache_bytes = 126e6  # of a B200, the largest
    assert 2 * prod(gpu.streams[-1]) > 4 * cache_bytes
    assert 2 * max(map(prod, gpu.shapes)) > cache_bytes
    assert max(map(prod, gpu.products)) > 50 * max(map(prod, cpu.products))
    assert max(gpu.messages) > max(cpu.messages)
    assert len(gpu.streams) == len(cpu.streams) == 1


@pytest.mark.parametrize("gpu", [False, True])
def test_what_does_not_fit_is_left_out_and_what_fits_stays(gpu):
    whole, small = (sizes(gpu, False, memory) for memory in (PLENTY, 5e8))
    for kind in ("streams", "products", "attentions", "shapes", "parameters", "messages"):
        left = getattr(small, kind)
        assert left
        assert set(left) <= {*getattr(sizes(False, False, PLENTY), kind), *getattr(whole, kind)}
    assert len(small.shapes) < len(whole.shapes)


def test_quick_is_a_part_of_all():
    quick, whole = (sizes(False, on, PLENTY) for on in (True, False))
    for kind in ("products", "attentions", "shapes", "parameters", "messages"):
        assert set(getattr(quick, kind)) < set(getattr(whole, kind))
