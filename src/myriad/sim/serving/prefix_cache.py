"""The prefix cache of each copy: blocks by hash, with counted references, the least recently used evicted first.

Blocks of a prompt are found from its first on, up to the first that is missing. A request holds those that it found and
adds its own as soon as they are computed; blocks that nobody holds stay until memory is needed.
"""

from __future__ import annotations

from myriad.sim.compiled import compiled
from myriad.sim.serving.state import (
    AFTER,
    BEFORE,
    BLOCK,
    BLOCK_FROM,
    BLOCK_ID,
    BLOCKS,
    BLOCKS_PER_HASH,
    EVICTABLE,
    FREE,
    HASH_MASK,
    HASH_TABLE,
    NEWEST,
    NODE_ID,
    NODE_WIDTH,
    NODES,
    NONE,
    NUM_NODES,
    OLDEST,
    POOL,
    PROMPT_BLOCK_WIDTH,
    REFS,
    TARGET,
    TOTAL_BLOCKS,
    UNUSED,
    Ints,
)


@compiled
def _home(block: int, mask: int) -> int:
    return ((block * 2654435761) >> 8) & mask


@compiled
def find(ints: Ints, copy: int, block: int) -> int:
    """Node of a block, or NONE."""
    mask, table = ints[copy + HASH_MASK], ints[copy + HASH_TABLE]
    place = _home(block, mask)
    while True:
        node = ints[table + place]
        if node == NONE or ints[node + NODE_ID] == block:
            return node
        place = (place + 1) & mask


@compiled
def found_blocks(ints: Ints, copy: int, request: int) -> int:
    """How many blocks of the request's prompt are cached on the copy, so that a token is left to compute."""
    hash_blocks = ints[ints[copy + POOL] + BLOCKS_PER_HASH]
    if hash_blocks == 0:
        return 0
    tokens = hash_blocks * ints[ints[copy + POOL] + BLOCK]
    most = min(ints[request + BLOCKS], (ints[request + TARGET] - 1) // tokens)
    start = ints[request + BLOCK_FROM]
    count = 0
    while count < most and find(ints, copy, ints[start + count * PROMPT_BLOCK_WIDTH + BLOCK_ID]) != NONE:
        count += 1
    return count


@compiled
def _unlink(ints: Ints, copy: int, node: int) -> None:
    before, after = ints[node + BEFORE], ints[node + AFTER]
    if before == NONE:
        ints[copy + OLDEST] = after
    else:
        ints[before + AFTER] = after
    if after == NONE:
        ints[copy + NEWEST] = before
    else:
        ints[after + BEFORE] = before


@compiled
def hold(ints: Ints, copy: int, node: int) -> None:
    """Adds a reference, which keeps the block from being evicted."""
    if ints[node + REFS] == 0:
        _unlink(ints, copy, node)
        ints[copy + EVICTABLE] -= ints[ints[copy + POOL] + BLOCKS_PER_HASH]
    ints[node + REFS] += 1


@compiled
def release(ints: Ints, copy: int, node: int) -> None:
    """Takes a reference away; a block without any becomes the last to be evicted."""
    ints[node + REFS] -= 1
    if ints[node + REFS] == 0:
        newest = ints[copy + NEWEST]
        ints[node + BEFORE] = newest
        ints[node + AFTER] = NONE
        if newest == NONE:
            ints[copy + OLDEST] = node
        else:
            ints[newest + AFTER] = node
        ints[copy + NEWEST] = node
        ints[copy + EVICTABLE] += ints[ints[copy + POOL] + BLOCKS_PER_HASH]


@compiled
def insert(ints: Ints, copy: int, block: int) -> int:
    """Node of a block that was missing, added and held once."""
    node = ints[copy + UNUSED]
    ints[copy + UNUSED] = ints[node + AFTER]
    ints[node + NODE_ID] = block
    ints[node + REFS] = 1
    mask, table = ints[copy + HASH_MASK], ints[copy + HASH_TABLE]
    place = _home(block, mask)
    while ints[table + place] != NONE:
        place = (place + 1) & mask
    ints[table + place] = node
    return node


@compiled
def evict_oldest(ints: Ints, copy: int) -> None:
    """Drops the least recently used block that nobody holds; what follows it in the hash table moves up."""
    node = ints[copy + OLDEST]
    _unlink(ints, copy, node)
    mask, table = ints[copy + HASH_MASK], ints[copy + HASH_TABLE]
    hole = _home(ints[node + NODE_ID], mask)
    while ints[table + hole] != node:
        hole = (hole + 1) & mask
    place = hole
    while True:
        place = (place + 1) & mask
        other = ints[table + place]
        if other == NONE:
            break
        home = _home(ints[other + NODE_ID], mask)
        if ((place - home) & mask) >= ((place - hole) & mask):
            ints[table + hole] = other
            hole = place
    ints[table + hole] = NONE
    ints[node + NODE_ID] = NONE
    ints[node + AFTER] = ints[copy + UNUSED]
    ints[copy + UNUSED] = node
    freed = ints[ints[copy + POOL] + BLOCKS_PER_HASH]
    ints[copy + EVICTABLE] -= freed
    ints[copy + FREE] += freed


@compiled
def take(ints: Ints, copy: int, blocks: int) -> None:
    """Takes paged blocks that are free, evicting cached ones where too few are."""
    while ints[copy + FREE] < blocks:
        evict_oldest(ints, copy)
    ints[copy + FREE] -= blocks


@compiled
def forget(ints: Ints, copy: int) -> None:
    """Empties the cache of a copy whose memory is lost."""
    for place in range(ints[copy + HASH_TABLE], ints[copy + HASH_TABLE] + ints[copy + HASH_MASK] + 1):
        ints[place] = NONE
    following = NONE
    for place in range(ints[copy + NUM_NODES] - 1, -1, -1):
        node = ints[copy + NODES] + place * NODE_WIDTH
        ints[node + NODE_ID] = NONE
        ints[node + REFS] = 0
        ints[node + AFTER] = following
        following = node
    ints[copy + UNUSED] = following
    ints[copy + OLDEST] = NONE
    ints[copy + NEWEST] = NONE
    ints[copy + EVICTABLE] = 0
    ints[copy + FREE] = ints[ints[copy + POOL] + TOTAL_BLOCKS]
