"""The best split of layers over pipeline stages: exact for plain pipelines, with a stated bound for interleaved ones.

Layers stay in order, so a split is a cut of their row into chunks. With m micro-batches and v chunks per stage, a
1F1B or GPipe step takes

    step = m * slowest + (sum - slowest) / v + rest = (m - 1/v) * slowest + sum / v + rest

where `slowest` is the time of one micro-batch on the slowest stage and `sum` that on all of them, which no split
changes. The rest is data parallelism and optimizer, which grow with the parameters of the stage that has most. So the
best split lies on the front of (slowest stage, most parameters): no other is as good in both. What is returned is this
front, from its fastest end; the full estimate judges it. For other schedules, whose bubbles are not of this form, the
front is where to look, not a proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RESOLUTION = 1 << 30
"""Times and parameters are counted in this share of their sum, so that sums are exact and ties are ties."""

FRONT = 4
"""Points of the front at most."""

_NEVER = np.int64(1) << 62


@dataclass(frozen=True)
class Pipeline:
    """A row of layers to split, and what they cost. A layer may stand for several that must not be parted."""

    kinds: IntArray
    """The kind of each layer, first to last, as a number below K."""
    kind_s: Array
    """Forward and backward pass of one micro-batch, by kind, in seconds."""
    ends_s: tuple[float, float]
    """The same of what lies on the first stage before all layers, and on the last after them."""
    kind_parameters: Array
    ends_parameters: tuple[float, float]
    pp: int
    vpp: int = 1
    missing_bytes: Callable[[IntArray], Array] | None = None
    """From layers by kind on each stage, (M, P, K), to the memory that each stage lacks, (M, P); grows with the layers.
    `None` is memory without end."""

    @cached_property
    def load(self) -> Load:
        """Times as whole numbers."""
        return Load.of(self.kinds, self.kind_s, self.ends_s)

    @cached_property
    def weight(self) -> Load:
        """Parameters as whole numbers."""
        return Load.of(self.kinds, self.kind_parameters, self.ends_parameters)

    @cached_property
    def counts_before(self) -> IntArray:
        """Layers by kind before each place of the row, (L + 1, K)."""
        one_hot = self.kinds[:, None] == np.arange(len(self.kind_s))[None, :]
        return np.concatenate([np.zeros((1, len(self.kind_s)), dtype=np.int64), np.cumsum(one_hot, axis=0)])

    @cached_property
    def least_sizes(self) -> list[int]:
        """How many layers each chunk must have: one, but for the first and the last, which hold something else."""
        chunks = self.pp * self.vpp
        return [0 if chunk in (0, chunks - 1) else 1 for chunk in range(chunks)]

    @cached_property
    def slowest_bound(self) -> int:
        """What the slowest stage takes at least, whatever the split and the memory, in units of `load`.

        The least t at which all layers have room: the stages' time left beside their ends holds the layers' sum; it
        holds, for every kind, as many layers as are no faster than it; and no stage has fewer layers than it must.
        """
        ends = np.zeros(self.pp, dtype=np.int64)
        ends[0] += self.load.first
        ends[-1] += self.load.last
        layers = np.diff(self.load.before)
        least = np.array(self.least_sizes).reshape(-1, self.pp).sum(axis=0)
        bound = max(
            int((ends + least * layers.min()).max()),
            int(layers.max()),
            -(-int(layers.sum() + ends.sum()) // self.pp),
        )
        for kind in np.unique(layers[layers > 0]):
            number = int((layers >= kind).sum())
            # Room for one more opens where some stage holds a whole number of them.
            steps = np.arange(number // self.pp + 2 + int(ends.max() // kind))
            paces = np.unique(np.maximum(np.add.outer(np.unique(ends), kind * steps), bound))
            room = ((paces[:, None] - ends[None, :]) // kind).sum(axis=1)
            bound = int(paces[np.argmax(room >= number)])
        return bound


@dataclass(frozen=True)
class Load:
    """What layers weigh, in whole units."""

    before: IntArray
    """Of all layers before each place of the row, (L + 1,)."""
    first: int
    last: int
    unit: float

    @staticmethod
    def of(kinds: IntArray, values: Array, ends: tuple[float, float]) -> Load:
        unit = max((float(values[kinds].sum()) + sum(ends)) / RESOLUTION, 1e-300)
        whole = np.rint(values / unit).astype(np.int64)
        before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(whole[kinds])])
        return Load(before, round(ends[0] / unit), round(ends[1] / unit), unit)

    def on_stages(self, edges: IntArray, pp: int) -> IntArray:
        """On each stage, (M, P), where chunk c begins at place `edges[:, c]` of the row; edges (M, pp * vpp + 1)."""
        chunks = np.diff(self.before[edges], axis=1)
        stages = chunks.reshape(len(edges), chunks.shape[1] // pp, pp).sum(axis=1)
        stages[:, 0] += self.first
        stages[:, -1] += self.last
        return np.asarray(stages)

    def on_stage(self, segments: IntArray, stage: int, pp: int) -> IntArray:
        """On a stage that holds segments of so much."""
        return segments + (self.first * (stage == 0) + self.last * (stage == pp - 1))


@dataclass(frozen=True)
class Split:
    """Layers per chunk, how long the slowest stage then takes, and the least that any split could take."""

    sizes: tuple[int, ...]
    slowest_s: float
    bound_s: float
    """No split that fits is faster on its slowest stage."""

    @property
    def gap_fraction(self) -> float:
        """How far the slowest stage may be from the best, as a share of it; 0 is proven to be the best."""
        return self.slowest_s / self.bound_s - 1.0


def plain_splits(pipeline: Pipeline, slack_s: float = 0.0) -> list[Split]:
    """The front of splits of a plain pipeline, one chunk a stage, from the fastest on; empty if none fits in memory.

    Only the first and the last stage may hold no layer. Exact, by dynamic programming over the places of the row:
    the least slowest stage, then the fewest parameters of any stage at that pace, then the most even times. `slack_s`
    is how much slower the slowest stage may become for fewer parameters.
    """
    assert pipeline.vpp == 1
    load, slack = pipeline.load, round(slack_s / pipeline.load.unit)
    total = int(load.before[-1]) + load.first + load.last
    mean = total // pipeline.pp
    # Segments above a pace are of no use to a split below it: look among short ones first.
    pace = min(total, mean + mean // 4 + int(np.diff(load.before).max()) + slack)
    while True:
        found = _Segments(pipeline, pace).front(slack)
        if pace == total or (found and found[0].slowest_s / load.unit + slack <= pace):
            return found
        pace = min(total, 2 * pace)


class _Segments:
    """Runs of layers that take a pace at most, as arrays (W, L + 1) by their length and by the place where they end."""

    def __init__(self, pipeline: Pipeline, pace: int) -> None:
        self.pipeline = pipeline
        before, places = pipeline.load.before, np.arange(len(pipeline.load.before))
        longest = int((places - np.searchsorted(before, before - pace)).max())
        length = np.arange(longest + 1)[:, None]
        self.begin = np.maximum(places[None, :] - length, 0)
        whole = places[None, :] >= length
        times, weights = (x.before[None, :] - x.before[self.begin] for x in (pipeline.load, pipeline.weight))
        stages, pp = range(pipeline.pp), pipeline.pp
        self.times = [pipeline.load.on_stage(times, s, pp) for s in stages]
        self.weights = [pipeline.weight.on_stage(weights, s, pp) for s in stages]
        allowed = [whole if s in (0, pp - 1) else whole & (length > 0) for s in stages]
        self.allowed = [mask & fits for mask, fits in zip(allowed, self._fits(whole), strict=True)]

    def _fits(self, whole: Mask) -> list[Mask]:
        """By stage, which segments fit into its memory."""
        if self.pipeline.missing_bytes is None:
            return [whole] * self.pipeline.pp
        before, places = self.pipeline.counts_before, len(self.pipeline.counts_before)
        counts = (before[None, :] - before[self.begin])[whole]
        number, distinct = np.zeros(len(counts), dtype=np.int64), 1
        for column in counts.T:  # equal counts, equal numbers
            _, number = np.unique(number * places + column, return_inverse=True)
            distinct = int(number.max()) + 1
        rows = np.empty((distinct, before.shape[1]), dtype=np.int64)
        rows[number] = counts
        held = np.broadcast_to(rows[:, None, :], (distinct, self.pipeline.pp, rows.shape[1]))
        fits = self.pipeline.missing_bytes(held) <= 0
        which = np.zeros(whole.shape, dtype=np.int64)
        which[whole] = number
        return [fits[which, stage] for stage in range(self.pipeline.pp)]

    def front(self, slack: int) -> list[Split]:
        """The front from its fastest point on, as far as the slack."""
        unit = self.pipeline.load.unit
        found: list[Split] = []
        light = self.allowed
        slowest = fastest = self._least_largest(self.times, light)
        while slowest is not None and fastest is not None and slowest <= fastest + slack and len(found) < FRONT:
            fast = [mask & (t <= slowest) for mask, t in zip(light, self.times, strict=True)]
            lightest = self._least_largest(self.weights, fast)
            assert lightest is not None
            both = [mask & (w <= lightest) for mask, w in zip(fast, self.weights, strict=True)]
            found.append(Split(self._most_even(both), slowest * unit, fastest * unit))
            light = [mask & (w < lightest) for mask, w in zip(self.allowed, self.weights, strict=True)]
            slowest = self._least_largest(self.times, light)
        return found

    def _least_largest(self, values: list[IntArray], allowed: list[Mask]) -> int | None:
        """The least that the largest value of a segment can be; none if the row cannot be cut so."""
        best = np.full(len(self.begin[0]), _NEVER)
        best[0] = 0
        for value, mask in zip(values, allowed, strict=True):
            best = np.where(mask, np.maximum(best[self.begin], value), _NEVER).min(axis=0)
        return int(best[-1]) if best[-1] < _NEVER else None

    def _most_even(self, allowed: list[Mask]) -> tuple[int, ...]:
        """Sizes with the least sum of squared times.

        Of equal ones, early stages hold fewer layers: they keep more micro-batches.
        """
        best = np.full(len(self.begin[0]), _NEVER)
        best[0] = 0
        lengths = []
        for value, mask in zip(self.times, allowed, strict=True):
            reached = np.where(mask, best[self.begin] + value * value, _NEVER)  # at most RESOLUTION squared in all
            longest = len(reached) - 1 - np.argmin(reached[::-1], axis=0)
            lengths.append(longest)
            best = np.take_along_axis(reached, longest[None, :], axis=0)[0]
        sizes, end = [], len(self.begin[0]) - 1
        for longest in reversed(lengths):
            sizes.append(int(longest[end]))
            end -= sizes[-1]
        return tuple(reversed(sizes))
