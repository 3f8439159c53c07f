import numpy as np
import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT, DeviceOrder, Order
from myriad.estimate.schedule.orders import order_of
from myriad.estimate.schedule.timeline import ChunkTimes, Transfers, timeline

LETTERS = {FORWARD: "F", BACKWARD: "B", WEIGHT: "W"}


def listed(schedule: str, p: int, v: int, m: int, device: int, chunks: bool = False) -> str:
    one = order_of(schedule, p, v, m).devices[device]
    return " ".join(
        LETTERS[k] + str(b) + (f".{c}" if chunks else "")
        for k, b, c in zip(one.kind.tolist(), one.micro_batch.tolist(), one.chunk.tolist(), strict=True)
    )


def test_1f1b_warms_up_with_a_forward_for_each_stage_behind():
    assert listed("1f1b", 3, 1, 4, 0) == "F0 F1 F2 B0 F3 B1 B2 B3"
    assert listed("1f1b", 3, 1, 4, 2) == "F0 B0 F1 B1 F2 B2 F3 B3"


def test_gpipe_does_all_forwards_first():
    assert listed("gpipe", 2, 1, 3, 0) == "F0 F1 F2 B0 B1 B2"
    assert listed("gpipe", 2, 2, 2, 1, chunks=True) == "F0.1 F1.1 F0.3 F1.3 B0.3 B1.3 B0.1 B1.1"


def test_interleaving_as_in_the_figure_of_its_paper():
    """Narayanan et al., arXiv 2104.04473, figure 4, lower half: the second of four devices with two chunks."""
    found = listed("1f1b", 4, 2, 8, 1, chunks=True).split()
    assert found[:11] == ["F0.1", "F1.1", "F2.1", "F3.1", "F0.5", "F1.5", "F2.5", "F3.5", "F4.1", "B0.5", "F5.1"]
    assert found[-3:] == ["B5.1", "B6.1", "B7.1"]


def test_zb_h1_delays_gradients_of_weights_by_the_stage():
    assert listed("zero-bubble", 3, 1, 4, 0) == "F0 F1 F2 B0 W0 F3 B1 W1 B2 W2 B3 W3"
    assert listed("zero-bubble", 3, 1, 4, 2) == "F0 B0 F1 B1 F2 B2 W0 F3 B3 W1 W2 W3"


def test_zb_v_returns_on_the_last_device():
    assert order_of("zb-v", 3, 2, 5).places.tolist() == [[0, 1, 2, 2, 1, 0]]
    assert listed("zb-v", 2, 2, 3, 1, chunks=True).startswith("F0.1 F0.2 F1.1 F1.2")


def test_dualpipe_goes_both_ways():
    order = order_of("dualpipe", 4, 1, 8)
    assert order.places.tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert order.direction.tolist() == [0] * 4 + [1] * 4
    first, last = order.devices[0], order.devices[3]
    assert first.kind.tolist() == last.kind.tolist()
    assert (first.micro_batch + 4).tolist()[:2] == last.micro_batch.tolist()[:2]
    assert first.with_next.any()


def _order(*devices: list[tuple[int, int, int]], joined: tuple[int, ...] = ()) -> Order:
    places = np.arange(len(devices))[None, :]
    rows = tuple(DeviceOrder.of(rows, joined if not number else ()) for number, rows in enumerate(devices))
    return Order("own", 2, places, np.zeros(2, dtype=np.int64), False, rows)


def test_an_order_that_cannot_finish_says_who_waits_for_what():
    first = [(FORWARD, 0, 0), (BACKWARD, 0, 0), (FORWARD, 0, 1), (BACKWARD, 0, 1)]
    second = [(FORWARD, 1, 0), (FORWARD, 1, 1), (BACKWARD, 1, 0), (BACKWARD, 1, 1)]
    one = np.ones(2)
    with pytest.raises(InfeasibleError, match="device 0 waits with backward of micro-batch 0, chunk 0 for backward of"):
        timeline(_order(first, second), ChunkTimes(one, one, one))


def test_an_order_must_be_whole_and_in_its_place():
    whole = [(FORWARD, 0, 0), (BACKWARD, 0, 0), (FORWARD, 0, 1), (BACKWARD, 0, 1)]
    assert _order(whole).num_devices == 1
    with pytest.raises(InfeasibleError, match="backward of micro-batch 1, chunk 0 runs 0 times"):
        _order(whole[:3])
    with pytest.raises(InfeasibleError, match="forward of micro-batch 0, chunk 0 runs 2 times"):
        _order([*whole, (FORWARD, 0, 0)])
    with pytest.raises(InfeasibleError, match="device 1 has an operation of another device"):
        _order([], whole)


def test_by_hand():
    """Two stages of 2 and 3 s forward, twice that backward, 0.5 s between them; one micro-batch after the other."""
    times = ChunkTimes(np.array([2.0, 3.0]), np.array([3.0, 4.0]), np.array([1.0, 2.0]))
    found = timeline(order_of("1f1b", 2, 1, 1), times, Transfers(np.array([0.5])))
    assert found.start_s.tolist() == [0.0, 12.0, 2.5, 5.5]
    assert found.end_s.tolist() == [2.0, 16.0, 5.5, 11.5]
    assert found.idle_s.tolist() == [10.0, 7.0]
    assert [x.tolist() for x in found.transfers()] == [[0, 3], [1, 0], [2.0, 11.5], [2.5, 12.0]]


def test_sending_may_hold_the_sender():
    times = ChunkTimes(np.ones(2), np.ones(2), np.zeros(2))
    found = timeline(order_of("gpipe", 2, 1, 2), times, Transfers(np.array([0.5]), holds_fraction=1.0))
    assert found.start_s[found.device == 0].tolist() == [0.0, 1.5, 5.5, 7.0]
    assert found.held_s.tolist() == [1.0, 1.0]
