"""Fits speeds of on-device runtimes to the shipped rows, and predicts models and chips that were left out.

Every rate of `estimate.on_device` is a product of figures: one for all rows of a runtime, factors for a quantisation
and for a chip. The fit minimises, over their logarithms t,

    sum over speeds  soft_l1((ln predicted - ln measured) / noise)  +  sum over figures ((t - ln prior) / spread)^2

so that a chip with few rows stays near its runtime's figure, and a row that is far off bends little.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import yaml
from scipy.optimize import least_squares

from myriad.calibrate.entries import DATE
from myriad.estimate.on_device import (
    COMPUTE_PRIOR,
    RATE_PRIOR,
    RATES,
    Rates,
    Work,
    applies,
    decode_tokens_per_s,
    prefill_s,
    references,
    stacked,
)
from myriad.spec.on_device import ComputeUnit, DeviceFactor, DeviceFit, DeviceGroup, Rate, RuntimeFit
from myriad.validate.device_cases import Case, prefilled_tokens, shape
from myriad.validate.errors import device_errors

Array = npt.NDArray[np.float64]
COMMAND: Final = "python -m myriad.calibrate devices"

NOISE: Final = {"decode": 0.05, "prefill": 0.08}
"""Standard deviation of ln speed between rows that should be equal, odd ones aside."""
_SPREAD: Final[dict[Rate, float]] = {
    "weights": 0.3, "cache": 1.0, "layer": 1.5, "recurrent": 1.5, "compute": 1.5, "attention": 1.5, "scan": 1.0,
    "sequence": 1.0, "padding": 1.0, "hop": 1.0, "spread": 0.7, "draft": 1.0, "check": 1.0, "accepted": 0.5,
}  # fmt: skip
"""Standard deviation of ln figure before the fit, of figures for all rows."""
_QUANTISATION_SPREAD: Final[dict[Rate, float]] = {"weights": 0.2, "compute": 0.7}
_CHIP_SPREAD: Final[dict[Rate, float]] = {
    "weights": 0.2, "cache": 0.5, "layer": 0.4, "compute": 0.4, "attention": 0.5,
}  # fmt: skip

#: Runtime, the units that share figures, what compute is a share of, tokens of a pass, whether it is padded.
RUNTIMES: Final[tuple[tuple[str, tuple[ComputeUnit, ...], Literal["memory", "peak"], int | None, bool], ...]] = (
    ("genie", ("npu",), "memory", 128, True),
    ("geniex_qairt", ("npu",), "memory", 128, True),
    ("qnn_context_binary", ("npu",), "memory", 128, True),
    # Its rows of the GPU repeat those of the CPU, see the noise of `myriad validate device`.
    ("geniex_llamacpp", ("cpu", "gpu"), "memory", 512, False),
    ("geniex_llamacpp", ("npu",), "memory", 512, False),
    ("llama.cpp", ("gpu",), "peak", 512, False),
    ("TensorRT Edge-LLM", ("gpu",), "peak", None, False),
    ("MLC", ("gpu",), "peak", None, False),
)


@dataclass(frozen=True)
class Speeds:
    """Measured speeds of one runtime's rows, as arrays."""

    cases: Sequence[Case]
    runtime: RuntimeFit
    work: Work
    base: Mapping[Rate, Array]
    """What each rate is a multiple of, by row."""
    decode: Array
    """ln tokens/s; NaN where none."""
    prefill: Array
    prefilled: Array
    """Tokens that the measured prefill rate counts."""


def speeds(cases: Sequence[Case], runtime: RuntimeFit) -> Speeds:
    """The rows of one runtime, ready to be fitted."""

    def ln(values: list[float | None]) -> Array:
        return np.array([np.log(value) if value else np.nan for value in values])

    base = [{**dict.fromkeys(RATES, 1.0), **references(case.accelerator, runtime)} for case in cases]
    return Speeds(
        cases, runtime, stacked(case.work(runtime) for case in cases),
        {rate: np.array([one[rate] for one in base]) for rate in RATES},
        ln([case.decode for case in cases]), ln([case.prefill for case in cases]),
        np.array([prefilled_tokens(case, runtime) for case in cases]),
    )  # fmt: skip


def figures(cases: Sequence[Case], runtime: RuntimeFit) -> tuple[DeviceFactor, ...]:
    """The figures that the rows can tell apart, at their priors."""
    found: list[DeviceFactor] = []

    def add(rate: Rate, spread: float, prior: float = 1.0, **narrowed: str) -> None:
        values = {"rate": rate, "value": prior, "prior": prior, "spread": spread, "rows": 0, **narrowed}
        factor = DeviceFactor.model_validate(values)
        rows = sum(applies(factor, c.accelerator_id, c.quantisation_id, c.method) for c in cases)
        found.append(factor.model_copy(update={"rows": rows}))

    rates: list[Rate] = ["weights", "cache", "layer", "compute", "attention"]
    rates += ["recurrent", "scan"] if any(c.load.recurrent_layers for c in cases) else []
    rates += ["sequence", "padding"] if any(c.row.batch > 1 for c in cases) else []
    rates += ["hop", "spread"] if any(c.devices > 1 for c in cases) else []
    compute = COMPUTE_PRIOR[runtime.reference]
    for rate in rates:
        prior = compute if rate == "compute" else 0.3 * compute if rate == "attention" else RATE_PRIOR[rate]
        add(rate, _SPREAD[rate], prior)
    for method in sorted({c.method for c in cases if c.method}):
        add("draft", _SPREAD["draft"], RATE_PRIOR["draft"], method=method)
        add("check", _SPREAD["check"], RATE_PRIOR["check"], method=method)
        if any(c.method == method and c.row.accepted_tokens is None for c in cases):
            add("accepted", _SPREAD["accepted"], RATE_PRIOR["accepted"], method=method)
    quantisations = sorted({c.quantisation_id for c in cases})
    for name in quantisations if len(quantisations) > 1 else ():
        for rate, spread in _QUANTISATION_SPREAD.items():
            add(rate, spread, quantisation=name)
    for chip in sorted({c.accelerator_id for c in cases}):
        for rate, spread in _CHIP_SPREAD.items():
            add(rate, spread, accelerator=chip)
    return tuple(found)


def _design(given: Speeds, factors: Sequence[DeviceFactor]) -> dict[Rate, Array]:
    """Rate -> (rows, figures), 1 where a figure is among the factors of a row's rate."""
    table: dict[Rate, Array] = {rate: np.zeros((len(given.cases), len(factors))) for rate in RATES}
    for k, factor in enumerate(factors):
        for r, case in enumerate(given.cases):
            table[factor.rate][r, k] = applies(factor, case.accelerator_id, case.quantisation_id, case.method)
    return table


def _predicted(given: Speeds, design: Mapping[Rate, Array], ln_values: Array) -> tuple[Array, Array]:
    """Ln decode and ln prefill tokens/s of every row."""
    values = {rate: given.base[rate] * np.exp(design[rate] @ ln_values) for rate in RATES}
    stated = np.array([case.row.accepted_tokens or np.nan for case in given.cases])
    values["accepted"] = np.where(np.isnan(stated), values["accepted"], stated)
    rates = Rates(**values)
    return (
        np.log(np.asarray(decode_tokens_per_s(given.work, rates))),
        np.log(given.prefilled / np.asarray(prefill_s(given.work, rates))),
    )


def _solve(
    given: Speeds, factors: Sequence[DeviceFactor], design: Mapping[Rate, Array], used: Array, start: Array
) -> Array:
    """Ln figures that fit the rows with weight 1, searched from `start`."""
    priors = np.log([f.prior for f in factors])
    spreads = np.array([f.spread for f in factors])

    def residuals(ln_values: Array) -> Array:
        decode, prefill = _predicted(given, design, ln_values)
        parts = []
        for kind, predicted, measured in (("decode", decode, given.decode), ("prefill", prefill, given.prefill)):
            off = np.where(np.isnan(measured), 0.0, predicted - measured) * used / NOISE[kind]
            parts.append(np.sign(off) * np.sqrt(2.0 * (np.sqrt(1.0 + off**2) - 1.0)))  # soft l1
        return np.concatenate([*parts, (ln_values - priors) / spreads])

    bound = 5.0 * spreads
    found = least_squares(residuals, start, bounds=(priors - bound, priors + bound), max_nfev=40, ftol=1e-5)
    return np.asarray(found.x)


Off = tuple[Array, Array]
"""ln (predicted / measured) of decode and prefill, by row; NaN where nothing is measured."""


def _off(given: Speeds, predicted: Off) -> Off:
    return predicted[0] - given.decode, predicted[1] - given.prefill


def _group(off: Off) -> DeviceGroup:
    decode, prefill = (np.expm1(one[~np.isnan(one)]).tolist() for one in off)
    return DeviceGroup(decode=device_errors(decode), prefill=device_errors(prefill))


def fit_runtime(cases: Sequence[Case], runtime: RuntimeFit) -> tuple[RuntimeFit, dict[str, Off]]:
    """The runtime with fitted figures, and its errors by row: in sample, and of models and chips left out in turn."""
    factors = figures(cases, runtime)
    given = speeds(cases, runtime)
    design = _design(given, factors)
    best = _solve(given, factors, design, np.ones(len(cases)), np.log([f.prior for f in factors]))
    off = {"fitted": _off(given, _predicted(given, design, best))}
    groups = {"model": [str(shape(c)) for c in cases], "chip": [c.accelerator_id for c in cases]}
    for kind, names in groups.items():
        labels = np.array(names)
        found = (np.full(len(cases), np.nan), np.full(len(cases), np.nan))
        for label in np.unique(labels):
            own = labels == label
            without = _off(given, _predicted(given, design, _solve(given, factors, design, 1.0 - own, best)))
            found[0][own], found[1][own] = without[0][own], without[1][own]
        off[kind] = found
    fitted = tuple(
        f.model_copy(update={"value": float(f"{value:.4g}")}) for f, value in zip(factors, np.exp(best), strict=True)
    )
    changed = {"factors": fitted, "errors": {kind: _group(one) for kind, one in off.items()}}
    return runtime.model_copy(update=changed), off


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def fit_devices(cases: Sequence[Case], progress: Callable[[int, int], None]) -> DeviceFit:
    """The calibration of all runtimes of `RUNTIMES`; `progress` gets those fitted and how many there are."""
    found: list[RuntimeFit] = []
    off: dict[str, list[Off]] = {"fitted": [], "model": [], "chip": []}
    for done, (name, units, reference, chunk, padded) in enumerate(RUNTIMES):
        own = [c for c in cases if c.runtime_name == name and c.unit in units]
        runtime = RuntimeFit(
            runtime=name, units=units, reference=reference, chunk_tokens=chunk, padded=padded, factors=(), errors={},
            accelerators=_counted(c.accelerator_id for c in own),
            quantisations=_counted(c.quantisation_id for c in own),
        )  # fmt: skip
        fitted, by_row = fit_runtime(own, runtime)
        found.append(fitted)
        for kind, one in by_row.items():
            off[kind].append(one)
        progress(done + 1, len(RUNTIMES))
    together = {
        kind: (np.concatenate([one[0] for one in all_]), np.concatenate([one[1] for one in all_]))
        for kind, all_ in off.items()
    }
    return DeviceFit(
        schema=1,
        title="On-device speeds, fitted to published runs",
        fitted_on=DATE,
        fitted_by=COMMAND,
        rows=sum(one.rows for one in found),
        errors={kind: _group(one) for kind, one in together.items()},
        runtimes=tuple(found),
    )


def written(fit: DeviceFit) -> str:
    """The YAML text of the calibration file."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(inner) for key, inner in value.items() if inner is not None}
        if isinstance(value, list):
            return [rounded(inner) for inner in value]
        return float(f"{value:.4g}") if isinstance(value, float) else value

    head = (
        f"# Written by `{COMMAND} --write`; do not edit. A figure without accelerator and quantisation holds for all\n"
        "# rows of its runtime, the others are factors on it; spread is how far it was allowed to move from prior\n"
        "# (standard deviation of its logarithm). See decision 0018.\n"
    )
    return head + yaml.safe_dump(
        rounded(fit.model_dump(mode="json", by_alias=True)), sort_keys=False, default_flow_style=None, width=200
    )
