"""What a copy runs next: which sequences decode, which prompts are computed, how long that takes, how often it is."""

from __future__ import annotations

from myriad.sim.compiled import compiled
from myriad.sim.serving.iteration_time import chunk_s, decode_line, token_s
from myriad.sim.serving.sequences import admit, gained, growth_blocks, join, preempt
from myriad.sim.serving.state import (
    ACCEPTED,
    BATCHING,
    BLOCK,
    BLOCKED,
    BUDGET,
    CHUNK,
    CHUNKED,
    DECODES,
    DONE,
    EVICTABLE,
    FREE,
    ITERATIONS,
    NEXT_FINISH,
    NONE,
    NUM_PREFILLING,
    NUM_RUNNING,
    OFFSET_SUM,
    POOL,
    PREFILLING,
    QUEUE,
    REMOTE,
    SLOTS,
    STEPPING,
    TARGET,
    TOKENS,
    TOKENS_PER_SEQUENCE,
    Floats,
    Ints,
)


@compiled
def plan_copy(ints: Ints, floats: Floats, copy: int, now: float) -> tuple[float, float, int]:
    """The next iterations of a copy: seconds of the first, growth from one to the next, how many; 0 of them if idle.

    Decode goes first and keeps its blocks: if these run out, the last in the order of service is preempted. Chunked:
    what the decoding sequences leave of the budget goes to prompts. Prefill first: whole prompts, while decode waits.
    Iterations repeat as long as the same sequences decode, nothing else can begin, and the time grows evenly.
    """
    pool = ints[copy + POOL]
    prefilling, chunks = ints[copy + PREFILLING], ints[copy + CHUNK]
    preempted = _make_room(ints, floats, copy)
    reserved = growth_blocks(ints, copy, gained(floats[pool + ACCEPTED], ints[copy + ITERATIONS] + 1))
    chunked = ints[pool + BATCHING] == CHUNKED
    per_sequence = ints[pool + TOKENS_PER_SEQUENCE]
    budget = ints[pool + BUDGET]
    if chunked:
        budget -= ints[copy + NUM_RUNNING] * per_sequence
    tokens, attention_s = 0, 0.0
    for at in range(ints[copy + NUM_PREFILLING]):
        request = ints[prefilling + at]
        new = _chunk(ints, request, budget, chunked, tokens)
        ints[chunks + at] = new
        budget = budget - new if new else 0
        tokens += new
        if new:
            attention_s += chunk_s(ints, floats, pool, new, ints[request + DONE])
    while _may_admit(ints, copy, budget) and not preempted:
        request = admit(ints, floats, copy, reserved, now)
        if request == NONE:
            break
        if ints[request + REMOTE]:
            if ints[request + TARGET] % ints[pool + BLOCK] == 0:
                reserved += 1
            join(ints, copy, request)
            budget -= per_sequence
            continue
        new = _chunk(ints, request, budget, chunked, tokens)
        at = ints[copy + NUM_PREFILLING]
        ints[prefilling + at], ints[chunks + at] = request, new
        ints[copy + NUM_PREFILLING] += 1
        budget = budget - new if new else 0
        tokens += new
        if new:
            attention_s += chunk_s(ints, floats, pool, new, ints[request + DONE])
    sequences = ints[copy + NUM_RUNNING]
    decodes = sequences > 0 and (chunked or tokens == 0)
    ints[copy + DECODES] = 1 if decodes else 0
    if not decodes:
        return (token_s(ints, floats, pool, tokens) + attention_s, 0.0, 1) if tokens else (0.0, 0.0, 0)
    first_s = token_s(ints, floats, pool, tokens + sequences * per_sequence) + attention_s
    accepted = floats[pool + ACCEPTED]
    keys = ints[copy + OFFSET_SUM] / sequences + accepted * ints[copy + ITERATIONS]
    decode_s, per_key_s, keys_end = decode_line(ints, floats, pool, sequences, keys)
    run = 1
    if tokens == 0 and ints[STEPPING] == 0 and not (preempted and _may_admit(ints, copy, budget)):
        run = _repeats(ints, floats, copy, (keys_end - keys) / accepted)
    return first_s + decode_s, per_key_s * accepted, run


@compiled
def _make_room(ints: Ints, floats: Floats, copy: int) -> bool:
    """Preempts until one more iteration of the decoding sequences fits; whether it had to."""
    after = gained(floats[ints[copy + POOL] + ACCEPTED], ints[copy + ITERATIONS] + 1)
    preempted = False
    while growth_blocks(ints, copy, after) > ints[copy + FREE] + ints[copy + EVICTABLE]:
        preempt(ints, floats, copy)
        preempted = True
    return preempted


@compiled
def _chunk(ints: Ints, request: int, budget: int, chunked: bool, before: int) -> int:
    """New tokens of a prompt in this iteration; an uncut prompt above the budget runs alone."""
    left = ints[request + TARGET] - ints[request + DONE]
    if left <= budget:
        return left
    if chunked:
        return max(budget, 0)
    return 0 if before else left


@compiled
def _may_admit(ints: Ints, copy: int, budget: int) -> bool:
    """Whether the first of the queue may be tried now."""
    request = ints[copy + QUEUE]
    if request == NONE or ints[copy + BLOCKED]:
        return False
    if ints[copy + NUM_RUNNING] + ints[copy + NUM_PREFILLING] >= ints[ints[copy + POOL] + SLOTS]:
        return False
    return budget > 0 or ints[request + REMOTE] == 1


@compiled
def _repeats(ints: Ints, floats: Floats, copy: int, growth_iterations: float) -> int:
    """Iterations until a sequence is finished, memory runs out, or the straight line of the table ends."""
    accepted = floats[ints[copy + POOL] + ACCEPTED]
    start, goal = ints[copy + ITERATIONS], ints[copy + NEXT_FINISH]
    run = max(int((goal - ints[copy + TOKENS]) / accepted), 1)
    while gained(accepted, start + run) < goal:
        run += 1
    while run > 1 and gained(accepted, start + run - 1) >= goal:
        run -= 1
    if growth_iterations < run:
        run = max(min(run, int(growth_iterations) + 1), 1)
    available = ints[copy + FREE] + ints[copy + EVICTABLE]
    if growth_blocks(ints, copy, gained(accepted, start + run)) > available:
        low = 1
        while low < run:  # the most iterations that fit; one does
            middle = (low + run + 1) // 2
            if growth_blocks(ints, copy, gained(accepted, start + middle)) > available:
                run = middle - 1
            else:
                low = middle
    return run
