"""Which replica a request goes to, and what happens when it arrives there."""

from __future__ import annotations

from myriad.sim.compiled import compiled
from myriad.sim.serving.prefix_cache import found_blocks
from myriad.sim.serving.running import cut_run
from myriad.sim.serving.state import (
    BACKLOG,
    BLOCK,
    BLOCKED,
    BLOCKS_PER_HASH,
    COPY_WIDTH,
    INPUT,
    LOAD,
    NONE,
    NUM_PREFILLING,
    NUM_RUNNING,
    ON_COPY,
    POOL_COPIES_END,
    POOL_FIRST_COPY,
    PREFIX_AWARE,
    QUEUE,
    READY,
    ROUND_ROBIN,
    ROUTER,
    RUN,
    RUN_LEAF,
    SLOTS,
    TARGET,
    TURN,
    UNIT,
    UNIT_STATE,
    WAITING,
    Floats,
    Ints,
)
from myriad.sim.serving.waiting import merged, set_clock, without_root


@compiled
def route(ints: Ints, pool: int, request: int) -> int:
    """The copy for a request among those of ready units; NONE without any.

    Round robin: the next one. Least loaded: the fewest prompt tokens of unfinished requests. Prefix aware: the fewest
    of these and of the request's own tokens that are not cached there, together. The first of equals.
    """
    first, end, width = ints[pool + POOL_FIRST_COPY], ints[pool + POOL_COPIES_END], ints[COPY_WIDTH]
    router = ints[pool + ROUTER]
    if router == ROUND_ROBIN:
        for step in range(0, end - first, width):
            copy = first + (ints[pool + TURN] + step) % (end - first)
            if ints[ints[copy + UNIT] + UNIT_STATE] == READY:
                ints[pool + TURN] = copy - first + width
                return copy
        return NONE
    best, least = NONE, 0
    tokens = ints[pool + BLOCK] * ints[pool + BLOCKS_PER_HASH]
    for copy in range(first, end, width):
        if ints[ints[copy + UNIT] + UNIT_STATE] != READY:
            continue
        load = ints[copy + LOAD]
        if router == PREFIX_AWARE and (best == NONE or load - ints[request + TARGET] < least):
            load -= tokens * found_blocks(ints, copy, request)
        if best == NONE or load < least:
            best, least = copy, load
    return best


@compiled
def assign(ints: Ints, floats: Floats, pool: int, request: int, now: float) -> None:
    """Queues the request on a copy of the pool, or in the pool's backlog while none is ready."""
    copy = route(ints, pool, request)
    if copy == NONE:
        ints[pool + BACKLOG] = merged(ints, ints[pool + BACKLOG], request)
        return
    ints[request + ON_COPY] = copy
    ints[copy + LOAD] += ints[request + INPUT]
    ints[copy + WAITING] += 1
    root = merged(ints, ints[copy + QUEUE], request)
    ints[copy + QUEUE] = root
    if root == request:
        ints[copy + BLOCKED] = 0
    elif ints[copy + BLOCKED]:
        return  # what is ahead of it waits for memory
    unit = ints[copy + UNIT]
    if ints[unit + RUN] == 0:
        set_clock(ints, floats, ints[unit + RUN_LEAF], now)
    elif ints[unit + RUN] > 1 and ints[copy + NUM_RUNNING] + ints[copy + NUM_PREFILLING] < ints[pool + SLOTS]:
        cut_run(ints, floats, unit, now)


@compiled
def empty_backlog(ints: Ints, floats: Floats, pool: int, now: float) -> None:
    """Hands out what has waited for a ready replica."""
    while ints[pool + BACKLOG] != NONE:
        request = ints[pool + BACKLOG]
        ints[pool + BACKLOG] = without_root(ints, request)
        assign(ints, floats, pool, request, now)
