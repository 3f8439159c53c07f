"""Fits the parameters of training estimates to measured runs, and predicts runs that were left out.

The fit minimises, over ln factor t of all parameters,

    sum over runs  rho((ln predicted step - ln measured step) / noise)  +  sum over parameters (t / spread)^2

with Huber's rho, so that a few odd runs do not bend the rest. Each step linearises the estimate by finite
differences: only runs that a parameter touches are estimated again; a step that does not lower the sum is
halved. Leaving a group of runs out refits with the same slopes, then estimates the runs left out by the whole,
not the linear, model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from myriad import catalog
from myriad.catalog import Entry, Kind
from myriad.catalog.fitted import with_factors
from myriad.estimate.device import Device, device, kernel_precision
from myriad.estimate.setting import Setting
from myriad.estimate.table import estimate_table
from myriad.spec.calibration import Kernels, Stack
from myriad.spec.fitted import Factor
from myriad.spec.layout import Layout, LayoutTable
from myriad.validate.layouts import Run

Array = npt.NDArray[np.float64]

NOISE = 0.07
"""Standard deviation of ln step time between runs of one configuration: releases differ by 6 % in the median, by more
than a third for one in ten."""
HUBER = 1.2
"""Deviations of so many times the noise and more pull with constant force."""
STEP = 0.02
"""Change of ln factor for slopes."""


@dataclass(frozen=True)
class Measured:
    """One measured run, ready to be estimated with any factors."""

    run: Run
    layout: Layout
    kernels_id: str
    setting: Setting
    """With the assumed figures; nothing fitted."""
    ln_step: float
    """Of the measured step time in seconds."""


def measured(run: Run, layout: Layout) -> Measured:
    """The run with its assumed figures looked up; `layout` is the one of its layouts that fits."""
    kernels_id = catalog.kernels_entry(run.cluster.accelerator_id).id
    tokens = run.work.seq_len * run.work.global_batch
    step_s = tokens / (run.measured_tokens_per_s_per_gpu * run.cluster.num_accelerators)
    setting = Setting(run.model, run.cluster, run.work, _device(run, kernels_id, ()), _stack(run, ()))
    return Measured(run, layout, kernels_id, setting, float(np.log(step_s)))


def _device(run: Run, kernels_id: str, factors: Sequence[Factor]) -> Device:
    return device(run.cluster.accelerator, _kernels(kernels_id, factors), run.work.precision)


@lru_cache(maxsize=256)
def _assumed(kind: Kind, name: str) -> Entry:
    return catalog.assumed(kind, name)


def _kernels(kernels_id: str, factors: Sequence[Factor]) -> Kernels:
    entry = _assumed("kernels", kernels_id)
    assert isinstance(entry.spec, Kernels)
    return with_factors(entry.spec, entry.factors(factors))


def _stack(run: Run, factors: Sequence[Factor]) -> Stack:
    entry = _assumed("stacks", run.work.software)
    assert isinstance(entry.spec, Stack)
    return with_factors(entry.spec, entry.factors(factors)).as_run(run.work.release, run.work.switches)


def ln_step(one: Measured, factors: Sequence[Factor]) -> float:
    """Natural logarithm of the estimated step time in seconds, with these factors."""
    setting = one.setting.on(_device(one.run, one.kernels_id, factors), _stack(one.run, factors))
    return float(np.log(estimate_table(setting, LayoutTable.from_layouts([one.layout])).step_s[0]))


def touches(factor: Factor, one: Measured) -> bool:
    """Whether the parameter belongs to the run's accelerator or software."""
    work = one.run.work
    for figure in factor.figures:
        kind, name, *keys = figure.split("/")
        if name not in ("*", one.kernels_id if kind == "kernels" else work.software):
            continue
        if keys[0] == "training_share" and keys[1] != kernel_precision(work.precision):
            continue
        if keys[0] == "releases" and keys[1] != work.release:
            continue
        return True
    return False


@dataclass(frozen=True)
class Linear:
    """The estimate around some factors: ln step of every run, and its slope by every parameter's ln factor."""

    at: Array
    """ln factors (K,)."""
    ln_steps: Array
    """(R,)"""
    slopes: Array
    """(R, K)"""

    def ln_steps_at(self, ln_factors: Array) -> Array:
        return np.asarray(self.ln_steps + self.slopes @ (ln_factors - self.at))


def with_values(parameters: Sequence[Factor], ln_factors: Array) -> tuple[Factor, ...]:
    """The parameters with these ln factors."""
    return tuple(p.model_copy(update={"factor": float(np.exp(v))}) for p, v in zip(parameters, ln_factors, strict=True))


def linearise(
    runs: Sequence[Measured],
    parameters: Sequence[Factor],
    ln_factors: Array,
    progress: Callable[[], None] = lambda: None,
) -> Linear:
    """Estimates of all runs, and their slopes by finite differences."""
    here = with_values(parameters, ln_factors)
    slopes = np.zeros((len(runs), len(parameters)))
    base = np.empty(len(runs))
    for r, one in enumerate(runs):
        own = [k for k, p in enumerate(parameters) if touches(p, one)]
        mine = [here[k] for k in own]
        base[r] = ln_step(one, mine)
        for i, k in enumerate(own):
            moved = parameters[k].model_copy(update={"factor": here[k].factor * float(np.exp(STEP))})
            slopes[r, k] = (ln_step(one, [*mine[:i], moved, *mine[i + 1 :]]) - base[r]) / STEP
        progress()
    return Linear(ln_factors.copy(), base, slopes)


def solve(linear: Linear, measured_ln: Array, spreads: Array, weights: Array, rounds: int = 12) -> tuple[Array, Array]:
    """Ln factors that fit best in the linear model, and their standard deviations; runs of weight 0 do not count."""
    found = linear.at.copy()
    normal = np.eye(len(spreads))
    for _ in range(rounds):
        residual = measured_ln - linear.ln_steps_at(found)
        pull = weights * np.minimum(1.0, HUBER * NOISE / np.maximum(np.abs(residual), 1e-12)) / NOISE**2
        normal = (linear.slopes.T * pull) @ linear.slopes + np.diag(spreads**-2.0)
        found = found + np.linalg.solve(normal, (linear.slopes.T * pull) @ residual - found / spreads**2)
    return found, np.sqrt(np.diag(np.linalg.inv(normal)))


def loss(linear: Linear, measured_ln: Array, spreads: Array) -> float:
    """What the fit minimises, of the estimates that `linear` was made at."""
    deviation = np.abs(measured_ln - linear.ln_steps) / NOISE
    huber = np.where(deviation < HUBER, deviation**2, HUBER * (2.0 * deviation - HUBER))
    return float(huber.sum() + ((linear.at / spreads) ** 2).sum())


@dataclass(frozen=True)
class Fit:
    """Factors that fit all runs, the estimate around them, and what runs left out get."""

    factors: tuple[Factor, ...]
    linear: Linear
    held_out_ln: Mapping[str, Array]
    """What was left out -> ln (estimated / measured step time) of every run by the fit to all other groups."""


def fit(
    runs: Sequence[Measured],
    parameters: Sequence[Factor],
    groups: Mapping[str, Sequence[str]],
    linearise_all: Callable[[Array], Linear],
    rounds: int,
) -> Fit:
    """The fit to all runs, starting from the factors of `parameters`, and the fits that leave a group out.

    `groups` says for every kind of group which one each run belongs to; `linearise_all` estimates all
    runs around some ln factors (it may do so in several processes); it is called `rounds` + 1 times.
    """
    measured_ln = np.array([one.ln_step for one in runs])
    spreads = np.array([p.spread for p in parameters])
    everyone = np.ones(len(runs))
    linear = linearise_all(np.log([p.factor for p in parameters]))
    reach = 1.0
    for _ in range(rounds):
        target, _ = solve(linear, measured_ln, spreads, everyone)
        there = linearise_all(linear.at + reach * (target - linear.at))
        if loss(there, measured_ln, spreads) < loss(linear, measured_ln, spreads):
            linear, reach = there, 1.0
        else:
            reach /= 2.0
    found = linear.at
    _, deviations = solve(linear, measured_ln, spreads, everyone)
    factors = tuple(
        p.model_copy(
            update={
                "factor": float(np.exp(value)),
                "uncertainty": float(deviation),
                "rows": int(np.count_nonzero(linear.slopes[:, k])),
            }
        )
        for k, (p, value, deviation) in enumerate(zip(parameters, found, deviations, strict=True))
    )
    held = {kind: _left_out(runs, parameters, names, linear, measured_ln, spreads) for kind, names in groups.items()}
    return Fit(factors, linear, held)


def _left_out(
    runs: Sequence[Measured],
    parameters: Sequence[Factor],
    names: Sequence[str],
    linear: Linear,
    measured_ln: Array,
    spreads: Array,
) -> Array:
    errors = np.empty(len(runs))
    groups = np.array(names)
    for group in np.unique(groups):
        own = groups == group
        without, _ = solve(linear, measured_ln, spreads, (~own).astype(float))
        factors = with_values(parameters, without)
        for row in np.flatnonzero(own).tolist():
            mine = [p for p in factors if touches(p, runs[row])]
            errors[row] = ln_step(runs[row], mine) - measured_ln[row]
    return errors
