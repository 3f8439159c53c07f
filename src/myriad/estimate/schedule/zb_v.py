"""ZB-V: two chunks per device, the second on the way back, so that first and last chunk share a device."""

from __future__ import annotations

from myriad.estimate.schedule.order import BACKWARD, FORWARD, WEIGHT, DeviceOrder


def zb_v_device(stage: int, p: int, m: int) -> DeviceOrder:
    """What device `stage` of p does for m micro-batches.

    The order of PyTorch's `ScheduleZBVZeroBubble`: it is laid out for at least 2 p - 1 micro-batches, and those
    that are not there are left out. Source: Qi et al., arXiv 2401.10241, section 6 and appendix.
    """
    laid_out = max(2 * p - 1, m)
    chunk_of = (stage, 2 * p - 1 - stage)
    done = {(kind, half): 0 for kind in (FORWARD, BACKWARD, WEIGHT) for half in (0, 1)}
    rows: list[tuple[int, int, int]] = []

    def add(kind: int, half: int) -> None:
        rows.append((kind, chunk_of[half], done[kind, half]))
        done[kind, half] += 1

    def add_whole_backward(half: int) -> None:
        add(BACKWARD, half)
        add(WEIGHT, half)

    for _ in range(2 * (p - stage) - 1):
        add(FORWARD, 0)
    for _ in range(stage):
        add(FORWARD, 1)
        add(FORWARD, 0)
    for _ in range(p - stage):
        add(FORWARD, 1)
        add_whole_backward(1)
    while done[FORWARD, 1] < laid_out:
        if done[FORWARD, 0] < laid_out:
            add(FORWARD, 0)
        add_whole_backward(0)
        add(FORWARD, 1)
        add_whole_backward(1)
    for _ in range(stage):
        add(BACKWARD, 0)
        add(BACKWARD, 1)
    for _ in range(p - stage):
        add_whole_backward(0)
    for half in (1, 0):
        while done[WEIGHT, half] < laid_out:
            add(WEIGHT, half)
    return DeviceOrder.of([row for row in rows if row[2] < m])
