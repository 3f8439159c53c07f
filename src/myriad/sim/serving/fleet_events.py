"""Replicas that start, drain, fail and are repaired."""

from __future__ import annotations

import math

from myriad.sim.compiled import compiled
from myriad.sim.serving.prefix_cache import forget
from myriad.sim.serving.routing import assign, empty_backlog
from myriad.sim.serving.running import lose_iteration
from myriad.sim.serving.sequences import stop_prefilling, stop_running
from myriad.sim.serving.state import (
    BLOCKED,
    CHANGED,
    CHANGES,
    COPIES_END,
    COPY_WIDTH,
    DECODES,
    DRAINING,
    DRAWS,
    EPOCH,
    EVICTABLE,
    EXPONENTIAL,
    FAILED,
    FIRST_COPY,
    FREE,
    GENERATED,
    INPUT,
    INTERVAL_S,
    LEAST,
    LIFE_LEAF,
    LOAD,
    MOST,
    MTBF_S,
    NEVER,
    NONE,
    NUM_DRAWS,
    NUM_PREFILLING,
    NUM_RUNNING,
    NUM_UNITS,
    OFF,
    ON_S,
    ON_SINCE_S,
    OUTSTANDING,
    POOL,
    POOL_FIRST_UNIT,
    POOL_UNITS_END,
    QUEUE,
    READY,
    REMOTE,
    REPAIR_S,
    REQUEUED,
    RUN_LEAF,
    SCALER_LEAF,
    START_UP_S,
    STARTING,
    TARGET,
    TARGET_REQUESTS,
    TOTAL_BLOCKS,
    UNIT_POOL,
    UNIT_STATE,
    UNIT_WIDTH,
    WAITING,
    Floats,
    Ints,
)
from myriad.sim.serving.waiting import set_clock, without_root


@compiled
def set_state(ints: Ints, floats: Floats, unit: int, state: int, now: float) -> None:
    """Changes the state of a unit; it is paid for unless it is off."""
    before = ints[unit + UNIT_STATE]
    if before == OFF and state != OFF:
        floats[unit + ON_SINCE_S] = now
    if before != OFF and state == OFF:
        floats[unit + ON_S] += now - floats[unit + ON_SINCE_S]
    ints[unit + UNIT_STATE] = state
    if (before == READY) != (state == READY):
        place = ints[CHANGED] + 2 * ints[CHANGES]
        floats[place] = now
        ints[place] = ints[unit + UNIT_POOL]
        ints[place + 1] = 1 if state == READY else -1
        ints[CHANGES] += 1


@compiled
def make_ready(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Lets a unit take requests, and says when it will fail."""
    set_state(ints, floats, unit, READY, now)
    pool = ints[unit + UNIT_POOL]
    fails_s = NEVER
    if floats[pool + MTBF_S] > 0.0:
        draw = (ints[unit + DRAWS] * ints[NUM_UNITS] + ints[unit + LIFE_LEAF]) % ints[NUM_DRAWS]
        ints[unit + DRAWS] += 1
        fails_s = now + floats[pool + MTBF_S] * floats[ints[EXPONENTIAL] + draw]
    set_clock(ints, floats, ints[unit + LIFE_LEAF], fails_s)
    empty_backlog(ints, floats, pool, now)


@compiled
def change_life(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """What is due in the life of a unit: it has started, fails, or is repaired."""
    if ints[unit + UNIT_STATE] == STARTING or ints[unit + UNIT_STATE] == FAILED:
        make_ready(ints, floats, unit, now)
    else:
        _fail(ints, floats, unit, now)


@compiled
def _fail(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Loses the unit's caches; its requests go elsewhere and are computed again, with what they have generated."""
    pool = ints[unit + UNIT_POOL]
    set_state(ints, floats, unit, FAILED, now)
    set_clock(ints, floats, ints[unit + LIFE_LEAF], now + floats[pool + REPAIR_S])
    set_clock(ints, floats, ints[unit + RUN_LEAF], NEVER)
    lose_iteration(ints, floats, unit, now)
    ints[unit + EPOCH] += 1
    for copy in range(ints[unit + FIRST_COPY], ints[unit + COPIES_END], ints[COPY_WIDTH]):
        ints[copy + LOAD] = 0
        while ints[copy + NUM_RUNNING]:
            _requeue(ints, floats, pool, stop_running(ints, floats, copy, 0), now)
        while ints[copy + NUM_PREFILLING]:
            _requeue(ints, floats, pool, stop_prefilling(ints, copy, 0), now)
        ints[copy + WAITING] = 0
        while ints[copy + QUEUE] != NONE:
            request = ints[copy + QUEUE]
            ints[copy + QUEUE] = without_root(ints, request)
            if ints[request + REMOTE]:  # its cache was here already
                ints[request + TARGET] = ints[request + INPUT] + ints[request + GENERATED]
                ints[request + REMOTE] = 0
            _requeue(ints, floats, pool, request, now)
        ints[copy + DECODES] = 0
        ints[copy + BLOCKED] = 0
        forget(ints, copy)


@compiled
def _requeue(ints: Ints, floats: Floats, pool: int, request: int, now: float) -> None:
    ints[REQUEUED] += 1
    assign(ints, floats, pool, request, now)


@compiled
def turn_off_if_empty(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Turns a draining unit off once nothing is left on it."""
    for copy in range(ints[unit + FIRST_COPY], ints[unit + COPIES_END], ints[COPY_WIDTH]):
        total = ints[ints[copy + POOL] + TOTAL_BLOCKS]
        if ints[copy + WAITING] or ints[copy + FREE] + ints[copy + EVICTABLE] < total:
            return
    for copy in range(ints[unit + FIRST_COPY], ints[unit + COPIES_END], ints[COPY_WIDTH]):
        forget(ints, copy)
    set_state(ints, floats, unit, OFF, now)
    set_clock(ints, floats, ints[unit + LIFE_LEAF], NEVER)


@compiled
def scale(ints: Ints, floats: Floats, pool: int, now: float) -> None:
    """Starts as many units as the unfinished requests call for, or drains one."""
    wanted = math.ceil(ints[pool + OUTSTANDING] / floats[pool + TARGET_REQUESTS])
    wanted = min(max(wanted, ints[pool + LEAST]), ints[pool + MOST])
    first, end = ints[pool + POOL_FIRST_UNIT], ints[pool + POOL_UNITS_END]
    on = 0
    for unit in range(first, end, UNIT_WIDTH):
        if ints[unit + UNIT_STATE] == STARTING or ints[unit + UNIT_STATE] == READY:
            on += 1
    for unit in range(first, end, UNIT_WIDTH):
        if on < wanted and ints[unit + UNIT_STATE] == DRAINING:
            set_state(ints, floats, unit, READY, now)
            empty_backlog(ints, floats, pool, now)
            on += 1
    for unit in range(first, end, UNIT_WIDTH):
        if on < wanted and ints[unit + UNIT_STATE] == OFF:
            set_state(ints, floats, unit, STARTING, now)
            set_clock(ints, floats, ints[unit + LIFE_LEAF], now + floats[pool + START_UP_S])
            on += 1
    if on > wanted:
        _drain_one(ints, floats, first, end, now)
    set_clock(ints, floats, ints[pool + SCALER_LEAF], now + floats[pool + INTERVAL_S])


@compiled
def _drain_one(ints: Ints, floats: Floats, first: int, end: int, now: float) -> None:
    """Takes the last unit out of service: one that still starts, or else one that is ready."""
    for unit in range(end - UNIT_WIDTH, first - 1, -UNIT_WIDTH):
        if ints[unit + UNIT_STATE] == STARTING:
            set_state(ints, floats, unit, OFF, now)
            set_clock(ints, floats, ints[unit + LIFE_LEAF], NEVER)
            return
    for unit in range(end - UNIT_WIDTH, first - 1, -UNIT_WIDTH):
        if ints[unit + UNIT_STATE] == READY:
            set_state(ints, floats, unit, DRAINING, now)
            turn_off_if_empty(ints, floats, unit, now)
            return
