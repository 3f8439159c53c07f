"""Fits figures of machine and software to one run: the least change of what was known that explains what it measured.

Unknown are the logarithms x of a few factors, each known before as 0 with a standard deviation (`Knob.spread`);
measured are the logarithms of a few times, each with its own. The most probable x minimises

    sum over measured  ((ln predicted(x) - ln measured) / deviation)^2  +  sum over knobs (x / spread)^2

by Gauss-Newton with slopes from finite differences, and steps that are halved until they help. One run measures two
times at most, the step and what ranks compute in it, so it cannot tell everything apart: a knob of which it takes away
less than a tenth of the uncertainty is left as it was, and the others are fitted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.catalog.fitted import with_factors
from myriad.estimate.device import device, kernel_precision
from myriad.estimate.setting import Setting
from myriad.estimate.training import estimate_layout
from myriad.spec.calibration import Kernels, Stack
from myriad.spec.layout import Layout
from myriad.spec.result import TIME_PARTS

Array = npt.NDArray[np.float64]
Keys = tuple[str, ...]

WAITING: Final = ("tp_comm", "cp_comm", "ep_comm", "pp_comm", "dp_comm", "bubble")
"""Parts of a step in which a rank waits for others."""
COMPUTING: Final = tuple(part for part in TIME_PARTS if part not in WAITING)
TOLD: Final = 0.9
"""A knob counts as told by a run that leaves less than this share of its uncertainty."""
_UNTOUCHED: Final = 0.99
_STEP: Final = 0.02
_ROUNDS: Final = 8
_LEAST: Final = 1e-3
"""A change of a logarithm that is none."""


@dataclass(frozen=True)
class Knob:
    """A factor on figures that one run may change."""

    name: str
    kernels: tuple[Keys, ...] = ()
    stack: tuple[Keys, ...] = ()
    spread: float = 0.2
    """Standard deviation of ln factor before the run."""


@dataclass(frozen=True)
class Measured:
    """One measured time of a step; deviation of its logarithm."""

    seconds: float
    deviation: float


@dataclass(frozen=True)
class Machine:
    """A job in its layout, with the figures that a run may change."""

    setting: Setting
    layout: Layout
    kernels: Kernels
    stack: Stack
    calibrated: bool

    def at(self, factors: Mapping[Knob, float]) -> Machine:
        """The same with figures multiplied."""
        on_kernels = {keys: factor for knob, factor in factors.items() for keys in knob.kernels}
        on_stack = {keys: factor for knob, factor in factors.items() for keys in knob.stack}
        kernels, stack = with_factors(self.kernels, on_kernels), with_factors(self.stack, on_stack)
        work = self.setting.work
        chip = device(self.setting.cluster.accelerator, kernels, work.precision, self.calibrated)
        release = work.stack.partition("@")[2]
        setting = self.setting.on(chip, stack.as_run(release, work.switches))
        return Machine(setting, self.layout, kernels, stack, self.calibrated)

    def times(self) -> tuple[float, float, float]:
        """Seconds of the step, those of it in which a rank computes, and peak bytes of memory."""
        found = estimate_layout(self.setting, self.layout)
        computing = sum(found.time_parts_s.get(part, 0.0) for part in COMPUTING)
        return found.step_s, computing, found.memory_peak_bytes


@dataclass(frozen=True)
class Told:
    """What a run says of one knob."""

    knob: Knob
    factor: float
    uncertainty: float
    """Standard deviation of ln factor."""


def knobs_of(machine: Machine) -> tuple[Knob, ...]:
    """What a run of this job may change; spreads are how far one cluster is from what others published."""
    own = kernel_precision(machine.setting.work.precision)
    found = [
        Knob("compute", (("training_share", own), ("attention_training_share",)), (), 0.25),
        Knob("streams", (), (("stream_passes",),), 0.25),
        Knob("overhead", (), (("step_overhead_s",),), 0.5),
        Knob("host", (), (("host_s_per_kernel",),), 0.4),
    ]
    found += [Knob(kind, (), (("stretch", kind),), 0.4) for kind in ("tp", "cp", "ep", "pp", "dp")]
    return tuple(found)


def fit_run(machine: Machine, step: Measured, computing: Measured | None) -> tuple[Told, ...]:
    """The knobs that the run tells of, with factors and what is left of their uncertainty."""
    measured = [step] if computing is None else [step, computing]

    def predicted_by(knobs: Sequence[Knob]) -> Callable[[Array], Array]:
        def predicted(x: Array) -> Array:
            factors = {knob: float(np.exp(value)) for knob, value in zip(knobs, x, strict=True)}
            return np.log(machine.at(factors).times()[: len(measured)])

        return predicted

    target = np.log([one.seconds for one in measured])
    weights = np.array([one.deviation for one in measured]) ** -2.0
    knobs = knobs_of(machine)
    while knobs:
        spreads = np.array([knob.spread for knob in knobs])
        x, deviations = _solved(predicted_by(knobs), target, weights, spreads)
        # A rate that was moved to its peak is told, too, though nothing depends on it there any more.
        left = np.where(np.abs(x) > spreads, 0.0, deviations / spreads)
        if (left < TOLD).all():
            return tuple(
                Told(knob, float(np.exp(value)), float(deviation))
                for knob, value, deviation in zip(knobs, x, deviations, strict=True)
            )
        # Those that nothing tells of go at once, then the least told: what it leaves over may tell of another.
        kept = left < min(float(left.max()) - 1e-9, _UNTOUCHED)
        knobs = tuple(knob for knob, stays in zip(knobs, kept, strict=True) if stays)
    return ()


def _solved(
    predicted: Callable[[Array], Array], target: Array, weights: Array, spreads: Array
) -> tuple[Array, Array]:  # fmt: skip
    """Logarithms of factors that fit best, and their standard deviations."""

    def misfit(x: Array, here: Array) -> float:
        return float((weights * (here - target) ** 2).sum() + (x**2 / spreads**2).sum())

    x, here = np.zeros(len(spreads)), predicted(np.zeros(len(spreads)))
    for _ in range(_ROUNDS):
        slopes, normal = _slopes(predicted, x, here, weights, spreads)
        change = np.linalg.solve(normal, (slopes.T * weights) @ (target - here) - x / spreads**2)
        change = np.clip(change, -1.0, 1.0)
        # Where a rate meets its peak, slopes end: a step that goes too far is halved until it helps.
        while np.abs(change).max() >= _LEAST:
            there = predicted(x + change)
            if misfit(x + change, there) < misfit(x, here):
                break
            change = change / 2.0
        else:
            break
        x, here = x + change, there
    _, normal = _slopes(predicted, x, here, weights, spreads)
    return x, np.sqrt(np.diag(np.linalg.inv(normal)))


def _slopes(
    predicted: Callable[[Array], Array], x: Array, here: Array, weights: Array, spreads: Array
) -> tuple[Array, Array]:  # fmt: skip
    """Of predictions by logarithms of factors, and the matrix of the normal equations."""
    slopes = np.stack([(predicted(x + _STEP * unit) - here) / _STEP for unit in np.eye(len(x))], axis=1)
    return slopes, (slopes.T * weights) @ slopes + np.diag(spreads**-2.0)


def updated(prior: float, spread: float, measured: float, deviation: float) -> tuple[float, float]:
    """Most probable value, and deviation of its logarithm, of a positive figure that was measured directly.

    Both are taken as normal in the logarithm: `prior` with `spread` before, `measured` with `deviation`.

    >>> value, left = updated(100.0, 0.7, 50.0, 0.1)
    >>> round(value, 1), round(left, 3)
    (50.7, 0.099)
    """
    one, other = spread**-2.0, deviation**-2.0
    ln = (one * np.log(prior) + other * np.log(measured)) / (one + other)
    return float(np.exp(ln)), float((one + other) ** -0.5)


def updated_rate(expected: float, shape: float, count: int) -> float:
    """Factor on a rate of failures after `count` of them where `expected` were expected.

    A gamma law of mean 1 and this shape says how sure the rate was; counts are Poisson: (shape + count) over
    (shape + expected).

    >>> updated_rate(10.0, 2.0, 10), updated_rate(1.0, 2.0, 4)
    (1.0, 2.0)
    """
    return (shape + count) / (shape + expected)
