import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.pipeline import (
    DUALPIPE,
    GPIPE,
    ONE_F_ONE_B,
    ZERO_BUBBLE,
    bubble_s,
    chunk_sizes,
    fill_level,
    in_flight,
    layer_counts,
)
from myriad.spec.layout import PIPELINE_SCHEDULES

F, B, W = 1.0, 2.0, 0.9


def bubble(schedule: int, pp: int, vpp: int = 1) -> float:
    """Of equal stages: all but the slowest are p - 1 of them."""
    others = [np.array([(pp - 1) * x]) for x in (F, B, W)]
    return float(bubble_s(np.array([schedule]), np.array([pp]), np.array([vpp]), *others)[0])


def held_by_stage(schedule: int, pp: int, vpp: int, micro_batches: int) -> list[float]:
    one = (np.array([x]) for x in (pp, vpp, micro_batches))
    return in_flight(np.array([schedule]), np.arange(pp, dtype=float)[:, None], *one)[:, 0].tolist()


@pytest.mark.parametrize("pp", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("vpp", [1, 2, 5])
def test_bubble_of_equal_stages_is_that_of_the_papers(pp, vpp):
    assert bubble(ONE_F_ONE_B, pp, vpp) == pytest.approx((pp - 1) * (F + B) / vpp)
    assert bubble(GPIPE, pp) == pytest.approx((pp - 1) * (F + B))
    assert bubble(ZERO_BUBBLE, pp) == pytest.approx((pp - 1) * (F + B - 2 * W))
    assert bubble(DUALPIPE, pp) == pytest.approx(max(pp / 2 - 1, 0) * (F + B + B - 3 * W))


def test_no_bubble_is_negative():
    heavy = np.array([10.0])
    for schedule in (ZERO_BUBBLE, DUALPIPE):
        assert (
            bubble_s(np.array([schedule]), np.array([8]), np.array([1]), np.array([1.0]), np.array([2.0]), heavy) == 0
        )


def test_1f1b_holds_as_many_micro_batches_as_stages_follow():
    assert held_by_stage(ONE_F_ONE_B, 4, 1, 64) == [4, 3, 2, 1]
    assert held_by_stage(ONE_F_ONE_B, 4, 1, 2) == [2, 2, 2, 1]


def test_interleaving_holds_what_megatron_warms_up_and_one_more():
    """Korthikanti et al., arXiv 2205.05198: the first stage holds 1 + (p - 1) / (p v) times as much as under 1F1B."""
    p, v = 8, 4
    held = held_by_stage(ONE_F_ONE_B, p, v, 64)
    assert held[0] == pytest.approx(p * (1 + (p - 1) / (p * v)))
    assert held[-1] == pytest.approx(((v - 1) * p + 1) / v)
    assert max(held_by_stage(ONE_F_ONE_B, p, v, 4)) <= 4


def test_gpipe_holds_all_and_dualpipe_one_more_than_stages():
    assert held_by_stage(GPIPE, 4, 1, 64) == [64] * 4
    assert held_by_stage(DUALPIPE, 4, 1, 64) == [5] * 4
    assert held_by_stage(DUALPIPE, 4, 1, 3) == [3] * 4


@pytest.mark.parametrize("schedule", range(len(PIPELINE_SCHEDULES)))
@pytest.mark.parametrize("vpp", [1, 2, 5])
def test_later_stages_never_hold_more(schedule, vpp):
    """Equal stages are estimated once, by the first of them."""
    for pp in (1, 2, 7, 16):
        for micro_batches in (1, 3, 16, 100):
            held = held_by_stage(schedule, pp, vpp, micro_batches)
            assert held == sorted(held, reverse=True)


@pytest.mark.parametrize("end_layers", [1, 2, 4, 9])
@pytest.mark.parametrize("chunks", [1, 2, 3, 7, 16, 40])
def test_chunks_hold_all_layers_at_one_level(chunks, end_layers):
    for layers in range(max(chunks - 2, 1), 130):
        sizes = chunk_sizes(layers, chunks, end_layers)
        assert len(sizes) == chunks
        assert sum(sizes) == layers
        assert min(sizes) >= 0
        if chunks > 2 and layers % chunks:
            level = fill_level(layers, chunks, end_layers)
            assert max(sizes[1:-1]) - min(sizes[1:-1]) <= 1
            held = [x + y for x, y in zip(sizes, (1, *[0] * (chunks - 2), end_layers), strict=True) if x]
            assert max(held) <= level


def test_layers_that_divide_are_dealt_out_equally():
    assert chunk_sizes(80, 8, 9) == (10,) * 8


def test_published_splits():
    """Llama 3 405B: the first and last of 128 chunks hold no layer (arXiv 2407.21783, section 3.1.2)."""
    assert chunk_sizes(126, 128) == (0, *[1] * 126, 0)
    assert sum(chunk_sizes(61, 16, 4)) == 61


def test_too_few_layers_are_refused():
    with pytest.raises(InfeasibleError, match="8 layers cannot fill 11"):
        chunk_sizes(8, 11)


def test_level_is_the_lowest_that_has_room():
    for layers, chunks, end in ((126, 16, 1), (61, 16, 4), (13, 4, 2), (3, 5, 1)):
        level = fill_level(layers, chunks, end)

        def room(level, chunks=chunks, end=end):
            return max(0, level - 1) + max(0, level - end) + (chunks - 2) * level

        assert room(level) >= layers > room(level - 1)


def test_layers_go_to_stages_in_order_and_chunks_go_round():
    kinds = ["dense"] * 2 + ["moe"] * 6
    assert layer_counts(kinds, ("dense", "moe"), 4, 1).tolist() == [[2, 0, 0, 0], [0, 2, 2, 2]]
    assert layer_counts(kinds, ("dense", "moe"), 2, 4).tolist() == [[1, 1], [3, 3]]


def test_counts_hold_every_layer_once():
    kinds = ["a", "b", "b"] * 13
    for pp, vpp in ((1, 1), (3, 1), (4, 1), (4, 3), (5, 8)):
        counts = layer_counts(kinds, ("a", "b"), pp, vpp, 2)
        assert counts.sum(axis=1).tolist() == [13, 26]
