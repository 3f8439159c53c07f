"""The order of operations of every schedule, as its framework or its paper has it.

    gpipe        all forwards, then all backwards; with chunks breadth first (arXiv 1811.06965, 2211.05953)
    1f1b         PipeDream-flush; with chunks Megatron's interleaved order (arXiv 2104.04473)
    zero-bubble  ZB-H1 (arXiv 2401.10241); with chunks PyTorch's InterleavedZeroBubble
    zb-v         two chunks per device in a V (arXiv 2401.10241, section 6), as PyTorch's ZBVZeroBubble
    dualpipe     from both ends at once (arXiv 2412.19437), as in DeepSeek's published code

Chunk c of a model is on device c mod p, except in a V, where the second half comes back.
"""

from __future__ import annotations

import numpy as np

from myriad.errors import InfeasibleError
from myriad.estimate.pipeline import chunk_places
from myriad.estimate.schedule.dualpipe import dualpipe_devices
from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT, DeviceOrder, IntArray, Order
from myriad.estimate.schedule.zb_v import zb_v_device


def order_of(schedule: str, num_stages: int, num_chunks: int, num_micro_batches: int) -> Order:
    """The order of a schedule of `spec.layout.PIPELINE_SCHEDULES`; `num_chunks` is per stage.

    Raises InfeasibleError for numbers that the schedule cannot run with.
    """
    p, v, m = num_stages, num_chunks, num_micro_batches
    around = chunk_places(p, v)[None, :]
    one_way = np.zeros(m, dtype=np.int64)
    match schedule:
        case "gpipe":
            return Order(schedule, m, around, one_way, False, tuple(_gpipe(s, p, v, m) for s in range(p)))
        case "1f1b":
            return Order(schedule, m, around, one_way, False, tuple(_one_f_one_b(s, p, v, m) for s in range(p)))
        case "zero-bubble":
            return Order(schedule, m, around, one_way, True, tuple(_zero_bubble(s, p, v, m) for s in range(p)))
        case "zb-v":
            if v != 2:
                raise InfeasibleError(f"schedule zb-v has two chunks per stage, found {v}")
            return Order(
                schedule,
                m,
                chunk_places(p, v, in_a_v=True)[None, :],
                one_way,
                True,
                tuple(zb_v_device(s, p, m) for s in range(p)),
            )
        case "dualpipe":
            if v != 1 or p % 2 or m % 2 or m < 2 * p:
                raise InfeasibleError(
                    f"schedule dualpipe needs an even number of stages, one chunk each, and an even number of "
                    f"micro-batches, two per stage at least; found {p} stages x {v} and {m} micro-batches"
                )
            both = np.stack((np.arange(p), np.arange(p)[::-1]))
            direction = (np.arange(m) >= m // 2).astype(np.int64)
            return Order(schedule, m, both, direction, True, dualpipe_devices(p, m))
    raise InfeasibleError(f"schedule {schedule}: no order of operations is known")


def round_size(p: int, m: int) -> int:
    """Micro-batches that go through a chunk before the next chunk has its turn: p where that divides m.

    Else m in as many equal rounds as hold p each, as PyTorch's Interleaved1F1B has them. Raises InfeasibleError
    if there are no such rounds.

    >>> round_size(4, 16), round_size(4, 10), round_size(4, 3)
    (4, 5, 3)
    """
    rounds = max(1, m // p)
    if m % rounds:
        raise InfeasibleError(f"{m} micro-batches cannot go through chunks in {rounds} equal rounds of {p} or more")
    return m // rounds


def _rounds(stage: int, p: int, v: int, m: int) -> tuple[IntArray, IntArray, IntArray]:
    """Micro-batch, chunk of its forward and chunk of its backward, as a device of 1F1B goes through them.

    Round after round, each through all chunks (Megatron-Core's `get_schedule_table`).
    """
    size = round_size(p, m) if v > 1 else m
    number = np.arange(m * v)
    round_, inside = np.divmod(number, size * v)
    local = inside // size
    return round_ * size + inside % size, local * p + stage, (v - 1 - local) * p + stage


def _gpipe(stage: int, p: int, v: int, m: int) -> DeviceOrder:
    micro_batch = np.tile(np.arange(m), 2 * v)
    forward = np.repeat(np.arange(v), m) * p + stage
    chunk = np.concatenate((forward, forward[::-1]))
    kind = np.repeat([FORWARD, BACKWARD], v * m)
    return DeviceOrder(kind, chunk, micro_batch, np.zeros(len(kind), dtype=bool))


def _one_f_one_b(stage: int, p: int, v: int, m: int) -> DeviceOrder:
    """Warm-up forwards, one forward and one backward in turn, the remaining backwards."""
    micro_batch, forward, backward = _rounds(stage, p, v, m)
    total = m * v
    warm_up = min(p - stage - 1 if v == 1 else 2 * (p - stage - 1) + (v - 1) * round_size(p, m), total)
    # Operation i of either kind stands at these places of the device's list.
    number = np.arange(total)
    forward_at = np.where(number < warm_up, number, 2 * number - warm_up)
    backward_at = np.where(number < total - warm_up, 2 * number + warm_up + 1, total + number)
    kind, chunk, batch = (np.empty(2 * total, dtype=np.int64) for _ in range(3))
    kind[forward_at], kind[backward_at] = FORWARD, BACKWARD
    chunk[forward_at], chunk[backward_at] = forward, backward
    batch[forward_at], batch[backward_at] = micro_batch, micro_batch
    return DeviceOrder(kind, chunk, batch, np.zeros(2 * total, dtype=bool))


def _zero_bubble(stage: int, p: int, v: int, m: int) -> DeviceOrder:
    """1F1B with the gradients of weights `stage` operations behind those of inputs.

    Later stages, which 1F1B leaves with fewer micro-batches in flight, so keep as many as the first; the gradients
    that they have put off fill the end.
    """
    micro_batch, forward, backward = _rounds(stage, p, v, m)
    total = m * v
    warm_up = min(p - stage - 1 + (v - 1) * (round_size(p, m) if v > 1 else 0), total)
    rows = [(FORWARD, int(forward[i]), int(micro_batch[i])) for i in range(warm_up)]
    for i in range(total):
        ahead = i + warm_up
        if ahead < total:
            rows.append((FORWARD, int(forward[ahead]), int(micro_batch[ahead])))
        rows.append((BACKWARD, int(backward[i]), int(micro_batch[i])))
        if i >= stage:
            rows.append((WEIGHT, int(backward[i - stage]), int(micro_batch[i - stage])))
    rows += [(WEIGHT, int(backward[i]), int(micro_batch[i])) for i in range(max(total - stage, 0), total)]
    return DeviceOrder.of(rows)
