"""What the iterations of a unit do when they end: tokens, finished requests, computed prompts."""

from __future__ import annotations

from myriad.sim.compiled import compiled
from myriad.sim.serving.batching import plan_copy
from myriad.sim.serving.iteration_time import add_gaps, run_s
from myriad.sim.serving.prefix_cache import take
from myriad.sim.serving.sequences import (
    finish,
    free_request,
    gained,
    growth_blocks,
    join,
    keep_blocks,
    leave,
    leave_copy,
)
from myriad.sim.serving.state import (
    ACCEPTED,
    BATCH_S,
    BUSY_S,
    CACHE_BYTES_PER_TOKEN,
    CACHE_S,
    CHUNK,
    COPIES_END,
    COPY_S,
    COPY_WIDTH,
    DECODE_S,
    DECODES,
    DISAGGREGATED,
    DONE,
    EPOCH,
    EVICTABLE,
    FAR,
    FINISH_AT,
    FIRST_COPY,
    FIRST_ITERATION_S,
    FIRST_POOL,
    FIRST_S,
    FREE,
    FRESH,
    GENERATED,
    GROWTH_S,
    ITERATIONS,
    LAST_DECODE_S,
    LAST_S,
    LINK_FREE_S,
    LINK_LATENCY_S,
    LINK_S_PER_BYTE,
    MOST_USED,
    NEVER,
    NEXT_FINISH,
    NUM_PREFILLING,
    NUM_RUNNING,
    OFFSET,
    OUTPUT,
    POOL,
    PREFILLED,
    PREFILLING,
    RUN,
    RUN_LEAF,
    RUNNING,
    SENT_BY,
    SENT_EPOCH,
    START_S,
    TARGET,
    TOKENS,
    TOKENS_OUT,
    TOTAL_BLOCKS,
    Floats,
    Ints,
)
from myriad.sim.serving.waiting import push_transfer, set_clock


@compiled
def start_unit(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Starts the next iterations of a unit: of its copies the slowest sets the time, the first to change the number."""
    first_s, growth_s, run = 0.0, 0.0, 0
    for copy in range(ints[unit + FIRST_COPY], ints[unit + COPIES_END], ints[COPY_WIDTH]):
        copy_s, copy_growth_s, copy_run = plan_copy(ints, floats, copy, now)
        if copy_run == 0:
            continue
        if run == 0:
            first_s, growth_s, run = copy_s, copy_growth_s, copy_run
            continue
        run = min(run, copy_run)
        if copy_s > first_s or (copy_s == first_s and copy_growth_s > growth_s):
            copy_s, first_s = first_s, copy_s
            copy_growth_s, growth_s = growth_s, copy_growth_s
        if run > 1 and copy_growth_s > growth_s:  # the other becomes the slowest later: only up to there
            run = min(run, 1 + int((first_s - copy_s) / (copy_growth_s - growth_s)))
    ints[unit + RUN] = run
    floats[unit + START_S] = now
    floats[unit + FIRST_ITERATION_S] = first_s
    floats[unit + GROWTH_S] = growth_s
    end_s = now + run_s(first_s, growth_s, run) if run else NEVER
    set_clock(ints, floats, ints[unit + RUN_LEAF], end_s)


@compiled
def iteration_under_way(ints: Ints, floats: Floats, unit: int, now: float) -> int:
    """Which iteration of the unit's run is under way, from 1 on."""
    first_s, growth_s = floats[unit + FIRST_ITERATION_S], floats[unit + GROWTH_S]
    elapsed_s = now - floats[unit + START_S]
    low, high = 1, ints[unit + RUN]
    while low < high:
        middle = (low + high) // 2
        if run_s(first_s, growth_s, middle) >= elapsed_s:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def cut_run(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Ends the run of a unit with the iteration that is under way."""
    iteration = iteration_under_way(ints, floats, unit, now)
    if iteration < ints[unit + RUN]:
        ints[unit + RUN] = iteration
        took_s = run_s(floats[unit + FIRST_ITERATION_S], floats[unit + GROWTH_S], iteration)
        set_clock(ints, floats, ints[unit + RUN_LEAF], max(floats[unit + START_S] + took_s, now))


@compiled
def lose_iteration(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Stops a unit at once: what its finished iterations did stays, the one under way is lost."""
    finished = iteration_under_way(ints, floats, unit, now) - 1
    if ints[unit + RUN] and finished:
        ints[unit + RUN] = finished
        end_s = floats[unit + START_S] + run_s(floats[unit + FIRST_ITERATION_S], floats[unit + GROWTH_S], finished)
        end_unit(ints, floats, unit, end_s)
        floats[unit + BUSY_S] += now - end_s
    elif ints[unit + RUN]:
        floats[unit + BUSY_S] += now - floats[unit + START_S]
    ints[unit + RUN] = 0


@compiled
def end_unit(ints: Ints, floats: Floats, unit: int, now: float) -> None:
    """Ends the iterations under way on all copies of a unit."""
    duration_s = now - floats[unit + START_S]
    floats[unit + BUSY_S] += duration_s
    for copy in range(ints[unit + FIRST_COPY], ints[unit + COPIES_END], ints[COPY_WIDTH]):
        total = ints[ints[copy + POOL] + TOTAL_BLOCKS]
        used_before = (total - ints[copy + FREE] - ints[copy + EVICTABLE]) / total
        if ints[copy + DECODES]:
            after = gained(floats[ints[copy + POOL] + ACCEPTED], ints[copy + ITERATIONS] + ints[unit + RUN])
            take(ints, copy, growth_blocks(ints, copy, after))
        used = (total - ints[copy + FREE] - ints[copy + EVICTABLE]) / total
        floats[CACHE_S] += 0.5 * (used_before + used) * duration_s
        floats[COPY_S] += duration_s
        floats[MOST_USED] = max(used, floats[MOST_USED])
        if ints[copy + DECODES]:
            _end_decode(ints, floats, copy, unit, now)
        if ints[copy + NUM_PREFILLING]:
            _end_chunks(ints, floats, copy, unit, now)
    ints[unit + RUN] = 0


@compiled
def _end_decode(ints: Ints, floats: Floats, copy: int, unit: int, now: float) -> None:
    accepted = floats[ints[copy + POOL] + ACCEPTED]
    run, sequences, fresh = ints[unit + RUN], ints[copy + NUM_RUNNING], ints[copy + FRESH]
    base = ints[copy + RUNNING]
    start_s, first_s, growth_s = floats[unit + START_S], floats[unit + FIRST_ITERATION_S], floats[unit + GROWTH_S]
    after = gained(accepted, ints[copy + ITERATIONS] + run)
    for at in range(base + sequences - fresh, base + sequences):
        add_gaps(ints, floats, start_s + first_s - floats[ints[at] + LAST_S], 0.0, 1, 1.0)
    add_gaps(ints, floats, start_s + first_s - floats[copy + LAST_DECODE_S], 0.0, 1, sequences - fresh)
    add_gaps(ints, floats, first_s + growth_s, growth_s, run - 1, sequences)
    ints[TOKENS_OUT] += sequences * (after - ints[copy + TOKENS])
    floats[DECODE_S] += now - start_s
    floats[BATCH_S] += sequences * (now - start_s)
    ints[copy + FRESH] = 0
    floats[copy + LAST_DECODE_S] = now
    ints[copy + ITERATIONS] += run
    ints[copy + TOKENS] = after
    if ints[copy + NEXT_FINISH] > after:
        return
    soonest = FAR
    for at in range(base + sequences - 1, base - 1, -1):
        request = ints[at]
        goal = ints[request + FINISH_AT]
        if goal > after:
            soonest = min(soonest, goal)
            continue
        ints[TOKENS_OUT] -= after - goal
        leave(ints, copy, request)
        ints[at] = ints[base + ints[copy + NUM_RUNNING]]
        free_request(ints, copy, request, ints[request + OFFSET] + after)
        ints[request + GENERATED] = ints[request + OUTPUT]
        leave_copy(ints, copy, request)
        finish(ints, floats, request, now)
    ints[copy + NEXT_FINISH] = soonest


@compiled
def _end_chunks(ints: Ints, floats: Floats, copy: int, unit: int, now: float) -> None:
    prefilling, chunks = ints[copy + PREFILLING], ints[copy + CHUNK]
    kept = 0
    for at in range(ints[copy + NUM_PREFILLING]):
        request, new = ints[prefilling + at], ints[chunks + at]
        ints[request + DONE] += new
        ints[PREFILLED] += new
        if new:
            keep_blocks(ints, copy, request)
        if ints[request + DONE] < ints[request + TARGET]:
            ints[prefilling + kept] = request
            kept += 1
            continue
        _end_prefill(ints, floats, copy, unit, request, now)
    ints[copy + NUM_PREFILLING] = kept


@compiled
def _end_prefill(ints: Ints, floats: Floats, copy: int, unit: int, request: int, now: float) -> None:
    """The token that the last chunk yields, and where the request goes then."""
    ints[request + GENERATED] += 1
    ints[TOKENS_OUT] += 1
    if floats[request + FIRST_S] < 0.0:
        floats[request + FIRST_S] = now
    else:
        add_gaps(ints, floats, now - floats[request + LAST_S], 0.0, 1, 1.0)
    floats[request + LAST_S] = now
    if ints[request + GENERATED] == ints[request + OUTPUT]:
        free_request(ints, copy, request, ints[request + TARGET])
        leave_copy(ints, copy, request)
        finish(ints, floats, request, now)
    elif ints[DISAGGREGATED] and ints[copy + POOL] == ints[FIRST_POOL]:
        leave_copy(ints, copy, request)
        _send(ints, floats, copy, unit, request, now)
    else:
        join(ints, copy, request)


@compiled
def _send(ints: Ints, floats: Floats, copy: int, unit: int, request: int, now: float) -> None:
    """Queues the request's cache on the link of its unit. The copy holds it until it has arrived."""
    pool = ints[FIRST_POOL]
    begin_s = max(now, floats[unit + LINK_FREE_S])
    size_bytes = floats[pool + CACHE_BYTES_PER_TOKEN] * ints[request + TARGET]
    floats[unit + LINK_FREE_S] = begin_s + size_bytes * floats[pool + LINK_S_PER_BYTE]
    ints[request + SENT_BY] = copy
    ints[request + SENT_EPOCH] = ints[unit + EPOCH]
    arrival_s = floats[unit + LINK_FREE_S] + floats[pool + LINK_LATENCY_S]
    push_transfer(ints, floats, arrival_s, request)
