"""Measured operators of serving engines: whose rows are fitted, and how the formulas reckon them.

Beside `calibrate.operators`, which asks what training software runs, this asks what engines run by default:

- matrix products of narrow numbers by all engines, but those whose times are the host's (`HOST_BOUND`) and those that
  `PRODUCT_ENGINES` leaves out; weight-only ones of TensorRT-LLM, which alone measured them. Quantising the
  activations is an extra of each engine.
- whole layers of routed experts, by the kernels in `EXPERT_KERNELS`: balanced routing, gated, fitted; with skewed
  routing only judged.
- decoding by the engines in `DECODE_ENGINES`, head sizes up to 256, without fallback kernels; over latent caches, by
  the fastest engine of every shape.
- whole prompts with a cache of 8 bits, by the fastest engine of every shape.

Rows whose weights or cache lie in a second-level cache that was hot are left out: a model's do not stay there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from myriad.calibrate.fitting import Array, table
from myriad.calibrate.operators import (
    NOT_GATED_TOPK,
    NOT_GATED_WIDTH,
    Extra,
    Mask,
    Operator,
    Rows,
    attention_operator,
    cast_s,
    decode_operator,
)
from myriad.estimate.device import Device
from myriad.estimate.experts import routed_experts_s
from myriad.estimate.kernels import gemm_s
from myriad.estimate.serving_device import WEIGHT_BYTES
from myriad.spec.calibration import Decoding
from myriad.spec.serving_kernels import ExpertLayer, ServingPrecision

GEMM_DTYPES: Final[dict[ServingPrecision, str]] = {
    "bf16": "bfloat16", "fp8": "fp8", "fp8-block": "fp8_block", "nvfp4": "nvfp4", "int8-weights": "int8_wo",
    "int4-weights": "int4_wo",
}  # fmt: skip
EXPERT_DTYPES: Final[dict[ServingPrecision, str]] = {
    "bf16": "bfloat16", "fp8": "fp8", "fp8-block": "fp8_block", "nvfp4": "nvfp4", "int4-weights": "int4_wo",
    "mxfp4": "w4a16_mxfp4",
}  # fmt: skip
MXFP4_ON_BLACKWELL = "w4a8_mxfp4_mxfp8"
HOST_BOUND: Final = {"fp8_block": ("vllm",)}
"""Engines whose products in a precision take 60 to 300 microseconds at any size: the host's, not the kernel's."""
FALLBACKS = "triton"
"""Part of the names of attention kernels that engines fall back to."""
CACHED_BYTES: Final = {"l40s": 96e6}
"""Second-level caches that tables show to be hot: small weights beat the memory several times."""
HOT_DECODING: Final = {"l40s": (2e6, 96e6), "b200_sxm": (8e6, 126e6), "gb200": (8e6, 126e6)}
"""Bytes of keys and values between which tables of decoding beat the memory; fewer say nothing of it."""
FEW_ROWS = 256.0
"""Rows of a product, or tokens of a layer of experts, of a decoding step."""
UNCACHED_BYTES = 5e7
"""Weights or cache beyond the second-level caches of most chips."""
LARGE_BYTES = 1e8
"""Bytes of a cache that decoding mostly waits for."""

EXPERT_KERNELS: Final[dict[str, dict[ServingPrecision, str]]] = {
    "h100_sxm": {"bf16": "cutlass|triton", "fp8": "cutlass", "fp8-block": "cutlass|triton"},
    **{
        blackwell: {"bf16": "trtllm", "fp8": "trtllm", "fp8-block": "trtllm", "nvfp4": "trtllm", "mxfp4": "trtllm"}
        for blackwell in ("b200_sxm", "gb200")
    },
}
"""Accelerator table -> precision -> parts of the names of kernels judged, `|` between; all where it is not given."""
EXPERT_ENGINES: Final[dict[str, dict[ServingPrecision, tuple[str, ...]]]] = {
    "h100_sxm": {"bf16": ("vllm",), "fp8": ("trtllm",), "fp8-block": ("sglang", "vllm"), "mxfp4": ("vllm",)},
    "l40s": {"bf16": ("vllm",), "fp8": ("vllm",), "mxfp4": ("vllm",)},
    "a100_sxm": {"bf16": ("sglang",)},
}
"""Accelerator table -> precision -> engines whose layers are fitted, where engines are too far apart for all."""
PRODUCT_ENGINES: Final[dict[ServingPrecision, tuple[str, ...]]] = {"nvfp4": ("sglang", "vllm")}
"""Precision -> engines whose products are fitted: TensorRT-LLM's in nvfp4 are slower at few rows than the others'."""
DECODE_ENGINES: Final = {"h100_sxm": ("sglang", "vllm"), "l40s": ("sglang", "vllm"), "a100_sxm": ("vllm",)}
"""The same for attention of decoding, over whole heads."""


@dataclass(frozen=True)
class Served:
    """An operator with what its rows are told apart by."""

    operator: Operator
    engine: Any
    """Name of the engine of every row."""
    few: Mask
    """Rows of a decoding step; for attention over cached tokens, those with a small cache."""
    large: Mask
    """Rows whose weights or cache no second-level cache holds."""
    judged: Mask
    """Rows that the entry should hold for."""


def _memory(name: str, bytes_: Array) -> Mask:
    above: Mask = bytes_ > CACHED_BYTES.get(name, 0.0)
    return above


def product_operator(name: str, rows: Any, precision: ServingPrecision) -> Served:
    """Matrix products of one precision; `extras` are each engine's quantisation of the activations."""
    m, n, k = (rows[c].to_numpy() for c in ("m_tokens", "n_out", "k_in"))
    engines = sorted(set(rows.engine))
    which = np.searchsorted(engines, rows.engine.to_numpy(str))
    quantised = precision in ("fp8", "fp8-block", "nvfp4")

    def model_s(device: Device, extras: tuple[float, ...], i: Rows) -> Array:
        time: Array = gemm_s(m[i], n[i], k[i], device)
        if not quantised:
            return time + extras[0] if extras else time
        passes, start = np.array(extras[0::2])[which[i]], np.array(extras[1::2])[which[i]]
        cast: Array = time + passes * cast_s(m[i] * k[i], device) + start
        return cast

    extras: tuple[Extra, ...] = ()
    if precision != "bf16" and not quantised:
        # The shortest weight-only product takes 10 microseconds in the tables, of any other kind 3: the host's.
        extras = (Extra("host_s", 8e-6, 5e-5),)
    for engine in engines if quantised else ():
        extras += (Extra(f"{engine}_cast_passes", 1.5, 20.0), Extra(f"{engine}_cast_launch_s", 3e-6, 5e-5))
    weights = n * k * WEIGHT_BYTES[precision]
    above = _memory(name, weights)
    fitted = above & rows.engine.isin(PRODUCT_ENGINES.get(precision, tuple(engines))).to_numpy()
    operator = Operator("gemm", precision, rows.latency_us.to_numpy() * 1e-6, fitted, model_s, extras)
    return Served(operator, rows.engine.to_numpy(str), m <= FEW_ROWS, weights > UNCACHED_BYTES, above)


def expert_operator(name: str, rows: Any, precision: ServingPrecision) -> Served:
    """Layers of routed experts; the figures of `ExpertLayer` travel as the extras, in its order."""
    tokens, hidden, topk, experts, ranks = (
        rows[c].to_numpy() for c in ("tokens", "hidden", "topk", "experts", "moe_ep")
    )
    balanced = (rows.distribution == "balanced").to_numpy()
    groups = np.array([_hit(*one) for one in zip(tokens, topk, experts, rows.distribution, strict=True)]) / ranks
    chosen, width = tokens * topk / ranks, (rows.expert_inter / rows.moe_tp).to_numpy()
    gated = ~(
        rows.kernel.str.contains("nongated") | (rows.topk == NOT_GATED_TOPK) | (rows.expert_inter == NOT_GATED_WIDTH)
    ).to_numpy()

    def model_s(device: Device, extras: tuple[float, ...], i: Rows) -> Array:
        layer = ExpertLayer(start_s=extras[0], token_s=extras[1], split_tokens=extras[2], permute_passes=extras[3])
        return routed_experts_s(groups[i], chosen[i], tokens[i], hidden[i], width[i], device, layer)

    kernels = EXPERT_KERNELS.get(name, {}).get(precision, "")
    weights = groups * 3.0 * hidden * width * WEIGHT_BYTES[precision]
    above = _memory(name, weights)
    chosen_kernels = rows.kernel.str.contains(kernels).to_numpy() & gated & above
    engines = EXPERT_ENGINES.get(name, {}).get(precision)
    fitted = chosen_kernels & balanced & (engines is None or rows.engine.isin(engines or ()).to_numpy())
    operator = Operator("grouped_gemm", precision, rows.latency_us.to_numpy() * 1e-6, fitted, model_s, LAYER)
    # Of skewed routing, the tables measure the busiest rank without saying how busy it is.
    judged = chosen_kernels & (balanced | (ranks == 1))
    return Served(operator, rows.engine.to_numpy(str), tokens <= FEW_ROWS, weights > UNCACHED_BYTES, judged)


LAYER = (
    Extra("start_s", 1.5e-5, 3e-4), Extra("token_s", 5e-8, 1e-5), Extra("split_tokens", 200.0, 1e6),
    Extra("permute_passes", 1.0, 30.0),
)  # fmt: skip


def _hit(tokens: float, topk: float, experts: float, distribution: str) -> float:
    """Experts that have a token: as many as there are choices, or as the tables' power law leaves.

    The tables draw the loads of experts from a power law between one token and 0.8 of all, then round; here at the
    middles of equal parts of that law.
    """
    choices = tokens * topk
    if distribution == "balanced":
        return min(experts, choices)
    alpha = float(distribution.rpartition("_")[2])
    low, high = (1.0, max(0.8 * tokens, 1.001)) if choices > experts else (0.01, 2.0)
    middles = (np.arange(experts) + 0.5) / experts
    loads = (low ** (1 - alpha) + (high ** (1 - alpha) - low ** (1 - alpha)) * middles) ** (1 / (1 - alpha))
    hit = float(np.count_nonzero(np.round(loads / loads.sum() * choices)))
    return float(min(max(hit, 1.0), choices))


def serving_operators(ops: Path, name: str) -> list[Served]:
    """The operators of `ops/<name>__*.parquet` that serving entries are fitted to; SpecError for a missing table."""
    found = []
    gemm, moe = table(ops, f"{name}__gemm"), table(ops, f"{name}__moe")
    for precision, dtype in GEMM_DTYPES.items():
        rows = gemm[(gemm["dtype"] == dtype) & ~gemm.engine.isin(HOST_BOUND.get(dtype, ()))]
        if len(rows):
            found.append(product_operator(name, rows, precision))
    for precision, dtype in EXPERT_DTYPES.items():
        rows = moe[moe["dtype"] == dtype]
        if precision == "mxfp4" and (moe["dtype"] == MXFP4_ON_BLACKWELL).any():
            rows = moe[moe["dtype"] == MXFP4_ON_BLACKWELL]
        if len(rows):
            found.append(expert_operator(name, rows, precision))
    whole = table(ops, f"{name}__context_attention")
    rows = whole[(whole.kv_cache_dtype == "fp8") & (whole.attn_dtype == "fp8")]
    if len(rows):
        operator = attention_operator(rows, cache_bytes=1.0)
        none = np.zeros(len(rows), bool)
        found.append(Served(replace(operator, precision="fp8"), rows.engine.to_numpy(str), none, none, ~none))
    decoding: tuple[tuple[str, Decoding, str], ...] = (
        ("generation_attention", "bf16", "bfloat16"),
        ("generation_attention", "fp8", "fp8"),
        ("generation_mla", "latent-bf16", "bfloat16"),
        ("generation_mla", "latent-fp8", "fp8"),
    )
    for title, cache, dtype in decoding:
        rows = table(ops, f"{name}__{title}")
        rows = rows[(rows.kv_cache_dtype == dtype) & ~rows.kernel.str.contains(FALLBACKS)]
        if len(rows):
            found.append(_decoding(name, rows, cache, latent=title == "generation_mla"))
    return found


def _decoding(name: str, rows: Any, cache: Decoding, latent: bool) -> Served:
    operator, bytes_ = decode_operator(rows, cache, latent)
    least, most = HOT_DECODING.get(name, (0.0, 0.0))
    cold = (bytes_ < least) | (bytes_ > most)
    usual = cold if latent else cold & (rows.head_dim_elems <= 256).to_numpy()
    engines = DECODE_ENGINES.get(name)
    if latent:
        fitted = cold & operator.fitted
    else:
        fitted = usual & (engines is None or rows.engine.isin(engines or ()).to_numpy())
    return Served(
        replace(operator, fitted=fitted),
        rows.engine.to_numpy(str),
        bytes_ < LARGE_BYTES,
        bytes_ > UNCACHED_BYTES,
        usual,
    )
