"""Draws the incidents of one life of a cluster."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from myriad.sim.failures import marks
from myriad.sim.failures.arrivals import Law, Points, renewed, unrenewed
from myriad.sim.failures.incidents import EFFECTS, Breakable, FloatArray, Incidents, IntArray
from myriad.sim.failures.units import Groups, groups_of, lemon_times, span
from myriad.spec.reliability import FailureCause

_ALL: Final[Mapping[str, float]] = MappingProxyType({})
_ARRIVALS, _MARKS, _GAPS, _MARKS_OF_BURSTS = range(4)
"""Streams of each generation of failures."""
_NO_TIMES, _NO_NUMBERS = np.empty(0), np.empty(0, dtype=np.int64)
_NONE: Final = Incidents(
    start_s=_NO_TIMES, cause=_NO_NUMBERS, effect=_NO_NUMBERS, node=_NO_NUMBERS, num_nodes=_NO_NUMBERS,
    detection_s=_NO_TIMES, diagnosis_s=_NO_TIMES, repair_s=_NO_TIMES, speed=_NO_TIMES, lasts_s=_NO_TIMES,
)  # fmt: skip


def draw_incidents(
    breakable: Breakable, horizon_s: float, seed: np.random.SeedSequence, kept_share: Mapping[str, float] = _ALL
) -> Incidents:
    """What breaks until the horizon, by start.

    Each cause draws from streams of its own, found by its name: causes that are added, dropped or changed leave the
    events of the others as they were, and so do nodes that are added at the end. Durations are quantiles at fixed
    draws: a shorter mean shortens each.

    `kept_share` by name of a cause keeps that share of its events, always the same ones of those that a larger share
    keeps: `{"nic": 0.5}` is the same life with network cards that fail half as often. Bursts are kept or dropped
    whole. A failure that is dropped has still renewed its unit.

    Each unit fails by a Poisson process whose hazard follows its age, see `FailureCause.shape`. A repair that replaces
    starts the age again when it ends, given a free crew; any other failure leaves it. Bursts begin at the rate over
    their mean size; what of them lies past the horizon is cut off.
    Closed forms: `expected_incidents`. Checked in tests/properties/test_failures.py.
    """
    lemon = lemon_times(breakable, _Streams(seed, "").generator(0, 0))
    parts = [
        _of_cause(breakable, index, horizon_s, _Streams(seed, name), lemon, kept_share.get(name, 1.0))
        for index, (name, _) in enumerate(breakable.causes)
    ]
    return _by_start([_NONE, *parts])


def _by_start(parts: list[Incidents]) -> Incidents:
    order = np.argsort(np.concatenate([part.start_s for part in parts]), kind="stable")
    columns = Incidents.__dataclass_fields__
    return Incidents(**{key: np.concatenate([getattr(part, key) for part in parts])[order] for key in columns})


class _Streams:
    """The random numbers of one cause: they depend on the seed and the cause's name alone."""

    def __init__(self, seed: np.random.SeedSequence, name: str) -> None:
        self._entropy = seed.entropy
        self._key = (*seed.spawn_key, zlib.crc32(name.encode()))

    def generator(self, generation: int, which: int) -> np.random.Generator:
        key = (*self._key, generation, which)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self._entropy, spawn_key=key)))

    def arrivals(self, generation: int) -> np.random.Generator:
        return self.generator(generation, _ARRIVALS)

    def marks(self, generation: int, count: int, which: int = _MARKS) -> FloatArray:
        return marks.marks(self.generator(generation, which), count)


def _of_cause(
    breakable: Breakable, index: int, horizon_s: float, streams: _Streams, lemon: FloatArray, kept_share: float
) -> Incidents:
    _, cause = breakable.causes[index]
    groups = groups_of(breakable, cause, lemon)
    time, group, marked = _events(groups, cause, horizon_s, streams, kept_share)
    nodes = groups.nodes[group]
    node = groups.first_node[group] + (marked[:, marks.PLACE] * nodes).astype(np.int64)
    if cause.reach == "none":
        reached = np.zeros(len(node), dtype=np.int64)
    else:
        size = span(breakable, cause.reach)
        node = node // size * size
        reached = np.minimum(size, breakable.num_nodes - node)
    return Incidents(
        start_s=time,
        cause=np.full(len(time), index),
        effect=np.full(len(time), EFFECTS.index(cause.effect)),
        node=node,
        num_nodes=reached,
        detection_s=marks.detection_s(cause, marked),
        diagnosis_s=marks.diagnosis_s(cause, marked),
        repair_s=marks.repair_s(cause, marked),
        speed=np.full(len(time), cause.speed),
        lasts_s=marks.lasts_s(cause, marked),
    )


def _events(
    groups: Groups, cause: FailureCause, horizon_s: float, streams: _Streams, kept_share: float
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Times, groups and marks of the events that are kept, those of bursts included."""
    found = []
    for generation, (some, marked) in enumerate(_begun(groups, cause, horizon_s, streams)):
        time, group = some.time_s, some.group
        kept = marked[:, marks.KEPT] < kept_share
        if cause.burst > 1.0:
            sizes = marks.burst_sizes(cause, marked)
            burst = np.repeat(np.arange(len(time)), sizes - 1)
            waited = _waited(streams.generator(generation, _GAPS), burst, sizes)
            more = streams.marks(generation, len(burst), _MARKS_OF_BURSTS)
            more[:, marks.PLACE] = marked[burst, marks.PLACE]
            time = np.concatenate((time, time[burst] + cause.burst_within * waited))
            group, kept = np.concatenate((group, group[burst])), np.concatenate((kept, kept[burst]))
            marked = np.concatenate((marked, more))
        kept &= time < horizon_s
        found.append((time[kept], group[kept], marked[kept]))
    if not found:
        return _NO_TIMES, _NO_NUMBERS, np.empty((0, marks.COLUMNS))
    times, groups_of_all, all_marks = zip(*found, strict=True)
    return np.concatenate(times), np.concatenate(groups_of_all), np.concatenate(all_marks)


def _waited(generator: np.random.Generator, burst: IntArray, sizes: IntArray) -> FloatArray:
    """Mean times between events from the start of a burst to each of its later events."""
    total = np.cumsum(generator.standard_exponential(len(burst)))
    before = np.concatenate(([0.0], total))[np.cumsum(sizes - 1) - (sizes - 1)]
    result: FloatArray = total - before[burst]
    return result


def _begun(
    groups: Groups, cause: FailureCause, horizon_s: float, streams: _Streams
) -> Iterator[tuple[Points, FloatArray]]:
    """Failures that stand alone or begin a burst, with their marks."""
    law = Law(cause.rate.per_1000_unit_days / cause.burst, cause.shape)
    if law.per_1000_unit_days == 0.0 or not len(groups.units):
        return
    if cause.shape == 1.0 or not cause.replaced or cause.repaired == 0.0:
        # Renewed or not is the same where nothing ages, and where nothing is renewed.
        found = unrenewed(groups, law, horizon_s, streams.arrivals(0))
        yield found, streams.marks(0, len(found))
        return

    def back_after_s(marked: FloatArray) -> FloatArray:
        out = marks.detection_s(cause, marked) + marks.diagnosis_s(cause, marked) + marks.repair_s(cause, marked)
        result: FloatArray = np.where(marks.repaired(cause, marked), out, np.nan)
        return result

    yield from renewed(groups, law, horizon_s, streams.arrivals, streams.marks, back_after_s)
