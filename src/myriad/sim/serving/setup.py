"""The two arrays of a simulation before its first event."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError
from myriad.sim.compiled import COMPILES
from myriad.sim.serving import state as at
from myriad.sim.serving.arrivals import Arrivals
from myriad.spec.fleet import Fleet
from myriad.spec.iteration import IterationTable

_BATCHING = {"chunked": at.CHUNKED, "prefill-first": at.PREFILL_FIRST}
_ROUTERS = {"round-robin": at.ROUND_ROBIN, "least-loaded": at.LEAST_LOADED, "prefix-aware": at.PREFIX_AWARE}
_DRAWS = 65_536
"""Times until a failure; later ones begin anew."""
_CHANGES = 4_096


class State(NamedTuple):
    """The rows of everything; `state.py` says what lies where."""

    ints: Any
    floats: Any


class _Memory:
    """Rows, which lie at the same place of both arrays, and behind them areas of either."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.parts: tuple[list[Any], list[Any]] = ([], [])
        self.sizes = [rows, rows]
        self.ints = np.zeros(rows, dtype=np.int64)
        self.floats = np.zeros(rows)

    def area(self, kind: int, values: Any) -> int:
        """The place of a new area with these values, of whole numbers (0) or numbers (1)."""
        place = self.sizes[kind]
        self.parts[kind].append(np.ravel(values))
        self.sizes[kind] += len(self.parts[kind][-1])
        return place

    def state(self) -> State:
        """Both arrays: for compiled code as they are, for plain Python as lists."""
        ints = np.concatenate([self.ints, *self.parts[0]]).astype(np.int64)
        floats = np.concatenate([self.floats, *self.parts[1]]).astype(np.float64)
        return State(ints, floats) if COMPILES else State(ints.tolist(), floats.tolist())


class _Places(NamedTuple):
    """First cells of the rows of each kind."""

    pools: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]
    unit_pool: npt.NDArray[np.int64]
    copies: npt.NDArray[np.int64]
    copy_unit: npt.NDArray[np.int64]
    requests: npt.NDArray[np.int64]
    end: int


def initial_state(
    fleet: Fleet, tables: tuple[IterationTable, ...], arrivals: Arrivals, seed: int, stepping: bool
) -> State:
    """Everything empty, the first arrival and the failures of the first replicas due.

    Raises SpecError where a hashed block is not a whole number of blocks of the paged cache.
    """
    places = _places(fleet, len(arrivals))
    memory = _Memory(places.end)
    _set_pools(memory, places, fleet, tables, arrivals)
    _set_units(memory, places, fleet)
    _set_copies(memory, places)
    _set_requests(memory, places, fleet, tables, arrivals)
    _set_run(memory, places, fleet, arrivals, seed, stepping)
    return memory.state()


def _places(fleet: Fleet, requests: int) -> _Places:
    unit_pool = np.repeat(np.arange(len(fleet.pools)), [pool.most_replicas for pool in fleet.pools])
    copy_unit = np.repeat(np.arange(len(unit_pool)), [fleet.pools[pool].copies for pool in unit_pool])
    ends = np.cumsum(
        [
            at.RUN_WIDTH,
            len(fleet.pools) * at.POOL_WIDTH,
            len(unit_pool) * at.UNIT_WIDTH,
            len(copy_unit) * at.COPY_FIELDS,
        ]
    )
    return _Places(
        pools=ends[0] + np.arange(len(fleet.pools)) * at.POOL_WIDTH,
        units=ends[1] + np.arange(len(unit_pool)) * at.UNIT_WIDTH,
        unit_pool=unit_pool,
        copies=ends[2] + np.arange(len(copy_unit)) * at.COPY_FIELDS,
        copy_unit=copy_unit,
        requests=ends[3] + np.arange(requests) * at.REQUEST_WIDTH,
        end=int(ends[3]) + requests * at.REQUEST_WIDTH,
    )


def _set_pools(
    memory: _Memory, places: _Places, fleet: Fleet, tables: tuple[IterationTable, ...], arrivals: Arrivals
) -> None:
    ints, floats = memory.ints, memory.floats
    for number, (row, pool, table) in enumerate(zip(places.pools, fleet.pools, tables, strict=True)):
        units = places.units[places.unit_pool == number]
        copies = places.copies[places.unit_pool[places.copy_unit] == number]
        cached = pool.prefix_cache and number == 0 and len(arrivals.block_ids) > 0
        if cached and arrivals.block_tokens % table.block_tokens:
            raise SpecError(
                f"hashed blocks of {arrivals.block_tokens} tokens are not whole blocks of the paged cache, "
                f"which have {table.block_tokens}"
            )
        scaling, failures, link = pool.autoscaling, pool.failures, fleet.link
        for field, value in {
            at.POOL_FIRST_UNIT: units[0], at.POOL_UNITS_END: units[-1] + at.UNIT_WIDTH,
            at.POOL_FIRST_COPY: copies[0], at.POOL_COPIES_END: copies[-1] + at.COPY_FIELDS,
            at.SLOTS: pool.max_sequences, at.BUDGET: pool.max_batched_tokens, at.BATCHING: _BATCHING[pool.batching],
            at.ROUTER: _ROUTERS[pool.router], at.BLOCK: table.block_tokens,
            at.TOTAL_BLOCKS: table.cache_tokens // table.block_tokens,
            at.BLOCKS_PER_HASH: arrivals.block_tokens // table.block_tokens if cached else 0,
            at.TOKENS_PER_SEQUENCE: table.tokens_per_sequence, at.BACKLOG: at.NONE,
            at.LEAST: scaling.least if scaling is not None else 1, at.MOST: pool.most_replicas,
            at.SCALER_LEAF: at.SCALER_LEAVES + number,
        }.items():  # fmt: skip
            ints[row + field] = value
        for field, number_of in {
            at.ACCEPTED: table.accepted_tokens, at.CACHE_BYTES_PER_TOKEN: table.cache_bytes_per_token,
            at.LINK_S_PER_BYTE: 1 / link.bandwidth if link is not None else 0.0,
            at.LINK_LATENCY_S: link.latency if link is not None else 0.0,
            at.TARGET_REQUESTS: scaling.target_requests if scaling is not None else 0.0,
            at.INTERVAL_S: scaling.interval if scaling is not None else 0.0,
            at.START_UP_S: scaling.start_up if scaling is not None else 0.0,
            at.MTBF_S: failures.mtbf if failures is not None else 0.0,
            at.REPAIR_S: failures.repair if failures is not None else 0.0,
        }.items():  # fmt: skip
            floats[row + field] = number_of
        _set_table(memory, row, table)


def _set_table(memory: _Memory, row: int, table: IterationTable) -> None:
    for first, end, axis in (
        (at.TOKENS_FROM, at.TOKENS_END, table.tokens), (at.SEQUENCES_FROM, at.SEQUENCES_END, table.sequences),
        (at.KEYS_FROM, at.KEYS_END, table.keys), (at.CHUNK_FROM, at.CHUNK_END, table.chunk_tokens),
        (at.PAST_FROM, at.PAST_END, table.past_tokens),
    ):  # fmt: skip
        memory.ints[row + first] = memory.area(1, axis)
        memory.ints[row + end] = memory.ints[row + first] + len(axis)
    memory.ints[row + at.TOKEN_VALUES] = memory.area(1, table.token_s)
    memory.ints[row + at.DECODE_VALUES] = memory.area(1, table.decode_s)
    memory.ints[row + at.CHUNK_VALUES] = memory.area(1, table.chunk_s)


def _set_units(memory: _Memory, places: _Places, fleet: Fleet) -> None:
    first_of_pool = np.searchsorted(places.unit_pool, places.unit_pool)
    for number, (row, pool) in enumerate(zip(places.units, places.unit_pool, strict=True)):
        copies = places.copies[places.copy_unit == number]
        started = number - first_of_pool[number] < fleet.pools[pool].replicas
        for field, value in {
            at.UNIT_POOL: places.pools[pool], at.FIRST_COPY: copies[0], at.COPIES_END: copies[-1] + at.COPY_FIELDS,
            at.UNIT_STATE: at.READY if started else at.OFF, at.LIFE_LEAF: at.LIFE_LEAVES + number,
            at.RUN_LEAF: at.LIFE_LEAVES + len(places.units) + number,
        }.items():  # fmt: skip
            memory.ints[row + field] = value


def _set_copies(memory: _Memory, places: _Places) -> None:
    ints = memory.ints
    for row, unit in zip(places.copies, places.copy_unit, strict=True):
        pool = places.pools[places.unit_pool[unit]]
        slots = np.zeros(ints[pool + at.SLOTS], dtype=np.int64)
        per_hash = int(ints[pool + at.BLOCKS_PER_HASH])
        nodes = int(ints[pool + at.TOTAL_BLOCKS]) // per_hash if per_hash else 0
        size = 1 << (2 * nodes + 1).bit_length()
        links = np.full((nodes, at.NODE_WIDTH), at.NONE)
        links[:, at.REFS] = 0
        first = memory.area(0, links)
        links[:-1, at.AFTER] = first + np.arange(1, nodes) * at.NODE_WIDTH  # the area is this very array
        for field, value in {
            at.UNIT: places.units[unit], at.POOL: pool, at.RUNNING: memory.area(0, slots),
            at.PREFILLING: memory.area(0, slots), at.CHUNK: memory.area(0, slots),
            at.RESIDUE: memory.area(0, np.zeros(ints[pool + at.BLOCK])), at.NEXT_FINISH: at.FAR,
            at.FREE: ints[pool + at.TOTAL_BLOCKS], at.QUEUE: at.NONE, at.NODES: first, at.NUM_NODES: nodes,
            at.HASH_TABLE: memory.area(0, np.full(size, at.NONE)), at.HASH_MASK: size - 1,
            at.UNUSED: first if nodes else at.NONE, at.OLDEST: at.NONE, at.NEWEST: at.NONE,
        }.items():  # fmt: skip
            ints[row + field] = value


def _set_requests(
    memory: _Memory, places: _Places, fleet: Fleet, tables: tuple[IterationTable, ...], arrivals: Arrivals
) -> None:
    number = len(arrivals)
    first = places.requests[0]
    rows = memory.ints[first:].reshape(number, at.REQUEST_WIDTH)
    times = memory.floats[first:].reshape(number, at.REQUEST_WIDTH)
    rows[:, at.KEY] = np.arange(number)
    if fleet.order == "priority" and len(arrivals.priority):
        rows[:, at.KEY] += number * (arrivals.priority - arrivals.priority.min())
    rows[:, at.INPUT] = rows[:, at.TARGET] = arrivals.input_tokens
    rows[:, at.OUTPUT] = arrivals.output_tokens
    if len(arrivals.cached_tokens):
        rows[:, at.GIVEN] = arrivals.cached_tokens
    most = min(table.cache_tokens // table.block_tokens * table.block_tokens for table in tables)
    spare = max(table.tokens_per_sequence for table in tables)
    rows[:, at.REFUSED] = arrivals.input_tokens + arrivals.output_tokens + spare > most
    rows[:, [at.CHILD, at.SIBLING, at.ON_COPY, at.SENT_BY]] = at.NONE
    if len(arrivals.block_ids):
        blocks = np.zeros((len(arrivals.block_ids), at.PROMPT_BLOCK_WIDTH), dtype=np.int64)
        blocks[:, at.BLOCK_ID] = np.unique(arrivals.block_ids, return_inverse=True)[1]
        starts = np.cumsum(arrivals.block_counts) - arrivals.block_counts
        rows[:, at.BLOCK_FROM] = memory.area(0, blocks) + starts * at.PROMPT_BLOCK_WIDTH
        rows[:, at.BLOCKS] = np.minimum(arrivals.block_counts, arrivals.input_tokens // arrivals.block_tokens)
    times[:, at.ARRIVAL_S] = arrivals.arrival_s
    times[:, [at.ADMITTED_S, at.FIRST_S, at.LAST_S, at.FINISHED_S]] = -1.0


def _set_run(memory: _Memory, places: _Places, fleet: Fleet, arrivals: Arrivals, seed: int, stepping: bool) -> None:
    ints = memory.ints
    units = len(places.units)
    fails = any(pool.failures is not None for pool in fleet.pools)
    draws = np.random.default_rng([seed, 1]).exponential(size=_DRAWS if fails else 1)
    gaps = memory.area(1, np.zeros(at.GAP_BATCHES * at.GAP_BINS))
    due_s, winner = _clock(memory, places, fleet, arrivals, draws)
    released = len(arrivals) if arrivals.concurrency is None else min(arrivals.concurrency, len(arrivals))
    for field, value in {
        at.NEXT: places.requests[0], at.RELEASED: places.requests[0] + released * at.REQUEST_WIDTH,
        at.CONCURRENCY: arrivals.concurrency or 0, at.STEPPING: int(stepping),
        at.DISAGGREGATED: int(fleet.prefill is not None), at.COPY_WIDTH: at.COPY_FIELDS,
        at.FIRST_POOL: places.pools[0], at.LAST_POOL: places.pools[-1], at.FIRST_UNIT: places.units[0],
        at.NUM_UNITS: units, at.FIRST_REQUEST: places.requests[0], at.REQUESTS_END: memory.rows,
        at.WINNER: memory.area(0, winner), at.LEAVES: len(due_s), at.CLOCK: memory.area(1, due_s),
        at.GAPS: gaps, at.GAPS_FROM: gaps, at.EXPONENTIAL: memory.area(1, draws),
        at.NUM_DRAWS: len(draws), at.CHANGED_ROOM: _CHANGES - units,
    }.items():  # fmt: skip
        ints[field] = value
    # Areas of both arrays lie behind all others, at the same place.
    both = len(arrivals) + 1 + 2 * _CHANGES
    for kind in (0, 1):
        memory.area(kind, np.zeros(max(memory.sizes) - memory.sizes[kind]))
    ints[at.TRANSFERS] = memory.area(0, np.zeros(both))
    ints[at.CHANGED] = ints[at.TRANSFERS] + len(arrivals) + 1
    memory.area(1, np.zeros(both))


def _clock(
    memory: _Memory, places: _Places, fleet: Fleet, arrivals: Arrivals, draws: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """What is due first: the first request, the scalers, failures of the replicas that are there."""
    leaves = 1 << (at.LIFE_LEAVES + 2 * len(places.units) - 1).bit_length()
    due_s = np.full(leaves, at.NEVER)
    due_s[at.ARRIVAL_LEAF] = arrivals.arrival_s[0]
    for number, pool in enumerate(fleet.pools):
        if pool.autoscaling is not None:
            due_s[at.SCALER_LEAVES + number] = pool.autoscaling.interval
    for row, pool_number in zip(places.units, places.unit_pool, strict=True):
        failures = fleet.pools[pool_number].failures
        if failures is not None and memory.ints[row + at.UNIT_STATE] == at.READY:
            leaf = memory.ints[row + at.LIFE_LEAF]
            due_s[leaf] = failures.mtbf * draws[leaf % len(draws)]
            memory.ints[row + at.DRAWS] = 1
    winner = np.zeros(2 * leaves, dtype=np.int64)
    winner[leaves:] = np.arange(leaves)
    for place in range(leaves - 1, 0, -1):
        left, right = winner[2 * place], winner[2 * place + 1]
        winner[place] = left if due_s[left] <= due_s[right] else right
    return due_s, winner
