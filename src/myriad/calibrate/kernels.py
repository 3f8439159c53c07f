"""Kernel efficiencies of one accelerator from measured operator times (`calibrate.operators`).

What is fitted is `estimate.kernels` itself, with a device whose efficiencies vary:

- memory: bf16 products of up to 16 rows, whose weights are far larger than the L2 cache; their upper
  quartile, since many of them are not limited by memory alone.
- matrix products of all sizes, each precision for itself; the time of a launch with those in bf16.
- grouped products with the figures of the dense ones, but for the share of the peak and the rows of a tile.
- attention, whole prompts.

The measurement's own parts (`Operator.extras`) are fitted along, then dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from myriad.calibrate.fitting import Array, Fit, fit_log, table
from myriad.calibrate.operators import DTYPES, Extra, Kind, Operator, Operators, Rows, operators
from myriad.errors import SpecError
from myriad.estimate.device import Device, device
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Kernels, Precision

MAX_ROWS = 3000
"""Rows that a fit sees; errors are reckoned on all."""
HEAT_S = 5e-4
"""Power limits answer within about a millisecond; fits of it alone on the H100 gave 0.1 to 0.6 ms."""
NOTHING = 1e-9
"""Where figures stay that a table says nothing about; written as zero."""

#: Kind -> fitted figure -> where the search starts and what it may not exceed.
PARAMETERS: Final[dict[Kind, dict[str, tuple[float, float]]]] = {
    "gemm": {
        "peak_fraction": (0.8, 1.0),
        "half_k": (150.0, 2000.0),
        "wave_loss": (0.05, 2.0),
        "tile_rows": (48.0, 256.0),
        "step_s": (1e-9, 1e-7),
        "split_k": (3e3, 1e5),
        "heat_loss": (0.1, 0.6),
    },
    "grouped_gemm": {"peak_fraction": (0.7, 1.0), "tile_rows": (64.0, 256.0)},
    "attention": {
        "forward_fraction": (0.65, 1.0),
        "half_tokens": (400.0, 1e4),
        "half_head": (60.0, 1e3),
        "stream_share": (0.7, 1.0),
        "overhead_s": (8e-6, 1e-4),
    },
    "latent_attention": {},
    "decode": {
        "stream_share": (1.0, 1.2),
        "item_s": (1e-6, 1e-4),
        "step_s": (1e-9, 1e-6),
        "split_keys": (1e4, 1e6),
        "overhead_s": (8e-6, 1e-4),
    },
}
PARAMETERS["latent_decode"] = PARAMETERS["decode"]


@dataclass(frozen=True)
class KernelFits:
    """All fits of one accelerator, by kind and precision; the first parameters of each are `PARAMETERS` in order."""

    gemm: dict[Precision, Fit]
    grouped_gemm: dict[Precision, Fit]
    attention: Fit
    memory_fraction: float
    memory_rows: int
    launch_s: float


def fit_kernels(ops: Path, name: str, accelerator: Accelerator) -> KernelFits:
    """The fits of one accelerator from `ops/<name>__{gemm,moe,context_attention,generation_attention,...}.parquet`."""
    gemm = table(ops, f"{name}__gemm")
    fraction, memory_rows = _memory_fraction(gemm, accelerator)
    return fit_operators(operators(ops, name), accelerator, fraction, memory_rows)


def fit_operators(given: Operators, accelerator: Accelerator, memory_fraction: float, memory_rows: int) -> KernelFits:
    """The fits of one accelerator, given its stream bandwidth; raises SpecError without bf16 products and attention."""
    dense: dict[Precision, Fit] = {}
    grouped: dict[Precision, Fit] = {}
    attention: Fit | None = None
    bare = ideal_kernels(memory_fraction, 0.0)
    # The first products say how long a launch takes: all else is fitted with that.
    launch_s = _fit(_half_products(given), alone(device(accelerator, bare, "bf16"))).parameters[-1]
    ideal = bare.model_copy(update={"launch_s": launch_s})
    for operator in given.found:
        if not operator.fitted.any() or operator.kind == "latent_attention":
            continue
        precision = cast(Precision, operator.precision if operator.kind in ("gemm", "grouped_gemm") else "bf16")
        chip = alone(device(accelerator, ideal, precision))
        match operator.kind:
            case "gemm":
                dense[precision] = _fit(operator, chip)
            case "grouped_gemm":
                peak_and_shape = dense[precision].parameters[: len(PARAMETERS["gemm"])]
                grouped[precision] = _fit(operator, with_figures(chip, "grouped_gemm", peak_and_shape, "gemm"))
            case _:
                attention = _fit(operator, chip)
    if attention is None:
        raise SpecError("the tables hold no attention of whole prompts in bf16")
    return KernelFits(dense, grouped, attention, memory_fraction, memory_rows, launch_s)


def ideal_kernels(memory_fraction: float, launch_s: float) -> Kernels:
    """Kernels that lose nothing but what memory and launches take: where fits start from."""
    gemm = GemmEfficiency(peak_fraction=1.0, half_k=0.0, tile_rows=0.0)
    every: dict[Precision, GemmEfficiency] = dict.fromkeys(DTYPES, gemm)
    attention = AttentionEfficiency(forward_fraction=1.0, backward_fraction=1.0, half_tokens=0.0)
    return Kernels(
        accelerators=(), gemm=every, grouped_gemm=every, attention={"bf16": attention},
        memory_fraction=memory_fraction, launch_s=launch_s,
    )  # fmt: skip


def alone(chip: Device) -> Device:
    """The device as it runs one operator by itself, cool at first."""
    return replace(chip, sustained_fraction=1.0, heat_s=HEAT_S)


def with_figures(chip: Device, kind: Kind, values: tuple[float, ...], named: Kind | None = None) -> Device:
    """The device with figures of one kind replaced, in the order of `PARAMETERS` (those of `named` if given)."""
    update = dict(zip(PARAMETERS[named or kind], values, strict=False))
    match kind:
        case "gemm":
            return replace(chip, gemm=chip.gemm.model_copy(update=update))
        case "grouped_gemm":
            return replace(chip, grouped_gemm=chip.grouped_gemm.model_copy(update=update))
        case "attention":
            return replace(chip, attention=chip.attention.model_copy(update=update))
        case _:
            return chip


def _fit(operator: Operator, chip: Device) -> Fit:
    figures = {
        name: (NOTHING, NOTHING) if name in operator.unseen else limits
        for name, limits in PARAMETERS[operator.kind].items()
    }
    rows = sample(np.flatnonzero(operator.fitted))
    own = len(figures)

    def model_s(p: tuple[float, ...]) -> Array:
        return operator.model_s(with_figures(chip, operator.kind, p[:own]), p[own:], rows)

    limits = [*figures.values(), *((extra.start, extra.upper) for extra in operator.extras)]
    start, upper = zip(*limits, strict=True)
    return fit_log(model_s, operator.measured_s[rows], (start,), upper)


def sample(rows: Rows) -> Rows:
    """At most `MAX_ROWS` of the rows, the same ones every time."""
    if len(rows) <= MAX_ROWS:
        return rows
    chosen: Rows = np.sort(np.random.default_rng(1).choice(rows, MAX_ROWS, replace=False))
    return chosen


def _memory_fraction(gemm: Any, accelerator: Accelerator) -> tuple[float, int]:
    chip = device(accelerator, ideal_kernels(1.0, 0.0), "bf16")
    rows = gemm[(gemm["dtype"] == "bfloat16") & (gemm.m_tokens <= 16) & (gemm.n_out * gemm.k_in >= 2**27)]
    moved = 2.0 * (rows.n_out * rows.k_in + rows.m_tokens * (rows.n_out + rows.k_in))
    reached = float((moved / (rows.latency_us * 1e-6)).quantile(0.75))
    return min(reached / chip.memory_bytes_per_s, 1.0), len(rows)


def _half_products(given: Operators) -> Operator:
    """The bf16 products, with the launch as an extra."""
    for operator in given.found:
        if operator.kind == "gemm" and operator.precision == "bf16":

            def model_s(device: Device, extras: tuple[float, ...], rows: Rows, products: Operator = operator) -> Array:
                return products.model_s(device, (), rows) + extras[0]

            return replace(operator, model_s=model_s, extras=(Extra("launch_s", 3e-6, 5e-5),))
    raise SpecError("the tables hold no matrix products in bf16")
