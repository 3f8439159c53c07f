"""Requests on a copy: they are admitted, join those that decode, are preempted, leave; blocks are counted."""

from __future__ import annotations

from myriad.sim.compiled import compiled
from myriad.sim.serving.prefix_cache import find, found_blocks, hold, insert, release, take
from myriad.sim.serving.state import (
    ADMITTED_S,
    ARRIVAL_LEAF,
    ARRIVAL_S,
    BLOCK,
    BLOCK_FROM,
    BLOCK_ID,
    BLOCKED,
    BLOCKS,
    BLOCKS_PER_HASH,
    CACHED,
    CONCURRENCY,
    DONE,
    EVICTABLE,
    FAR,
    FINISH_AT,
    FINISHED,
    FINISHED_S,
    FIRST_REQUEST,
    FREE,
    FRESH,
    GAP_BATCHES,
    GAP_BINS,
    GAPS,
    GAPS_FROM,
    GENERATED,
    GIVEN,
    HELD_NODE,
    INPUT,
    KEY,
    LAST_DECODE_S,
    LAST_S,
    LOAD,
    NEXT,
    NEXT_FINISH,
    NONE,
    NUM_PREFILLING,
    NUM_RUNNING,
    OFFSET,
    OFFSET_SUM,
    OUTPUT,
    OUTSTANDING,
    POOL,
    PREEMPTIONS,
    PREFILLING,
    PROMPT_BLOCK_WIDTH,
    QUEUE,
    REFS,
    RELEASED,
    REMOTE,
    REQUEST_WIDTH,
    REQUESTS_END,
    RESIDUE,
    RUNNING,
    SHARED,
    TARGET,
    TOKENS,
    WAITING,
    Floats,
    Ints,
)
from myriad.sim.serving.waiting import merged, set_clock, without_root


@compiled
def paged(tokens: int, block: int) -> int:
    """Blocks that hold these tokens."""
    return (tokens + block - 1) // block


@compiled
def gained(accepted: float, iterations: int) -> int:
    """Whole tokens of a sequence after these iterations."""
    return int(accepted * iterations + 1e-9)


@compiled
def growth_blocks(ints: Ints, copy: int, tokens: int) -> int:
    """Blocks that decoding sequences take to grow until the copy's tokens per sequence are these."""
    block = ints[ints[copy + POOL] + BLOCK]
    residue = ints[copy + RESIDUE]
    start = ints[copy + TOKENS]
    blocks = ints[copy + NUM_RUNNING] * ((tokens - start) // block)
    for at in range(start, start + (tokens - start) % block):
        blocks += ints[residue + (-at) % block]
    return blocks


@compiled
def free_request(ints: Ints, copy: int, request: int, tokens: int) -> None:
    """Gives back the blocks of a request of which so many tokens are cached, or have room reserved."""
    pool = ints[copy + POOL]
    shared = ints[request + SHARED]
    ints[copy + FREE] += paged(tokens, ints[pool + BLOCK]) - shared * ints[pool + BLOCKS_PER_HASH]
    start = ints[request + BLOCK_FROM]
    for at in range(shared - 1, -1, -1):  # the end of the prompt is to be evicted before its beginning
        release(ints, copy, ints[start + at * PROMPT_BLOCK_WIDTH + HELD_NODE])
    ints[request + SHARED] = 0
    ints[copy + BLOCKED] = 0


@compiled
def admit(ints: Ints, floats: Floats, copy: int, reserved: int, now: float) -> int:
    """The first of the queue, admitted with room for all that it must prefill; NONE if that does not fit."""
    pool = ints[copy + POOL]
    block, hash_blocks = ints[pool + BLOCK], ints[pool + BLOCKS_PER_HASH]
    request = ints[copy + QUEUE]
    start = ints[request + BLOCK_FROM]
    found = 0
    if ints[request + REMOTE] == 0:
        found = found_blocks(ints, copy, request)
    available = ints[copy + FREE] + ints[copy + EVICTABLE] - reserved
    for at in range(start, start + found * PROMPT_BLOCK_WIDTH, PROMPT_BLOCK_WIDTH):
        node = find(ints, copy, ints[at + BLOCK_ID])
        ints[at + HELD_NODE] = node
        if ints[node + REFS] == 0:
            available -= hash_blocks
    tokens = ints[request + TARGET]
    if ints[request + REMOTE] == 1:
        available -= 1 if tokens % block == 0 else 0
    needed = paged(tokens, block) - found * hash_blocks
    if needed > available:
        ints[copy + BLOCKED] = 1
        return NONE
    ints[copy + QUEUE] = without_root(ints, request)
    ints[copy + WAITING] -= 1
    for at in range(start, start + found * PROMPT_BLOCK_WIDTH, PROMPT_BLOCK_WIDTH):
        hold(ints, copy, ints[at + HELD_NODE])
    take(ints, copy, needed)
    ints[request + SHARED] = found
    if ints[request + REMOTE] == 0:
        done = max(found * hash_blocks * block, min(ints[request + GIVEN], tokens - 1))
        ints[request + DONE] = done
        if floats[request + ADMITTED_S] < 0.0:
            floats[request + ADMITTED_S] = now
            ints[request + CACHED] = done
    return request


@compiled
def keep_blocks(ints: Ints, copy: int, request: int) -> None:
    """Puts the blocks that are now computed into the prefix cache; one that is there already is shared instead."""
    pool = ints[copy + POOL]
    hash_blocks = ints[pool + BLOCKS_PER_HASH]
    if hash_blocks == 0:
        return
    full = min(ints[request + DONE] // (hash_blocks * ints[pool + BLOCK]), ints[request + BLOCKS])
    start = ints[request + BLOCK_FROM]
    for place in range(ints[request + SHARED], full):
        at = start + place * PROMPT_BLOCK_WIDTH
        node = find(ints, copy, ints[at + BLOCK_ID])
        if node == NONE:
            node = insert(ints, copy, ints[at + BLOCK_ID])
        else:
            hold(ints, copy, node)
            ints[copy + FREE] += hash_blocks
            ints[copy + BLOCKED] = 0
        ints[at + HELD_NODE] = node
    ints[request + SHARED] = max(full, ints[request + SHARED])


@compiled
def join(ints: Ints, copy: int, request: int) -> None:
    """Adds a request whose prefill is done to those that decode."""
    tokens = ints[copy + TOKENS]
    offset = ints[request + TARGET] - tokens
    ints[request + OFFSET] = offset
    ints[request + FINISH_AT] = tokens + ints[request + OUTPUT] - ints[request + GENERATED]
    ints[request + REMOTE] = 0
    number = ints[copy + NUM_RUNNING]
    ints[ints[copy + RUNNING] + number] = request
    ints[copy + NUM_RUNNING] = number + 1
    ints[copy + FRESH] += 1
    ints[copy + OFFSET_SUM] += offset
    ints[ints[copy + RESIDUE] + offset % ints[ints[copy + POOL] + BLOCK]] += 1
    ints[copy + NEXT_FINISH] = min(ints[copy + NEXT_FINISH], ints[request + FINISH_AT])


@compiled
def leave(ints: Ints, copy: int, request: int) -> None:
    """Takes a decoding request out of the sums over these, not out of their list."""
    offset = ints[request + OFFSET]
    ints[copy + OFFSET_SUM] -= offset
    ints[ints[copy + RESIDUE] + offset % ints[ints[copy + POOL] + BLOCK]] -= 1
    ints[copy + NUM_RUNNING] -= 1


@compiled
def rewind(ints: Ints, request: int) -> None:
    """Makes the request start over: prefill of its prompt and of what it has generated."""
    ints[request + TARGET] = ints[request + INPUT] + ints[request + GENERATED]
    ints[request + DONE] = 0
    ints[request + REMOTE] = 0


@compiled
def stop_running(ints: Ints, floats: Floats, copy: int, place: int) -> int:
    """The decoding request at a place of the list, taken out, its blocks given back, ready to start over."""
    base = ints[copy + RUNNING]
    request = ints[base + place]
    tokens = ints[copy + TOKENS]
    if place < ints[copy + NUM_RUNNING] - ints[copy + FRESH]:
        floats[request + LAST_S] = floats[copy + LAST_DECODE_S]
    else:
        ints[copy + FRESH] -= 1
    ints[request + GENERATED] = ints[request + OUTPUT] - (ints[request + FINISH_AT] - tokens)
    leave(ints, copy, request)
    for at in range(base + place, base + ints[copy + NUM_RUNNING]):  # in order, since the fresh ones are last
        ints[at] = ints[at + 1]
    free_request(ints, copy, request, ints[request + OFFSET] + tokens)
    rewind(ints, request)
    soonest = FAR
    for at in range(base, base + ints[copy + NUM_RUNNING]):
        soonest = min(soonest, ints[ints[at] + FINISH_AT])
    ints[copy + NEXT_FINISH] = soonest
    return request


@compiled
def stop_prefilling(ints: Ints, copy: int, place: int) -> int:
    """The request in prefill at a place of the list, taken out, its blocks given back, ready to start over."""
    base = ints[copy + PREFILLING]
    request = ints[base + place]
    ints[copy + NUM_PREFILLING] -= 1
    for at in range(base + place, base + ints[copy + NUM_PREFILLING]):
        ints[at] = ints[at + 1]
    free_request(ints, copy, request, ints[request + TARGET])
    rewind(ints, request)
    return request


@compiled
def preempt(ints: Ints, floats: Floats, copy: int) -> None:
    """Puts the last request in the order of service back into the queue; it will be computed again."""
    last, place, decodes = NONE, 0, False
    for at in range(ints[copy + NUM_RUNNING]):
        key = ints[ints[ints[copy + RUNNING] + at] + KEY]
        if key > last:
            last, place, decodes = key, at, True
    for at in range(ints[copy + NUM_PREFILLING]):
        key = ints[ints[ints[copy + PREFILLING] + at] + KEY]
        if key > last:
            last, place, decodes = key, at, False
    request = stop_running(ints, floats, copy, place) if decodes else stop_prefilling(ints, copy, place)
    ints[request + PREEMPTIONS] += 1
    ints[copy + QUEUE] = merged(ints, ints[copy + QUEUE], request)
    ints[copy + WAITING] += 1


@compiled
def leave_copy(ints: Ints, copy: int, request: int) -> None:
    """Takes the request out of the load of its copy and pool."""
    ints[copy + LOAD] -= ints[request + INPUT]
    ints[ints[copy + POOL] + OUTSTANDING] -= 1


@compiled
def finish(ints: Ints, floats: Floats, request: int, now: float) -> None:
    """Counts a request as answered (or refused); in a closed loop the next one arrives."""
    floats[request + FINISHED_S] = now
    ints[FINISHED] += 1
    number = (ints[REQUESTS_END] - ints[FIRST_REQUEST]) // REQUEST_WIDTH
    ints[GAPS] = ints[GAPS_FROM] + min(ints[FINISHED] * GAP_BATCHES // number, GAP_BATCHES - 1) * GAP_BINS
    if ints[CONCURRENCY] and ints[RELEASED] < ints[REQUESTS_END]:
        following = ints[RELEASED]
        floats[following + ARRIVAL_S] = now
        ints[RELEASED] += REQUEST_WIDTH
        if ints[NEXT] == following:
            set_clock(ints, floats, ARRIVAL_LEAF, now)
