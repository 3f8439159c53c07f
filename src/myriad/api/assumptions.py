"""How much a step time depends on each fitted factor and on each figure that nobody measured."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from myriad import catalog
from myriad.catalog import Entry
from myriad.catalog.fitted import with_factors
from myriad.estimate.device import device
from myriad.estimate.setting import Setting
from myriad.estimate.table import estimate_rows
from myriad.spec.base import Spec
from myriad.spec.calibration import Kernels, Stack
from myriad.spec.explanation import Assumption
from myriad.spec.fitted import Factor
from myriad.spec.layout import Layout

ASSUMED_SHARE_CHANGE = 0.1
"""A figure between 0 and 1 that was assumed or derived is tried with so much more and less."""
ASSUMED_CHANGE = 0.2
"""Any other such figure is tried with this share of it more and less."""

Keys = tuple[str, ...]


def assumptions(setting: Setting, layout: Layout) -> tuple[Assumption, ...]:
    """Every fitted factor and unmeasured figure that the step time depends on, the strongest first.

    Each is moved alone, all others stay: a factor by one standard deviation of the fit, a figure by
    `ASSUMED_SHARE_CHANGE` or `ASSUMED_CHANGE`. Figures of entries that a user added or replaced count as
    their file says. Figures of the hardware itself (datasheets) are left to `compare.sensitivities`.
    """
    ground = _Ground(setting, layout)
    found = [ground.of_factor(factor) for factor in catalog.training_fit().factors]
    found += [ground.of_figure(entry, leaf) for entry in (ground.stack, ground.kernels) for leaf in _unmeasured(entry)]
    moving = [one for one in found if one is not None and one.change_fraction > 0]
    return tuple(sorted(moving, key=lambda one: -one.change_fraction))


@dataclass(frozen=True)
class _Leaf:
    """One number of an entry."""

    keys: Keys
    value: float
    is_share: bool
    kind: Literal["assumed", "derived"]
    note: str


@dataclass(frozen=True)
class _Ground:
    """The step time of one layout as a function of its two entries of what is fitted and assumed."""

    setting: Setting
    layout: Layout

    @cached_property
    def kernels(self) -> Entry:
        return catalog.kernels_entry(self.setting.cluster.accelerator_id)

    @cached_property
    def stack(self) -> Entry:
        return catalog.entry("stacks", self.setting.work.software)

    @cached_property
    def base_s(self) -> float:
        return self._estimated_s(self.setting)

    def _estimated_s(self, setting: Setting) -> float:
        return float(estimate_rows(setting, [self.layout]).step_s[0])

    def _step_s(self, kernels: Spec, stack: Spec) -> float:
        assert isinstance(kernels, Kernels)
        assert isinstance(stack, Stack)
        work = self.setting.work
        chip = device(self.setting.cluster.accelerator, kernels, work.precision, self.setting.device.calibrated)
        software = stack.as_run(work.release, work.switches)
        if (chip, software) == (self.setting.device, self.setting.stack):
            return self.base_s  # figures of other precisions or releases
        return self._estimated_s(self.setting.on(chip, software))

    def of_factor(self, factor: Factor) -> Assumption | None:
        """What one standard deviation of a factor changes; nothing if it is on no figure of these entries."""
        if not any(_fitted(entry, factor) for entry in (self.kernels, self.stack)):
            return None
        up = math.exp(factor.uncertainty)
        values = factor.factor / up, factor.factor, factor.factor * up
        steps_s = self._with_factor(factor, 1 / up), self._with_factor(factor, up)
        return self._assumption(factor.figures, "fitted", factor.meaning, values, steps_s)

    def _with_factor(self, factor: Factor, by: float) -> float:
        moved = factor.model_copy(update={"factor": by})
        return self._step_s(*(with_factors(e.spec, _fitted(e, moved)) for e in (self.kernels, self.stack)))

    def of_figure(self, entry: Entry, leaf: _Leaf) -> Assumption:
        """What the usual change of a figure changes."""
        if leaf.is_share:
            ends = max(leaf.value - ASSUMED_SHARE_CHANGE, 0.0), min(leaf.value + ASSUMED_SHARE_CHANGE, 1.0)
        else:
            ends = leaf.value * (1 - ASSUMED_CHANGE), leaf.value * (1 + ASSUMED_CHANGE)
        low, high = (self._with_value(entry, leaf.keys, end) for end in ends)
        figure = "/".join((entry.kind, entry.id, *leaf.keys))
        return self._assumption((figure,), leaf.kind, leaf.note, (ends[0], leaf.value, ends[1]), (low, high))

    def _with_value(self, entry: Entry, keys: Keys, value: float) -> float:
        changed = _changed(entry.spec, keys, value)
        return self._step_s(
            changed if entry is self.kernels else self.kernels.spec, changed if entry is self.stack else self.stack.spec
        )

    def _assumption(
        self,
        figures: tuple[str, ...],
        kind: Literal["fitted", "assumed", "derived"],
        meaning: str,
        values: tuple[float, float, float],
        steps_s: tuple[float, float],
    ) -> Assumption:
        return Assumption(
            figures=figures,
            kind=kind,
            meaning=meaning,
            value=values[1],
            low=values[0],
            high=values[2],
            step_at_low_s=steps_s[0],
            step_at_high_s=steps_s[1],
            change_fraction=max(abs(step / self.base_s - 1) for step in steps_s),
        )


def _fitted(entry: Entry, factor: Factor) -> dict[Keys, float]:
    """What the factor multiplies in this entry: nothing in one that a user wrote, since nothing there was fitted."""
    found = entry.factors((factor,))
    figures = {keys: entry.figures.get(".".join(keys)) for keys in found}
    return {keys: by for keys, by in found.items() if (figure := figures[keys]) and figure.kind == "fitted"}


def _changed(spec: Spec, keys: Keys, value: float) -> Spec:
    values: dict[str, Any] = spec.model_dump()
    within = values
    for key in keys[:-1]:
        within = within[key]
    within[keys[-1]] = value
    return type(spec).model_validate(values)


def _unmeasured(entry: Entry) -> Iterator[_Leaf]:
    """Numbers of the entry that are assumed or derived; those that its file leaves to the default are assumed."""
    for keys, value, is_share in _numbers(entry.spec):
        figure = entry.figures.get(".".join(keys))
        kind = figure.kind if figure else "assumed"
        if kind in ("assumed", "derived"):
            yield _Leaf(keys, value, is_share, kind, figure.note if figure else "")


def _numbers(spec: Spec, before: Keys = ()) -> Iterator[tuple[Keys, float, bool]]:
    """Keys, value and whether it is a share of at most 1, for every number of a description."""
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        keys = (*before, name)
        if isinstance(value, float):
            yield keys, value, any(getattr(m, "le", None) == 1 for m in field.metadata)
        elif isinstance(value, dict):
            for key, below in value.items():
                if isinstance(below, Spec):
                    yield from _numbers(below, (*keys, key))
                elif isinstance(below, float):
                    yield (*keys, key), below, False
