"""Operating points of every kind of replica over a grid of batches: aggregated ones, and both sides where they part."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from myriad.estimate.serving.disaggregated import Side, decode_room, decoding_parts, prefilling
from myriad.estimate.serving.load import as_seen
from myriad.estimate.serving.machine import Array
from myriad.estimate.serving.operating import operating_points
from myriad.estimate.serving.parts import whole_s
from myriad.estimate.serving.percentile import tpot_at_s, ttft_at_s
from myriad.estimate.serving.queue import MOST_BUSY, wait_s
from myriad.estimate.serving.turn import room_of
from myriad.search.serving_space import batches
from myriad.search.serving_units import Choice, IntArray, Question, Units

BoolArray = npt.NDArray[np.bool_]

RATIO = 1.25
"""Of neighbouring batches of the grid."""


@dataclass(frozen=True)
class Points:
    """Operating points of kinds of replicas, arrays (U, B); where there is none, no rate and endless times."""

    concurrency: Array
    """Of one replica."""
    requests_per_s: Array
    """Of one replica."""
    ttft_s: Array
    tpot_s: Array
    ttft_at_s: Array
    tpot_at_s: Array
    looked: BoolArray
    """Whether the point was computed at all."""
    held: BoolArray
    """Whether there is room for it, in memory and in iterations."""

    @staticmethod
    def empty(units: int, grid: int) -> Points:
        """No points yet."""
        times = {f.name: np.full((units, grid), np.inf) for f in fields(Points) if f.name not in ("looked", "held")}
        times["requests_per_s"][:] = 0.0
        none = np.zeros((units, grid), dtype=bool)
        return Points(**times, looked=none, held=none.copy())


@dataclass(frozen=True)
class Prefills:
    """What replicas that only prefill do, arrays (U,)."""

    alone_s: Array
    """Time of one prompt alone."""
    sent_s: Array
    """Time to send its cache."""
    least_s: Array
    """Time to the first token where nobody waits."""
    per_s: Array
    """Prompts per second at most, of one replica."""
    busy: Array
    """Share of that at which the promised TTFT is just kept; 0 where it never is."""
    fits: BoolArray

    def ready_s(self, row: IntArray, busy: Array) -> Array:
        """See `estimate.serving.disaggregated.Prefilling.ready_s`."""
        return self.alone_s[row] + wait_s(self.alone_s[row], busy) + self.sent_s[row]


def aggregated_points(question: Question, units: Units, cores: int) -> tuple[Points, BoolArray]:
    """The points of replicas that do all the work, and which of them fit in memory."""
    grid = batches(RATIO)
    found, fits = Points.empty(len(units), len(grid)), np.zeros(len(units), dtype=bool)

    def look(choice: Choice, rows: IntArray) -> None:
        mine = units.take(rows)
        load, limits = question.load(np.full(len(rows), np.inf)), mine.limits(choice.work)
        room = room_of(question.model, mine.cut, choice.machine, load, limits)
        fits[rows] = room.fits
        at, step = _worth(grid, np.where(room.fits, np.minimum(room.most / mine.cut.pp, room.full), 0.0))
        batch = np.minimum(grid[step], np.minimum(room.most / mine.cut.pp, room.full)[at])
        many = mine.take(at)
        points = operating_points(
            question.model, many.cut, choice.machine, question.load(np.full(len(at), np.inf)),
            many.limits(choice.work), room.take(at), batch,
        )  # fmt: skip
        percentile, where = question.objective.percentile, (rows[at], step)
        found.concurrency[where] = points.concurrency
        found.requests_per_s[where] = points.requests_per_s
        found.ttft_s[where] = points.ttft_s
        found.tpot_s[where] = points.tpot_s
        found.ttft_at_s[where] = ttft_at_s(points.ttft_s, points.wait_s, points.wait_share, percentile)
        found.tpot_at_s[where] = tpot_at_s(points.tpot_s, points.deviation_s, percentile)
        found.looked[where] = True
        found.held[where] = points.held & (points.wait_share < MOST_BUSY)

    _each(question, units, look, cores)
    return found, fits


def decode_points(question: Question, units: Units, cores: int) -> tuple[Points, BoolArray]:
    """The points of replicas that only decode, and which of them fit in memory; their requests are those that decode.

    Time to the first token is not theirs: it is 0.
    """
    grid = batches(RATIO)
    found, fits = Points.empty(len(units), len(grid)), np.zeros(len(units), dtype=bool)

    def look(choice: Choice, rows: IntArray) -> None:
        mine = units.take(rows)
        load = question.load(np.full(len(rows), np.inf))
        side = Side(mine.cut, np.ones(len(rows)), choice.machine, mine.limits(choice.work))
        room = decode_room(question.model, side, load)
        fits[rows] = room.fits
        at, step = _worth(grid, np.where(room.fits, room.most / mine.cut.pp, 0.0))
        batch = np.minimum(grid[step], (room.most / mine.cut.pp)[at])
        many = mine.take(at)
        side = Side(many.cut, np.ones(len(at)), choice.machine, many.limits(choice.work))
        mean_s = whole_s(decoding_parts(question.model, side, room.take(at), batch))
        where = (rows[at], step)
        found.concurrency[where] = many.cut.dp * many.cut.pp * batch
        found.requests_per_s[where] = many.cut.dp * many.cut.pp * batch / (room.passes[at] * mean_s)
        found.ttft_s[where] = found.ttft_at_s[where] = 0.0
        token_s = mean_s / side.limits.tokens_per_pass
        _, each_s = as_seen(token_s, token_s, question.load(mean_s), side.limits, choice.machine.engine)
        found.tpot_s[where] = found.tpot_at_s[where] = each_s
        found.looked[where] = found.held[where] = True

    _each(question, units, look, cores)
    return found, fits


def prefill_sides(question: Question, units: Units, cores: int) -> Prefills:
    """What replicas that only prefill do, and how busy they may be under the promised TTFT."""
    columns = {f.name: np.zeros(len(units)) for f in fields(Prefills) if f.name != "fits"}
    found = Prefills(**columns, fits=np.zeros(len(units), dtype=bool))

    def look(choice: Choice, rows: IntArray) -> None:
        mine = units.take(rows)
        load = question.load(np.full(len(rows), np.inf))
        side = Side(mine.cut, np.ones(len(rows)), choice.machine, mine.limits(choice.work))
        prompts = prefilling(question.model, side, load)
        least_s = prompts.ready_s(np.zeros(len(rows)))
        least_s, _ = as_seen(least_s, np.zeros(len(rows)), load, side.limits, choice.machine.engine)
        found.alone_s[rows], found.sent_s[rows], found.least_s[rows] = prompts.alone_s, prompts.sent_s, least_s
        found.per_s[rows], found.fits[rows] = prompts.per_s, prompts.fits
        # The time to the first token rises with the load: the last share of the grid that keeps it is the highest.
        share = np.linspace(0.01, 0.99 * MOST_BUSY, 96)
        waited = wait_s(prompts.alone_s[:, None], share)
        at_s = ttft_at_s(least_s[:, None] + waited, waited, share + 0.0 * waited, question.objective.percentile)
        kept = at_s <= question.ttft_s
        found.busy[rows] = np.where(prompts.fits, np.max(np.where(kept, share, 0.0), axis=1), 0.0)

    _each(question, units, look, cores)
    return found


def _worth(grid: Array, most: Array) -> tuple[IntArray, IntArray]:
    """Rows and steps of the grid up to the first step that reaches what the row has room for."""
    before = np.concatenate(([0.0], grid[:-1]))
    at, step = np.nonzero(before[None, :] < most[:, None])
    return at, step


def _each(question: Question, units: Units, look: Callable[[Choice, IntArray], None], cores: int) -> None:
    with ThreadPoolExecutor(max_workers=cores) as pool:
        for done in [pool.submit(look, choice, rows) for choice, rows in units.by_choice(question)]:
            done.result()
