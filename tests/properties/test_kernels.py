"""What holds for kernel and collective times whatever the sizes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad.estimate.collectives import all_gather_s, all_reduce_s, all_to_all_s, reduce_scatter_s
from myriad.estimate.device import Device
from myriad.estimate.kernels import attention_s, gemm_s, grouped_gemm_s
from myriad.estimate.tiers import place
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency
from myriad.spec.cluster import Link

sizes = st.integers(1, 2**18).map(float)
group_sizes = st.integers(1, 4096)
strides = st.integers(1, 256)
byte_counts = st.floats(0, 1e12)
fractions = st.floats(0.05, 1.0)


@st.composite
def devices(draw: st.DrawFn) -> Device:
    def gemm() -> GemmEfficiency:
        return GemmEfficiency(
            peak_fraction=draw(fractions), half_k=draw(st.floats(0, 2000)), wave_loss=draw(st.floats(0, 2))
        )

    return Device(
        name="any", gemm_flops_per_s=1e15, attention_flops_per_s=1e15, gemm=gemm(), grouped_gemm=gemm(),
        attention=AttentionEfficiency(
            forward_fraction=draw(fractions), backward_fraction=draw(fractions), half_tokens=draw(st.floats(0, 2000))
        ),
        num_sms=draw(st.integers(1, 200)), memory_bytes=80e9, memory_bytes_per_s=3e12,
        operand_bytes=draw(st.sampled_from([0.5625, 1.0, 2.0])), launch_s=draw(st.floats(0, 1e-5)),
        cast_bytes=0.0, scan_share=0.25,
        sustained_fraction=draw(fractions), calibrated=True,
    )  # fmt: skip


@st.composite
def links(draw: st.DrawFn) -> tuple[Link, ...]:
    """Two or three tiers, each slower than the nearer one."""
    half_bytes = draw(st.floats(0, 1e8))
    tiers = [("scale-up", draw(st.sampled_from([4, 8, 72])), 450e9), ("scale-out", 4096, 50e9)]
    tiers += [("scale-across", 16384, 1e9)] if draw(st.booleans()) else []
    return tuple(
        Link(tier=tier, domain=domain, bytes_per_s_one_way=rate, latency_s=1e-6, half_bytes=half_bytes)
        for tier, domain, rate in tiers
    )


@given(devices(), sizes, sizes, sizes)
def test_products_never_beat_the_roofline(device, m, n, k):
    floor = max(2 * m * n * k / 1e15, (device.operand_bytes * k * (m + n) + 2 * m * n) / 3e12)
    assert gemm_s(m, n, k, device) >= floor * (1 - 1e-12)


@given(devices(), sizes, sizes, sizes, st.sampled_from([1.01, 1.5, 2.0, 3.7]))
def test_products_never_get_faster_by_growing(device, m, n, k, factor):
    base = gemm_s(m, n, k, device)
    for larger in ((m * factor, n, k), (m, n * factor, k), (m, n, k * factor)):
        assert gemm_s(*larger, device) >= base * (1 - 1e-12)


@given(devices(), sizes, sizes, sizes)
def test_one_group_is_a_plain_product(device, m, n, k):
    same = replace(device, grouped_gemm=device.gemm)
    assert grouped_gemm_s(1, m, n, k, same) == gemm_s(m, n, k, same)


@given(devices(), st.integers(1, 512), sizes, sizes, sizes)
def test_grouping_never_beats_the_roofline(device, groups, tokens, n, k):
    floor = max(2 * tokens * n * k / 1e15, device.operand_bytes * k * (tokens + min(groups, tokens) * n) / 3e12)
    assert grouped_gemm_s(groups, tokens, n, k, device) >= floor * (1 - 1e-12)


@given(devices(), st.floats(0, 1e18), sizes, st.booleans())
def test_attention_never_beats_its_rate(device, flops, query_tokens, backward):
    assert attention_s(flops, query_tokens, device, backward) >= flops / 1e15 * (1 - 1e-12)


@pytest.mark.parametrize("collective", [all_gather_s, reduce_scatter_s, all_reduce_s, all_to_all_s])
@given(
    links=links(), size=group_sizes, stride=strides, bytes_=byte_counts, more=st.floats(1, 10), extra=st.integers(1, 64)
)
def test_collectives_grow_with_bytes_and_ranks(collective, links, size, stride, bytes_, more, extra):
    time = collective(bytes_, place(size, stride, links))
    assert time >= 0.0
    assert collective(bytes_ * more, place(size, stride, links)) >= time * (1 - 1e-12)
    if collective is not all_to_all_s:  # what a rank sends is shared out: further ranks take it off nearer links
        assert collective(bytes_, place(size + extra, stride, links)) >= time * (1 - 1e-9)


@given(links(), group_sizes, strides, byte_counts)
def test_all_reduce_lies_between_one_pass_and_two(links, size, stride, bytes_):
    placement = place(size, stride, links)
    one, two = all_gather_s(bytes_, placement), reduce_scatter_s(bytes_, placement) + all_gather_s(bytes_, placement)
    assert one <= all_reduce_s(bytes_, placement) <= two * (1 + 1e-12)


@given(links(), st.integers(1, 512), byte_counts)
def test_groups_over_nodes_never_beat_the_network_cards(links, nodes, bytes_):
    """What a node lacks must come in through its own cards."""
    per_node = links[0].domain
    size = per_node * nodes
    floor = bytes_ * (nodes - 1) / nodes / (per_node * links[1].bytes_per_s_one_way)
    assert all_gather_s(bytes_, place(size, 1, links)) >= floor * (1 - 1e-12)


@given(links(), st.lists(st.tuples(group_sizes, strides, byte_counts), min_size=1, max_size=8))
def test_columns_of_groups_give_what_single_groups_give(links, groups):
    size, stride, bytes_ = (np.array(column, float) for column in zip(*groups, strict=True))
    together = all_to_all_s(bytes_, place(size, stride, links))
    alone = [float(all_to_all_s(b, place(n, s, links))) for n, s, b in groups]
    assert together == pytest.approx(alone)
