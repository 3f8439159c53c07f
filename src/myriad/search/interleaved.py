"""Splits of layers over interleaved pipeline stages, which hold every pp-th chunk: good ones, with a proven bound.

What counts is the sum over a stage's chunks, so that stages are coupled and no dynamic program over places is exact.
A split is improved by moves until none helps; where the slowest stage is then above the bound, a search over all
splits proves it best or finds a better one, if its budget allows.

Only splits of about equal chunks count: the schedule runs the chunks of a round on all stages side by side, and the
closed form of its bubble takes them for equal. A chunk that could do with fewer layers takes at most one layer, the
slowest, above the mean; one between the ends at least the mean less one layer, unless it holds the last layer alone
(prediction depths). Both ends count.
"""

from __future__ import annotations

import numpy as np

from myriad.search.split import IntArray, Pipeline, Split

MOVES = 200
"""Moves that one split is improved by at most."""
NEARLY_FRACTION = 0.01
"""By how much a split of equal chunks may be slower to be worth a look."""
MOST_CHUNKS = 200
"""More chunks are not searched through: each is a level of recursion."""


def interleaved_splits(pipeline: Pipeline, nodes: int = 0) -> list[Split]:
    """The best split found for stages of several chunks; empty if none was found that fits.

    Only the first and the last chunk may hold no layer. A split whose chunks are all equal but the last comes second
    where it is nearly as fast: it may have fewer parameters on its fullest stage. `nodes` is how many chunks the search
    over all splits may try; where they are enough, the gap is 0.
    """
    chunks = _Chunks(pipeline)
    if sum(chunks.least) > len(pipeline.kinds):
        return []
    regular = _regular(pipeline)
    begins = [_evenly_filled(pipeline), *([regular] if regular else [])]
    edges = [np.cumsum([0, *sizes]) for sizes in dict.fromkeys(begins)]
    if not nodes:  # the quick way: from the better begin only
        edges = sorted(edges, key=lambda begin: chunks.worth(begin[None, :], with_memory=False)[0].tolist())[:1]
    (amiss, slowest, _), best = min((chunks.improved(begin, with_memory=False) for begin in edges), key=_first)
    if amiss or chunks.missing(best[None, :])[0]:
        if not nodes and not chunks.have_room(best):
            return []
        (amiss, slowest, _), best = min((chunks.improved(begin, with_memory=True) for begin in edges), key=_first)
    unit, bound = pipeline.load.unit, pipeline.slowest_bound
    found = None if amiss else tuple(np.diff(best).tolist())
    if nodes and len(chunks.least) <= MOST_CHUNKS and (found is None or slowest > bound):
        limit = slowest if found is not None else int(pipeline.load.before[-1]) + pipeline.load.first + 1
        better, bound = _Exhaustive(chunks, nodes).best(limit, bound)
        found = better or found
    if found is None:
        return []
    slowest = int(chunks.loads(np.cumsum([[0, *found]], axis=1)).max())
    splits = [Split(found, slowest * unit, min(bound, slowest) * unit)]
    if regular and regular != found:
        amiss, pace, _ = chunks.worth(np.cumsum([[0, *regular]], axis=1), with_memory=True)[0].tolist()
        if not amiss and pace <= slowest * (1 + NEARLY_FRACTION):
            splits.append(Split(regular, pace * unit, min(bound, slowest) * unit))
    return splits


def _first(improved: tuple[list[int], IntArray]) -> list[int]:
    return improved[0]


class _Chunks:
    """What edges of chunks, (M, pp * vpp + 1), are worth: chunk c holds the layers from place c to place c + 1."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.least = pipeline.least_sizes
        load, chunks = pipeline.load, len(self.least)
        mean = (int(load.before[-1]) + load.first + load.last) // chunks
        slowest_layer = int(np.diff(load.before).max())
        self.ends = np.zeros(chunks, dtype=np.int64)
        self.ends[0], self.ends[-1] = load.first, load.last
        self.most = mean + slowest_layer
        self.fewest = np.full(chunks, mean - slowest_layer)
        self.fewest[0] = self.fewest[-1] = 0

    def loads(self, edges: IntArray) -> IntArray:
        """Of the stages, (M, P)."""
        return self.pipeline.load.on_stages(edges, self.pipeline.pp)

    def missing(self, edges: IntArray) -> IntArray:
        """Bytes that all stages lack together, (M,)."""
        if self.pipeline.missing_bytes is None:
            return np.zeros(len(edges), dtype=np.int64)
        chunks = np.diff(self.pipeline.counts_before[edges], axis=1)
        counts = chunks.reshape(len(edges), self.pipeline.vpp, self.pipeline.pp, chunks.shape[-1]).sum(axis=1)
        lacking = np.maximum(self.pipeline.missing_bytes(counts), 0.0)
        return np.asarray(np.ceil(lacking).sum(axis=1).astype(np.int64))

    def unequal(self, edges: IntArray) -> IntArray:
        """By how much chunks leave the range of about equal ones, (M,)."""
        sizes = np.diff(edges, axis=1)
        loads = np.diff(self.pipeline.load.before[edges], axis=1) + self.ends
        above = np.where(sizes > self.least, np.maximum(loads - self.most, 0), 0)
        below = np.maximum(self.fewest - loads, 0)
        alone = (edges[:, -2] == edges[:, -1]) & (sizes[:, -2] == 1)
        below[alone, -2] = 0
        return np.asarray(above.sum(axis=1) + below.sum(axis=1))

    def have_room(self, edges: IntArray) -> bool:
        """Whether stages that grow or shrink from here on might fit, by a rough rule: memory in line with layers.

        One per cent is conceded for layers of different kinds.
        """
        if self.pipeline.missing_bytes is None:
            return True
        chunks = np.diff(self.pipeline.counts_before[edges], axis=0)
        held = chunks.reshape(self.pipeline.vpp, self.pipeline.pp, -1).sum(axis=0)
        without, with_layers = self.pipeline.missing_bytes(np.stack([np.zeros_like(held), held]))
        layers = held.sum(axis=1)
        fits = layers * np.maximum(-without, 0.0) / np.maximum(with_layers - without, 1.0)
        return bool(fits.sum() >= 0.99 * layers.sum())

    def worth(self, edges: IntArray, with_memory: bool) -> IntArray:
        """What is amiss, the slowest stage and unevenness, (M, 3), each the better the less."""
        loads = self.loads(edges)
        amiss = self.unequal(edges) + (self.missing(edges) if with_memory else 0)
        return np.stack([amiss, loads.max(axis=1), (loads * loads).sum(axis=1)], axis=1)

    def improved(self, edges: IntArray, with_memory: bool) -> tuple[list[int], IntArray]:
        """What edges are worth, and the edges, after the best move, again and again."""
        now: list[int] = self.worth(edges[None, :], with_memory)[0].tolist()
        for _ in range(MOVES):
            moved = self.moves(edges)
            if not now[0]:
                moved = moved[self.loads(moved).max(axis=1) <= now[1]]
            if not len(moved):
                break
            values = self.worth(moved, with_memory)
            best = int(np.lexsort(values.T[::-1])[0])
            if values[best].tolist() >= now:
                break
            now, edges = values[best].tolist(), moved[best]
        return now, edges

    def moves(self, edges: IntArray) -> IntArray:
        """Edges after every move between neighbours, and after every one to or from a chunk of the slowest stage.

        A move takes a layer from one chunk and gives one to another; those between hand one on.
        """
        chunks = len(edges) - 1
        slowest = int(np.argmax(self.loads(edges[None, :])))
        touched = np.arange(slowest, chunks, self.pipeline.pp)
        every, neighbour = np.arange(chunks), np.arange(chunks - 1)
        giver = np.concatenate([np.repeat(touched, chunks), np.tile(every, len(touched)), neighbour, neighbour + 1])
        taker = np.concatenate([np.tile(every, len(touched)), np.repeat(touched, chunks), neighbour + 1, neighbour])
        possible = (giver != taker) & (np.diff(edges) > np.array(self.least))[giver]
        giver, taker = giver[possible][:, None], taker[possible][:, None]
        place = np.arange(chunks + 1)[None, :]
        earlier = (place > giver) & (place <= taker)
        later = (place > taker) & (place <= giver)
        return np.asarray(edges[None, :] - earlier + later)


def _regular(pipeline: Pipeline) -> tuple[int, ...] | None:
    """Chunks of one size but for the last, which has what is left; none if that is less than nothing."""
    chunks, layers = len(pipeline.least_sizes), len(pipeline.kinds)
    size = -(-layers // chunks)
    left = layers - size * (chunks - 1)
    return (size,) * (chunks - 1) + (left,) if left >= 0 else None


def _evenly_filled(pipeline: Pipeline) -> tuple[int, ...]:
    """Layers given one by one to the stage with the least load, as if all were alike; its chunks differ by one."""
    load, pp, vpp = pipeline.load, pipeline.pp, pipeline.vpp
    number = np.array(pipeline.least_sizes).reshape(vpp, pp).sum(axis=0)
    each = max(int(load.before[-1]) // max(len(pipeline.kinds), 1), 1)
    held = number * each
    held[0] += load.first
    held[-1] += load.last
    for _ in range(len(pipeline.kinds) - int(number.sum())):
        stage = int(np.argmin(held))
        number[stage] += 1
        held[stage] += each
    sizes = np.empty((vpp, pp), dtype=np.int64)
    for stage in range(pp):
        share, more = divmod(int(number[stage]), vpp)
        late = stage == 0  # the embedding is in its first chunk, the head in the last chunk of the last stage
        sizes[:, stage] = [share + (chunk >= vpp - more if late else chunk < more) for chunk in range(vpp)]
    return tuple(sizes.ravel().tolist())


class _Exhaustive:
    """Tries all splits, chunk by chunk, that keep every stage at or below a limit; gives up after so many tries."""

    def __init__(self, chunks: _Chunks, nodes: int) -> None:
        self.chunks, self.nodes = chunks, nodes
        self.pipeline, self.least = chunks.pipeline, chunks.least
        pipeline = self.pipeline
        self.ends, self.fewest = chunks.ends.tolist(), chunks.fewest.tolist()
        self.before: list[int] = pipeline.load.before.tolist()
        # Counts by kind as one number each, so that states of equal counts are found again.
        self.codes = [
            sum(count * len(self.before) ** kind for kind, count in enumerate(counts))
            for counts in pipeline.counts_before.tolist()
        ]
        self.dead: set[tuple[int, int, tuple[int, ...]]] = set()
        self.limit = 0
        self.sizes: list[int] = []

    def best(self, limit: int, bound: int) -> tuple[tuple[int, ...] | None, int]:
        """A split below the limit, the best if tries suffice; and what is then known of the slowest stage at least."""
        found = None
        while limit > bound:
            self.limit, self.sizes = limit - 1, []
            self.dead.clear()
            loads = [0] * self.pipeline.pp
            loads[0] += self.pipeline.load.first
            loads[-1] += self.pipeline.load.last
            if not self._place(0, 0, loads, [0] * self.pipeline.pp):
                return found, bound if self.nodes <= 0 else limit
            found = tuple(self.sizes)
            limit = int(self.chunks.loads(np.cumsum([[0, *found]], axis=1)).max())
        return found, bound

    def _place(self, chunk: int, begin: int, loads: list[int], held: list[int]) -> bool:
        layers, chunks = len(self.before) - 1, len(self.least)
        if chunk == chunks:
            edges = np.cumsum([[0, *self.sizes]], axis=1)
            return begin == layers and int(self.chunks.missing(edges)[0]) == 0
        room = sum(self.limit - load for load in loads)
        if self.before[-1] - self.before[begin] > room or (chunk, begin, tuple(held)) in self.dead:
            return False
        stage = chunk % self.pipeline.pp
        most = layers - begin - sum(self.least[chunk + 1 :])
        for size in range(self.least[chunk] if chunk < chunks - 1 else most, most + 1):
            own = self.before[begin + size] - self.before[begin]
            whole = own + self.ends[chunk]
            if loads[stage] + own > self.limit or (size > self.least[chunk] and whole > self.chunks.most):
                break
            alone = chunk == chunks - 2 and size == 1 and begin + size == layers
            if whole < self.fewest[chunk] and not alone:
                continue
            self.nodes -= 1
            if self.nodes <= 0:
                return False
            code = self.codes[begin + size] - self.codes[begin]
            loads[stage] += own
            held[stage] += code
            self.sizes.append(size)
            if self._place(chunk + 1, begin + size, loads, held):
                return True
            self.sizes.pop()
            loads[stage] -= own
            held[stage] -= code
        self.dead.add((chunk, begin, tuple(held)))
        return False
