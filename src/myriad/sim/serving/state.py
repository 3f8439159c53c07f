"""Where everything lies that the simulation changes: rows in two arrays, one of whole numbers, one of numbers.

A request, copy, unit or pool is a row of both arrays, and is named by the place of its first cell, so that
`ints[request + INPUT]` are its prompt tokens. Two arrays, since compiled code is fast with few arguments: with a
structure of columns it took minutes to compile and ran a hundred times slower. They are NumPy arrays for compiled code
and lists for plain Python, which reads those faster.

A unit is one replica; its copies of attention have requests and a cache of their own and run iterations together.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Ints: TypeAlias = list[int]
Floats: TypeAlias = list[float]

NONE: Final = -1
"""No row."""
NEVER: Final = 1e300
FAR: Final = 2**62

# States of a unit; kinds of batching and routing, as `spec.fleet` lists them.
OFF, STARTING, READY, DRAINING, FAILED = range(5)
CHUNKED, PREFILL_FIRST = range(2)
ROUND_ROBIN, LEAST_LOADED, PREFIX_AWARE = range(3)

# The first row is that of the whole run. Whole numbers: counters, settings, places of areas.
(
    TOKENS_OUT, FINISHED, PREFILLED, NEXT, RELEASED, IN_FLIGHT, EVENTS, REQUEUED, CHANGES,
    CONCURRENCY, STEPPING, DISAGGREGATED, COPY_WIDTH, FIRST_POOL, LAST_POOL, FIRST_UNIT, NUM_UNITS, FIRST_REQUEST,
    REQUESTS_END, WINNER, LEAVES, CLOCK, TRANSFERS, GAPS_FROM, GAPS, EXPONENTIAL, NUM_DRAWS, CHANGED, CHANGED_ROOM,
    RUN_WIDTH,
) = range(30)  # fmt: skip
# Numbers of the whole run: integrals over time, the largest share of a cache in use, the time of the last event.
DECODE_S, BATCH_S, CACHE_S, COPY_S, MOST_USED, NOW = range(6)

# A request. KEY: place in the order of service; GIVEN: tokens cached whatever the prefix cache holds; TARGET: tokens
# that prefill computes or finds (the prompt, and what was generated before a preemption), DONE: of these; OFFSET:
# cached tokens less the copy's TOKENS, while it decodes; FINISH_AT: the copy's TOKENS when it has all its own; SHARED:
# blocks of the prefix cache that it holds; REMOTE: 1 after a transfer until it decodes; CHILD, SIBLING: of a heap.
(
    KEY, INPUT, OUTPUT, GIVEN, REFUSED, BLOCK_FROM, BLOCKS, TARGET, DONE, GENERATED, OFFSET, FINISH_AT, SHARED, REMOTE,
    SENT_BY, SENT_EPOCH, CACHED, PREEMPTIONS, CHILD, SIBLING, ON_COPY, REQUEST_WIDTH,
) = range(22)  # fmt: skip
ARRIVAL_S, ADMITTED_S, FIRST_S, LAST_S, FINISHED_S = range(5)

# A hashed block of a prompt: its id, and the node of the prefix cache that its request holds.
BLOCK_ID, HELD_NODE, PROMPT_BLOCK_WIDTH = range(3)
# A node of a prefix cache; BEFORE and AFTER link those that no request holds, the least recently used first.
NODE_ID, REFS, BEFORE, AFTER, NODE_WIDTH = range(5)

# A copy. RUNNING, PREFILLING, CHUNK, RESIDUE: places of its lists of requests that decode and that are in prefill, of
# these one's tokens in the iteration under way, of the number that decodes by offset modulo the block. FRESH: how many
# of the last that decode have not done so here yet; TOKENS: output tokens of a sequence that had been decoding since
# the start; BLOCKED: 1 when the first of the queue did not fit and nothing has been freed since; LOAD: prompt tokens
# of its unfinished requests.
(
    UNIT, POOL, RUNNING, NUM_RUNNING, FRESH, PREFILLING, NUM_PREFILLING, CHUNK, DECODES, ITERATIONS, TOKENS, OFFSET_SUM,
    NEXT_FINISH, RESIDUE, FREE, EVICTABLE, BLOCKED, QUEUE, WAITING, LOAD, HASH_TABLE, HASH_MASK, NODES, NUM_NODES,
    UNUSED, OLDEST, NEWEST, COPY_FIELDS,
) = range(28)  # fmt: skip
LAST_DECODE_S = 0

# A unit. RUN: iterations under way, 0 when idle; EPOCH: failures so far; DRAWS: times drawn until a failure.
(
    UNIT_POOL, FIRST_COPY, COPIES_END, UNIT_STATE, RUN, EPOCH, DRAWS, LIFE_LEAF, RUN_LEAF, UNIT_WIDTH,
) = range(10)  # fmt: skip
START_S, FIRST_ITERATION_S, GROWTH_S, BUSY_S, ON_SINCE_S, ON_S, LINK_FREE_S = range(7)

# A pool. BLOCKS_PER_HASH: paged blocks of a block of the prefix cache, 0 without one; BACKLOG: requests that found no
# ready replica. The last are places of its iteration table: axes from and to, and values.
(
    POOL_FIRST_UNIT, POOL_UNITS_END, POOL_FIRST_COPY, POOL_COPIES_END, SLOTS, BUDGET, BATCHING, ROUTER, BLOCK,
    TOTAL_BLOCKS, BLOCKS_PER_HASH, TOKENS_PER_SEQUENCE, TURN, BACKLOG, OUTSTANDING, LEAST, MOST, SCALER_LEAF,
    TOKENS_FROM, TOKENS_END, TOKEN_VALUES, SEQUENCES_FROM, SEQUENCES_END, KEYS_FROM, KEYS_END, DECODE_VALUES,
    CHUNK_FROM, CHUNK_END, PAST_FROM, PAST_END, CHUNK_VALUES, POOL_WIDTH,
) = range(32)  # fmt: skip
(
    ACCEPTED, CACHE_BYTES_PER_TOKEN, LINK_S_PER_BYTE, LINK_LATENCY_S, TARGET_REQUESTS, INTERVAL_S, START_UP_S, MTBF_S,
    REPAIR_S,
) = range(9)  # fmt: skip

ARRIVAL_LEAF, TRANSFER_LEAF, SCALER_LEAVES, LIFE_LEAVES = 0, 1, 2, 4
"""Sources of events: a scaler per pool, from `LIFE_LEAVES` a life per unit, and then iterations per unit."""

GAP_BINS_PER_E, GAP_LEAST_S, GAP_BINS, GAP_BATCHES = 500.0, 1e-6, 10_000, 20
"""Histograms of times between tokens: a bin is 0.2 % wide, the last ends at 485 s. One per batch of answers."""
