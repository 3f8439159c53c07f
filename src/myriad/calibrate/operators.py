"""Measured operators as the kernel formulas see them: sizes, measured times, and which rows may be fitted.

One `Operator` is one kind of kernel in one precision on one accelerator. It holds all rows of that kind and
precision in the tables (NVIDIA AIConfigurator's); `fitted` marks those whose kernels training software has too:

- matrix products: bf16 of every serving engine, which all call cuBLAS; narrower ones of TensorRT-LLM, which
  calls the same libraries as training software. Their times hold the quantisation of the activations.
- grouped products: whole layers of experts with balanced routing, from the kernels in `GROUPED_KERNELS`; gated.
- attention: the fastest engine of every shape, head sizes up to 256.

Decoding is for `calibrate.serving_operators` to choose rows of.

A table's time holds more than the kernel: quantising, permuting, the host's share of a layer. `extras` are such
parts of the measurement. They are fitted along and never enter the catalog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from myriad.calibrate.fitting import Array, table
from myriad.estimate.device import OPERAND_BYTES, Device
from myriad.estimate.kernels import attention_s, decode_attention_s, gemm_s, grouped_gemm_s
from myriad.spec.calibration import DecodeEfficiency, Decoding, Precision

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Kind = Literal["gemm", "grouped_gemm", "attention", "latent_attention", "decode", "latent_decode"]

DTYPES: dict[Precision, str] = {"bf16": "bfloat16", "fp8": "fp8", "fp8-block": "fp8_block", "nvfp4": "nvfp4"}
NOT_GATED_TOPK = 22
"""Models of the tables with two expert matrices instead of three carry this number of active experts."""
NOT_GATED_WIDTH = 1856
"""Another such model, by the width of its experts."""
LATENT_ELEMENTS = 576.0
"""Cached elements of one token in the latent attention measured: 512 compressed, 64 with positions."""
LATENT_HEADS = (192.0, 128.0)
"""Its head sizes of queries and keys, and of values, when whole prompts are worked on."""

#: Accelerator table -> precision -> end of the kernel's name whose grouped products are fitted.
GROUPED_KERNELS: dict[str, dict[Precision, str]] = {
    "h100_sxm": {
        "bf16": "moe_torch_flow_cutlass",
        "fp8": "moe_torch_flow_cutlass",
        "fp8-block": "moe_torch_flow_cutlass",
    },
    **{
        blackwell: {
            "bf16": "trtllmbf16experts",
            "fp8": "trtllmfp8expertsmonolithic",
            "nvfp4": "trtllmnvfp4expertsmonolithic",
        }
        for blackwell in ("b200_sxm", "gb200")
    },
}


@dataclass(frozen=True)
class Extra:
    """A part of the measured times that is not the kernel's."""

    name: str
    start: float
    upper: float


@dataclass(frozen=True)
class Operator:
    """All rows of one kind and precision, and how the formulas reckon them."""

    kind: Kind
    precision: str
    measured_s: Array
    fitted: Mask
    """Boolean: whether a row takes part in fits."""
    model_s: Callable[[Device, tuple[float, ...], Rows], Array]
    """Times of rows by their index, given the device and the values of the extras."""
    extras: tuple[Extra, ...] = ()
    unseen: tuple[str, ...] = ()
    """Figures that these rows say nothing about; they stay at zero."""


CAST = (Extra("cast_passes", 1.5, 20.0), Extra("cast_launch_s", 3e-6, 5e-5))


def cast_s(elements: Array, device: Device) -> Array | float:
    """Reading bf16 activations and writing them in the operands' format; nothing where that is bf16."""
    if device.operand_bytes >= 2.0:
        return 0.0
    return elements * (2.0 + device.operand_bytes) / device.memory_bytes_per_s


def _columns(rows: Any, *names: str) -> list[Array]:
    return [rows[name].to_numpy() for name in names]


def _times(rows: Any) -> Array:
    times: Array = rows.latency_us.to_numpy() * 1e-6
    return times


def _fastest(rows: Any) -> Mask:
    """Rows that no other engine beats on the same sizes."""
    sizes = [c for c in rows.columns if c not in ("engine", "engine_version", "kernel", "latency_us")]
    fastest: Mask = (rows.latency_us == rows.groupby(sizes, dropna=False).latency_us.transform("min")).to_numpy()
    return fastest


def gemm_operator(rows: Any, precision: Precision) -> Operator:
    """Matrix products of all sizes, from rows of one precision."""
    m, n, k = _columns(rows, "m_tokens", "n_out", "k_in")
    quantised = OPERAND_BYTES[precision] < 2.0

    def model_s(device: Device, extras: tuple[float, ...], i: Rows) -> Array:
        time: Array = gemm_s(m[i], n[i], k[i], device)
        return time + extras[0] * cast_s(m[i] * k[i], device) + extras[1] if quantised else time

    fitted = (rows.engine == "trtllm").to_numpy() if quantised else np.ones(len(rows), bool)
    return Operator("gemm", precision, _times(rows), fitted, model_s, CAST if quantised else ())


def grouped_operator(rows: Any, precision: Precision, kernel: str | None) -> Operator:
    """Layers of experts: two or three products, the activation between, the permutation of tokens.

    `kernel` is the end of the fitted kernel's name, or nothing where none is fitted.
    """
    tokens, hidden, topk, ranks = _columns(rows, "tokens", "hidden", "topk", "moe_ep")
    groups = rows.experts.to_numpy() / ranks
    own = tokens * topk / ranks
    inter = (rows.expert_inter / rows.moe_tp).to_numpy()
    not_gated = rows.kernel.str.contains("nongated") | (rows.topk == NOT_GATED_TOPK)
    not_gated = (not_gated | (rows.expert_inter == NOT_GATED_WIDTH)).to_numpy()
    wide = np.where(not_gated, 1.0, 2.0)

    def model_s(device: Device, extras: tuple[float, ...], i: Rows) -> Array:
        t, h, w = own[i], hidden[i], inter[i]
        up = grouped_gemm_s(groups[i], t, wide[i] * w, h, device)
        down = grouped_gemm_s(groups[i], t, h, w, device)
        # The activation function reads one or two halves and writes one, in bf16.
        between = 2.0 * (wide[i] + 1.0) * t * w / device.memory_bytes_per_s + cast_s(t * (h + w), device)
        permuted = 2.0 * t * h / device.memory_bytes_per_s
        time: Array = up + down + between + extras[0] + extras[1] * permuted + extras[2] * tokens[i]
        return time

    fitted = ~not_gated & (rows.distribution == "balanced").to_numpy() & (kernel is not None)
    if kernel is not None:
        fitted &= rows.kernel.str.endswith(kernel).to_numpy()
    extras = (
        Extra("layer_s", 2e-5, 2e-4),
        Extra("permute_passes", 3.0, 20.0),
        Extra("routing_s_per_token", 3e-9, 1e-7),
    )
    return Operator("grouped_gemm", precision, _times(rows), fitted, model_s, extras)


def attention_operator(rows: Any, cache_bytes: float = 2.0) -> Operator:
    """Causal attention of whole prompts, with grouped heads, windows and cached tokens before the prompt.

    `cache_bytes` are those of one element of keys and values.
    """
    batch, query, past, heads, kv_heads, head, window = _columns(
        rows, "batch_size", "q_len_tokens", "past_kv_tokens", "q_heads", "kv_heads", "head_dim_elems", "window_tokens"
    )
    longest = np.where(window > 0, np.minimum(window, query + past), query + past)
    # Queries that still see fewer keys than the window, then those that see all of it.
    rising = np.clip(longest - past, 0.0, query)
    pairs = rising * (past + rising / 2.0) + (query - rising) * longest
    flops = 4.0 * batch * heads * head * pairs
    moved = 2.0 * batch * head * (2.0 * query * heads + cache_bytes * (query + past) * kv_heads)

    def model_s(device: Device, _: tuple[float, ...], i: Rows) -> Array:
        return attention_s(flops[i], query[i], device, head_dim=head[i], longest_keys=longest[i], moved_bytes=moved[i])

    unseen = () if len(np.unique(head)) > 1 else ("half_head",)
    return Operator("attention", "bf16", _times(rows), _fastest(rows) & (head <= 256), model_s, unseen=unseen)


def latent_operator(rows: Any) -> Operator:
    """Attention of whole prompts with the head sizes of multi-head latent attention, on expanded keys."""
    batch, query, heads = _columns(rows, "batch_size", "q_len_tokens", "q_heads_local")
    flops = batch * heads * sum(LATENT_HEADS) * query**2
    head = sum(LATENT_HEADS) / 2.0
    moved = 2.0 * batch * heads * query * 2.0 * sum(LATENT_HEADS)

    def model_s(device: Device, extras: tuple[float, ...], i: Rows) -> Array:
        time: Array = attention_s(
            flops[i], query[i], device, head_dim=head, longest_keys=query[i], moved_bytes=moved[i]
        )
        return time + extras[0]

    return Operator("latent_attention", "bf16", _times(rows), _fastest(rows), model_s, (Extra("module_s", 1e-5, 1e-3),))


def decode_operator(rows: Any, precision: Decoding, latent: bool) -> tuple[Operator, Array]:
    """Attention of one new token per sequence, over whole heads or over the latent cache, and the bytes it reads."""
    batch, keys, heads = _columns(rows, "batch_size", "kv_len_tokens", "q_heads_local" if latent else "q_heads")
    element = 1.0 if precision.endswith("fp8") else 2.0
    if latent:
        kv_heads, entry = np.ones_like(batch), np.full_like(batch, LATENT_ELEMENTS * element)
        head_fits = np.ones(len(rows), bool)
    else:
        kv_heads, head, window = _columns(rows, "kv_heads", "head_dim_elems", "window_tokens")
        entry, head_fits = 2.0 * head * element, head <= 256
        keys = np.where(window > 0, np.minimum(window, keys), keys)

    def model_s(device: Device, extras: tuple[float, ...], i: Rows) -> Array:
        # The efficiency under trial travels as the extras: a device of the training estimate has none.
        fit = DecodeEfficiency(
            stream_share=extras[0], item_s=extras[1], step_s=extras[2], split_keys=extras[3], overhead_s=extras[4]
        )
        return decode_attention_s(batch[i], keys[i], heads[i], kv_heads[i], entry[i], fit, device)

    kind: Kind = "latent_decode" if latent else "decode"
    return Operator(kind, precision, _times(rows), _fastest(rows) & head_fits, model_s), batch * keys * kv_heads * entry


@dataclass(frozen=True)
class Operators:
    """All operators of one accelerator's tables, and the rows that belong to none, by table and reason."""

    found: tuple[Operator, ...]
    left_out: dict[str, int]


def operators(ops: Path, name: str) -> Operators:
    """The operators of `ops/<name>__*.parquet`; raises SpecError for a missing table."""
    found: list[Operator] = []
    left_out: dict[str, int] = {}

    gemm, moe = table(ops, f"{name}__gemm"), table(ops, f"{name}__moe")
    for precision, dtype in DTYPES.items():
        if (gemm["dtype"] == dtype).any():
            found.append(gemm_operator(gemm[gemm["dtype"] == dtype], precision))
    for precision, dtype in DTYPES.items():
        if (moe["dtype"] == dtype).any():
            kernel = GROUPED_KERNELS.get(name, {}).get(precision)
            found.append(grouped_operator(moe[moe["dtype"] == dtype], precision, kernel))
    for title, rows in (("gemm", gemm), ("moe", moe)):
        other = rows[~rows["dtype"].isin(DTYPES.values())]
        left_out |= {f"{title}, {dtype} operands": len(of) for dtype, of in other.groupby("dtype")}

    whole = table(ops, f"{name}__context_attention")
    half = (whole.attn_dtype == "bfloat16") & (whole.kv_cache_dtype == "bfloat16")
    found.append(attention_operator(whole[half]))
    left_out["context_attention, fp8 operands or cache"] = int((~half).sum())
    latent = table(ops, f"{name}__context_mla")
    half = (latent["dtype"] == "bfloat16") & (latent.kv_cache_dtype == "bfloat16") & (latent.past_kv_tokens == 0)
    found.append(latent_operator(latent[half]))
    left_out["context_mla, fp8 operands or cache, or cached tokens"] = int((~half).sum())
    return Operators(tuple(found), {reason: count for reason, count in left_out.items() if count})
