import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.pipeline import (
    DUALPIPE,
    GPIPE,
    ONE_F_ONE_B,
    ZB_V,
    ZERO_BUBBLE,
    bubble_is_exact,
    bubble_s,
    chunk_sizes,
    fill_level,
    in_flight,
)
from myriad.spec.layout import PIPELINE_SCHEDULES

F, B, W = 1.0, 2.0, 1.0  # B is both gradients


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
    assert bubble(ZERO_BUBBLE, pp, vpp) == pytest.approx((pp - 1) * (F + B - 2 * W) / vpp)
    assert bubble(DUALPIPE, pp) == pytest.approx(max(pp / 2 - 1, 0) * (F + B + B - 3 * W))
    assert bubble(ZB_V, pp, 2) == pytest.approx((pp - 1) * W / 2)


def test_no_bubble_is_negative():
    eight, one = np.array([8]), np.array([1])
    for schedule in range(len(PIPELINE_SCHEDULES)):
        for weight in (0.0, 0.5, 1.9):
            bubble = bubble_s(np.array([schedule]), eight, one, np.array([0.3]), np.array([2.0]), np.array([weight]))
            assert bubble >= 0


def test_the_closed_form_says_where_it_holds():
    def exact(schedule: int, pp: int, vpp: int, *micro_batches: int) -> list[bool]:
        columns = (np.full(len(micro_batches), value) for value in (schedule, pp, vpp))
        return bubble_is_exact(*columns, np.array(micro_batches)).tolist()

    assert exact(ONE_F_ONE_B, 4, 1, 1, 5, 8) == [True, True, True]
    assert exact(ONE_F_ONE_B, 4, 2, 3, 4, 8, 9, 10) == [False, True, True, False, True]
    assert exact(GPIPE, 4, 2, 3, 9) == [False, True]
    assert exact(ZERO_BUBBLE, 4, 1, 3, 9) == [False, True]
    assert exact(ZB_V, 4, 2, 6, 7) == [False, True]
    assert exact(DUALPIPE, 4, 1, 6, 8, 9) == [False, True, False]
    assert exact(DUALPIPE, 5, 1, 10) == [False]


def test_later_weight_gradients_hold_as_much_on_every_stage():
    """As much as the first stage of 1F1B: table 1 of arXiv 2401.10241."""
    assert held_by_stage(ZERO_BUBBLE, 4, 1, 64) == [4] * 4
    assert held_by_stage(ZERO_BUBBLE, 4, 1, 2) == [2] * 4
    assert held_by_stage(ZERO_BUBBLE, 4, 3, 64) == [4] * 4
    assert held_by_stage(ZB_V, 4, 2, 64) == [4] * 4


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
