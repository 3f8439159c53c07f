import numpy as np
import pytest

from myriad import catalog
from myriad.estimate.collectives import all_reduce_s
from myriad.estimate.peers import engine_all_reduce_s, expert_exchange_s, expert_transfer_s, peer_all_reduce_s
from myriad.estimate.tiers import place
from myriad.spec.cluster import Link
from myriad.spec.serving_kernels import ExpertExchange, PeerAllReduce, Transfer

FIT = PeerAllReduce(start_s=2e-6, step_s=3e-7, second_s=4e-6, one_shot_share=0.6, two_shot_share=0.75)
NEAR = Link(tier="scale-up", domain=8, bytes_per_s_one_way=450e9, latency_s=1.5e-6, start_s=5e-6, half_bytes=3.7e6)
FAR = Link(tier="scale-out", domain=1024, bytes_per_s_one_way=50e9, latency_s=8e-6, efficiency=0.85)


def serving(accelerator="h100-sxm"):
    found = catalog.kernels(accelerator)[0].serving
    assert found is not None
    return found


def test_small_messages_take_one_shot_and_large_ones_two():
    small = peer_all_reduce_s(16384, 8, 450e9, FIT)
    assert small == pytest.approx(2e-6 + 3 * 3e-7 + 7 * 16384 / (450e9 * 0.6))
    large = peer_all_reduce_s(2**23, 8, 450e9, FIT)
    assert large == pytest.approx(6e-6 + 3 * 3e-7 + 1.75 * 2**23 / (450e9 * 0.75))
    assert peer_all_reduce_s(16384, 1, 450e9, FIT) == 0.0


def test_engines_beat_nccl_when_little_is_sent_and_never_lose_to_it():
    sizes = 2.0 ** np.arange(10, 28)
    nccl = all_reduce_s(sizes, place(8, 1, (NEAR, FAR)))
    own = engine_all_reduce_s(sizes, 8, 1, (NEAR, FAR), FIT)
    assert np.all(np.diff(own) > 0)
    assert own[0] < 0.4 * nccl[0]
    assert np.all(own <= nccl)


def test_beyond_a_domain_it_is_nccl():
    own = engine_all_reduce_s(65536, 16, 1, (NEAR, FAR), FIT)
    assert own == all_reduce_s(65536, place(16, 1, (NEAR, FAR)))
    assert engine_all_reduce_s(65536, 4, 4, (NEAR, FAR), FIT) == all_reduce_s(65536, place(4, 4, (NEAR, FAR)))


def test_a_copy_per_rank_is_never_more_than_one_per_expert():
    transfer = Transfer(start_s=1e-5, share=0.5)
    per_rank, per_expert = (
        expert_transfer_s(4096, 7168, 8, 256, 8, (NEAR, FAR), transfer, copies) for copies in (False, True)
    )
    assert per_rank < per_expert
    assert per_expert == pytest.approx(1e-5 + 4096 * 7168 * 8 / (450e9 * 0.5))
    assert expert_transfer_s(4096, 7168, 8, 256, 1, (NEAR, FAR), transfer, True) == 0.0


def test_an_exchange_is_both_ways():
    transfer = Transfer(start_s=1e-5, share=0.5)
    fit = ExpertExchange(dispatch=transfer, combine=transfer)
    both = expert_exchange_s(64, 7168, 14336, 8, 256, 8, (NEAR, FAR), fit, True)
    one, other = (expert_transfer_s(64, b, 8, 256, 8, (NEAR, FAR), transfer, True) for b in (7168, 14336))
    assert both == one + other


@pytest.mark.parametrize(
    ("ranks", "dispatch_us", "combine_us"),
    # DeepEP's own figures (README of deepseek-ai/DeepEP, low-latency kernels: 128 tokens of 7,168, 8 of its experts,
    # 8-bit dispatch, bf16 combine, H800 with 400 Gb/s each); quoted from memory.
    [(16, 118, 195), (32, 155, 273), (64, 173, 314), (128, 192, 369), (256, 194, 360)],
)
def test_low_latency_exchange_over_a_network_comes_near_published_times(ranks, dispatch_us, combine_us):
    links = catalog.cluster("hgx-h800:256").links
    fit = serving("h800-sxm").exchange["low-latency"]
    dispatch = expert_transfer_s(128, 7168 * (1 + 4 / 128), 8, 288, ranks, links, fit.dispatch, True)
    combine = expert_transfer_s(128, 7168 * 2, 8, 288, ranks, links, fit.combine, True)
    assert float(dispatch) * 1e6 == pytest.approx(dispatch_us, rel=0.25)
    assert float(combine) * 1e6 == pytest.approx(combine_us, rel=0.25)


@pytest.mark.parametrize("accelerator", ["a100-sxm-80gb", "h100-sxm", "b200-sxm", "gb200"])
def test_shipped_figures_reduce_a_decoding_step_in_microseconds(accelerator):
    link = catalog.node(catalog.accelerator(accelerator).default_node).scale_up_bytes_per_s_one_way
    assert 2e-6 < peer_all_reduce_s(8 * 8192 * 2, 4, link, serving(accelerator).all_reduce) < 1e-5
