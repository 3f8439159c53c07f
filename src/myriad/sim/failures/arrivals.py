"""When units fail: points on one line along which the expected failures of all units are laid end to end.

A Poisson process on that line is one for every unit. Units that are added at the end lengthen the line and leave the
points before as they were, so that clusters with and without them break alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from myriad.estimate.failure_rates import age_at, cumulative_hazard
from myriad.sim.failures.incidents import FloatArray, IntArray
from myriad.sim.failures.units import Groups


@dataclass(frozen=True)
class Law:
    """How often one unit fails, by age."""

    per_1000_unit_days: float
    shape: float


@dataclass(frozen=True)
class Points:
    """Failures in the order of their units."""

    time_s: FloatArray
    group: IntArray
    unit: IntArray
    """Within the group."""

    def __len__(self) -> int:
        return len(self.time_s)

    def at(self, where: IntArray | npt.NDArray[np.bool_]) -> Points:
        """Some of them."""
        return Points(self.time_s[where], self.group[where], self.unit[where])


Drawn: TypeAlias = Callable[[int], np.random.Generator]
"""The stream of a generation."""


def unrenewed(groups: Groups, law: Law, horizon_s: float, generator: np.random.Generator) -> Points:
    """Failures until the horizon of units that no repair renews."""
    served = np.maximum(horizon_s - groups.joined_s, 0.0)
    before = cumulative_hazard(groups.age_s, law.per_1000_unit_days, law.shape)
    each = cumulative_hazard(groups.age_s + served, law.per_1000_unit_days, law.shape) - before
    length = groups.units * groups.times * each
    ends = np.cumsum(length)
    place = _poisson(generator, float(ends[-1]))
    group = np.searchsorted(ends, place, side="right")
    passed = (place - (ends - length)[group]) / (groups.times * each)[group]
    # The last unit of a group may be a part of one: switches per leaf need not be whole.
    unit = np.clip(np.floor(passed), 0.0, np.ceil(groups.units[group]) - 1.0)
    age = age_at(before[group] + (passed - unit) * each[group], law.per_1000_unit_days, law.shape)
    time = groups.joined_s[group] + np.clip(age - groups.age_s[group], 0.0, served[group])
    return Points(time, group, unit.astype(np.int64))


def _poisson(generator: np.random.Generator, length: float) -> FloatArray:
    """Points of a Poisson process of rate 1 from 0 to `length`; a longer line begins with the same ones."""
    found: FloatArray = np.zeros(1)
    while found[-1] < length:
        left = length - found[-1]
        gaps = generator.standard_exponential(int(left + 4.0 * np.sqrt(left)) + 8)
        gaps[0] += found[-1]
        found = np.concatenate((found, np.cumsum(gaps)))
    return found[1 : np.searchsorted(found, length, side="left")]


def renewed(
    groups: Groups,
    law: Law,
    horizon_s: float,
    stream: Drawn,
    marks: Callable[[int, int], FloatArray],
    back_after_s: Callable[[FloatArray], FloatArray],
) -> Iterator[tuple[Points, FloatArray]]:
    """Failures of units that repairs may renew, with their marks: the first of each unit, then the second, ...

    `back_after_s` gives from the marks of failures how long after them each unit is back as good as new, NaN where it
    goes on ageing. Every unit keeps its row, and has infinite times once it is past the horizon: so what happens to one
    shifts no draws of another.
    """
    now = unrenewed(groups, law, horizon_s, stream(0))
    all_marks = marks(0, len(now))
    first = np.flatnonzero((np.diff(now.group, prepend=-1) != 0) | (np.diff(now.unit, prepend=-1) != 0))
    now, marked = now.at(first), all_marks[first]
    times = groups.times[now.group]
    born = groups.joined_s[now.group] - groups.age_s[now.group]
    generation = 0
    while np.isfinite(now.time_s).any():
        yield now, marked
        generation += 1
        back = back_after_s(marked)
        with np.errstate(invalid="ignore"):  # of rows past the horizon
            so_far = times * cumulative_hazard(now.time_s - born, law.per_1000_unit_days, law.shape)
            hazard = np.where(np.isnan(back), so_far, 0.0) + stream(generation).standard_exponential(len(now))
            born = np.where(np.isnan(back), born, now.time_s + back)
            time = born + age_at(hazard / times, law.per_1000_unit_days, law.shape)
            now = Points(np.where(time < horizon_s, time, np.inf), now.group, now.unit)
        marked = marks(generation, len(now))
