"""Fits the parameters of serving estimates to measured runs, and predicts runs that were left out.

The fit is that of `calibrate.training`: Huber's loss of ln (predicted / measured) over the noise of its kind, and a
prior on every parameter, linearised by finite differences. A run gives up to three observations: TPOT, TTFT where the
estimate is below saturation, throughput where it states no latencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from myriad import catalog
from myriad.calibrate.training import NOISE, Linear, loss, solve, with_values
from myriad.catalog.fitted import factors_of, with_factors
from myriad.estimate.serving.machine import Machine, machine
from myriad.spec.calibration import Kernels
from myriad.spec.cluster import Cluster
from myriad.spec.fitted import Factor
from myriad.spec.serving import ServingWork
from myriad.spec.serving_engine import ServingEngine
from myriad.validate.serving_cases import ServingCase
from myriad.validate.serving_estimates import CaseEstimate, estimate_group, groups_of

Array = npt.NDArray[np.float64]

#: Standard deviation of ln between runs of one configuration, by kind.
NOISES = {"tpot": 0.08, "ttft": 0.2, "throughput": 0.06}
SHARED = 0.1
"""Share of the variance of ln errors that runs of one model, chip and engine have in common: they miss alike, so that
fifty of them say far less than fifty runs of fifty models."""
STEP = 0.03
"""Change of ln factor for slopes."""
STEEPEST = 1.5
"""Largest slope that counts: no latency answers a factor more strongly, but whole iterations and prompts jump."""


@dataclass(frozen=True)
class Group:
    """Cases that are estimated together."""

    cases: tuple[ServingCase, ...]
    places: npt.NDArray[np.int64]
    """Of the cases among all."""
    engine: str
    kernels: str
    """Id of the kernels entry."""


@dataclass(frozen=True)
class Observations:
    """What all cases state: (3 N,) TPOT, TTFT and throughput of every case, and how much each counts."""

    measured_ln: Array
    scale: Array
    """Weight on ln deviations: the noise that `solve` assumes, over that of the kind; 0 where nothing is stated."""


def observations(cases: Sequence[ServingCase], saturated: npt.NDArray[np.bool_]) -> Observations:
    """Of latencies where they are stated, else of throughput; TTFT only below saturation.

    A run among n of its model, chip and engine counts 1 / (1 + `SHARED` (n - 1)): the design effect of samples that
    come in clusters.
    """
    kinds = [
        (case.model.name, catalog.kernels_entry(case.cluster.accelerator_id).id, case.deployment.replicas.work.engine)
        for case in cases
    ]
    alike = Counter(kinds)
    counts = [(1.0 + SHARED * (alike[kind] - 1)) ** -0.5 for kind in kinds]
    values, scales = [], []
    for kind in ("tpot", "ttft", "throughput"):
        for case, count, full in zip(cases, counts, saturated.tolist(), strict=True):
            value = {
                "tpot": case.measured.tpot_s,
                "ttft": None if full else case.measured.ttft_s,
                "throughput": case.measured.tokens_per_s_per_gpu if case.measured.tpot_s is None else None,
            }[kind]
            values.append(np.log(value) if value else 0.0)
            scales.append(count * NOISE / NOISES[kind] if value else 0.0)
    return Observations(np.array(values), np.array(scales))


def groups(cases: Sequence[ServingCase]) -> list[Group]:
    """The cases in groups, with what of the catalog each depends on."""
    return [
        Group(
            cases=tuple(cases[place] for place in places),
            places=np.array(places),
            engine=cases[places[0]].deployment.replicas.work.software,
            kernels=catalog.kernels_entry(cases[places[0]].cluster.accelerator_id).id,
        )
        for places in groups_of(cases)
    ]


@lru_cache(maxsize=64)
def _assumed_engine(name: str) -> ServingEngine:
    spec = catalog.assumed("engines", name).spec
    assert isinstance(spec, ServingEngine)
    return spec


@lru_cache(maxsize=64)
def _assumed_kernels(name: str) -> Kernels:
    spec = catalog.assumed("kernels", name).spec
    assert isinstance(spec, Kernels)
    return spec


def _machine(cluster: Cluster, work: ServingWork, factors: Sequence[Factor]) -> Machine:
    name = catalog.kernels_entry(cluster.accelerator_id).id
    kernels = with_factors(_assumed_kernels(name), factors_of("kernels", name, factors))
    engine = with_factors(_assumed_engine(work.software), factors_of("engines", work.software, factors))
    return machine(cluster, kernels, name, engine.at_release(work.release), work, calibrated=True)


def estimate(group: Group, factors: Sequence[Factor]) -> list[CaseEstimate]:
    """The estimates of a group with these factors."""
    return estimate_group(group.cases, lambda cluster, work: _machine(cluster, work, factors))


def touches(factor: Factor, group: Group) -> bool:
    """Whether the parameter belongs to the group's engine, or to kernels in a precision that it has."""
    work = group.cases[0].deployment.replicas.work
    precisions = {work.precision, work.expert_precision, work.attention_precision, "bf16"}
    for figure in factor.figures:
        kind, name, *keys = figure.split("/")
        if name not in ("*", group.engine if kind == "engines" else group.kernels):
            continue
        if kind == "kernels" and keys[-1] not in (*precisions, "decode_share"):
            continue
        if keys[0] == "decode_on" and keys[1] != group.kernels:
            continue
        return True
    return False


def _ln(estimates: Sequence[CaseEstimate]) -> Array:
    rows = [(one.tpot_s, one.ttft_s, one.output_tokens_per_s_per_gpu) for one in estimates]
    logarithms: Array = np.log(np.maximum(np.array(rows), 1e-12)).T
    return logarithms


def linearise(
    all_groups: Sequence[Group],
    parameters: Sequence[Factor],
    ln_factors: Array,
    progress: Callable[[], None] = lambda: None,
) -> tuple[Linear, npt.NDArray[np.bool_]]:
    """Ln TPOT, TTFT and throughput of all cases (3 N,), their slopes, and which cases are saturated."""
    here = with_values(parameters, ln_factors)
    count = sum(len(group.cases) for group in all_groups)
    base, slopes = np.zeros((3, count)), np.zeros((3, count, len(parameters)))
    saturated = np.zeros(count, dtype=bool)
    for group in all_groups:
        own = [k for k, parameter in enumerate(parameters) if touches(parameter, group)]
        mine = [here[k] for k in own]
        estimates = estimate(group, mine)
        base[:, group.places] = _ln(estimates)
        saturated[group.places] = [one.saturated for one in estimates]
        for i, k in enumerate(own):
            moved = parameters[k].model_copy(update={"factor": here[k].factor * float(np.exp(STEP))})
            there = _ln(estimate(group, [*mine[:i], moved, *mine[i + 1 :]]))
            slopes[:, group.places, k] = np.clip((there - base[:, group.places]) / STEP, -STEEPEST, STEEPEST)
        progress()
    return Linear(ln_factors.copy(), base.ravel(), slopes.reshape(3 * count, -1)), saturated


@dataclass(frozen=True)
class EngineFit:
    """Factors that fit all cases, and ln (estimated / measured) of cases that were left out, (3 N,) by what."""

    factors: tuple[Factor, ...]
    ln_errors: Array
    held_out_ln: Mapping[str, Array]


def _scaled(linear: Linear, seen: Observations) -> tuple[Linear, Array]:
    """Deviations in units of the noise that `solve` assumes; what is not stated has no slope and no deviation."""
    ln_values = np.where(seen.scale > 0.0, linear.ln_steps - seen.measured_ln, 0.0) * seen.scale
    return Linear(linear.at, ln_values, linear.slopes * seen.scale[:, None]), np.zeros_like(ln_values)


def fit(
    all_groups: Sequence[Group],
    cases: Sequence[ServingCase],
    parameters: Sequence[Factor],
    left_out: Mapping[str, Sequence[str]],
    rounds: int,
    progress: Callable[[], None] = lambda: None,
) -> EngineFit:
    """The fit to all cases from the factors of `parameters`, and what fits that leave a group out say of it."""
    spreads = np.array([p.spread for p in parameters])

    def at(ln_factors: Array) -> tuple[Linear, Linear, Array, Observations]:
        linear, saturated = linearise(all_groups, parameters, ln_factors, progress)
        seen = observations(cases, saturated)
        scaled, target = _scaled(linear, seen)
        return linear, scaled, target, seen

    linear, scaled, target, seen = at(np.log([p.factor for p in parameters]))
    everyone = np.ones(len(target))
    reach = 1.0
    for _ in range(rounds):
        wanted, _ = solve(scaled, target, spreads, everyone)
        there = at(linear.at + reach * (wanted - linear.at))
        if loss(there[1], there[2], spreads) < loss(scaled, target, spreads):
            (linear, scaled, target, seen), reach = there, 1.0
        else:
            reach /= 2.0
    _, deviations = solve(scaled, target, spreads, everyone)
    factors = tuple(
        p.model_copy(
            update={
                "factor": float(np.exp(value)),
                "uncertainty": float(deviation),
                "rows": int(np.count_nonzero(np.any(linear.slopes[:, k].reshape(3, -1) != 0.0, axis=0))),
            }
        )
        for k, (p, value, deviation) in enumerate(zip(parameters, linear.at, deviations, strict=True))
    )
    held = {kind: _left_out(all_groups, parameters, names, scaled, target, spreads) for kind, names in left_out.items()}
    stated = np.where(seen.scale > 0.0, seen.measured_ln, np.nan)
    return EngineFit(factors, linear.ln_steps - stated, {kind: ln - stated for kind, ln in held.items()})


def _left_out(
    all_groups: Sequence[Group],
    parameters: Sequence[Factor],
    names: Sequence[str],
    scaled: Linear,
    target: Array,
    spreads: Array,
) -> Array:
    """Estimates of every case, as ln (3 N,), by the fit to cases of all other names.

    What the linear fit to the others differs by from the linear fit to all is added to where the fit to all arrived:
    steps of the whole, not linear, model had to be shorter than the linear fit asked for.
    """
    found = np.empty((3, len(names)))
    with_all, _ = solve(scaled, target, spreads, np.ones(len(target)))
    label = np.array(names)
    for name in np.unique(label):
        own = np.tile(label == name, 3)
        without, _ = solve(scaled, target, spreads, (~own).astype(float))
        factors = with_values(parameters, scaled.at + without - with_all)
        for group in all_groups:
            inside = label[group.places] == name
            if inside.any():
                mine = [factor for factor in factors if touches(factor, group)]
                found[:, group.places[inside]] = _ln(estimate(group, mine))[:, inside]
    return found.ravel()
