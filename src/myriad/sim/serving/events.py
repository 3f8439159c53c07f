"""The loop: the earliest event, one after another."""

from __future__ import annotations

from myriad.sim.compiled import Loop, compiled
from myriad.sim.serving.fleet_events import change_life, scale, turn_off_if_empty
from myriad.sim.serving.routing import assign
from myriad.sim.serving.running import end_unit, start_unit
from myriad.sim.serving.sequences import finish, free_request
from myriad.sim.serving.state import (
    ARRIVAL_LEAF,
    ARRIVAL_S,
    CHANGED_ROOM,
    CHANGES,
    CLOCK,
    DRAINING,
    EPOCH,
    EVENTS,
    FINISHED,
    FIRST_POOL,
    FIRST_REQUEST,
    FIRST_UNIT,
    LAST_POOL,
    LIFE_LEAVES,
    NEVER,
    NEXT,
    NOW,
    NUM_UNITS,
    OUTSTANDING,
    POOL_WIDTH,
    REFUSED,
    RELEASED,
    REMOTE,
    REQUEST_WIDTH,
    REQUESTS_END,
    RUN,
    RUN_LEAF,
    SCALER_LEAVES,
    SENT_BY,
    SENT_EPOCH,
    SHARED,
    TARGET,
    TRANSFER_LEAF,
    UNIT,
    UNIT_STATE,
    UNIT_WIDTH,
    WINNER,
    Floats,
    Ints,
)
from myriad.sim.serving.waiting import pop_transfer, set_clock


@compiled
def run_events(ints: Ints, floats: Floats, most: int) -> bool:
    """Takes events until all requests are answered, or so many have been taken; whether all are.

    Among events at one time, arrivals go first, then transfers, scalers, lives of replicas, iterations. An iteration
    that ends and the next that starts are two events, so that what arrives between them is seen.
    """
    iteration_leaves = LIFE_LEAVES + ints[NUM_UNITS]
    last = ints[EVENTS] + most
    number = (ints[REQUESTS_END] - ints[FIRST_REQUEST]) // REQUEST_WIDTH
    while ints[FINISHED] < number:
        if ints[EVENTS] >= last or ints[CHANGES] > ints[CHANGED_ROOM]:
            return False
        ints[EVENTS] += 1
        leaf = ints[ints[WINNER] + 1]
        now = floats[ints[CLOCK] + leaf]
        floats[NOW] = now
        if leaf >= iteration_leaves:
            unit = ints[FIRST_UNIT] + (leaf - iteration_leaves) * UNIT_WIDTH
            if ints[unit + RUN]:
                end_unit(ints, floats, unit, now)
                set_clock(ints, floats, leaf, now)
            else:
                start_unit(ints, floats, unit, now)
            if ints[unit + UNIT_STATE] == DRAINING:
                turn_off_if_empty(ints, floats, unit, now)
        elif leaf == ARRIVAL_LEAF:
            _arrive(ints, floats, now)
        elif leaf == TRANSFER_LEAF:
            _receive(ints, floats, now)
        elif leaf >= LIFE_LEAVES:
            change_life(ints, floats, ints[FIRST_UNIT] + (leaf - LIFE_LEAVES) * UNIT_WIDTH, now)
        else:
            scale(ints, floats, ints[FIRST_POOL] + (leaf - SCALER_LEAVES) * POOL_WIDTH, now)
    return True


def loop_of(digest: str) -> Loop:
    """`run_events` as a function that has the digest in its closure; `compiled.kept` says why."""

    def loop(ints: Ints, floats: Floats, most: int) -> bool:
        _ = digest
        return run_events(ints, floats, most)

    return loop


@compiled
def _arrive(ints: Ints, floats: Floats, now: float) -> None:
    request = ints[NEXT]
    ints[NEXT] += REQUEST_WIDTH
    following = NEVER
    if ints[NEXT] < ints[RELEASED]:
        following = floats[ints[NEXT] + ARRIVAL_S]
    set_clock(ints, floats, ARRIVAL_LEAF, following)
    if ints[request + REFUSED]:
        finish(ints, floats, request, now)
        return
    ints[ints[FIRST_POOL] + OUTSTANDING] += 1
    assign(ints, floats, ints[FIRST_POOL], request, now)


@compiled
def _receive(ints: Ints, floats: Floats, now: float) -> None:
    """A cache has arrived: its request goes to a replica of the decode pool, the sender is free of it."""
    request = pop_transfer(ints, floats)
    sender = ints[request + SENT_BY]
    unit = ints[sender + UNIT]
    if ints[request + SENT_EPOCH] == ints[unit + EPOCH]:
        free_request(ints, sender, request, ints[request + TARGET])
        if ints[unit + RUN] == 0:
            set_clock(ints, floats, ints[unit + RUN_LEAF], now)
    ints[request + SHARED] = 0
    ints[request + REMOTE] = 1
    ints[ints[LAST_POOL] + OUTSTANDING] += 1
    assign(ints, floats, ints[LAST_POOL], request, now)
