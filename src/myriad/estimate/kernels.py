"""Kernel times: dense and grouped matrix products, fused attention, streams through memory.

Every argument may be a float or an array; they broadcast. Times are seconds on one accelerator, with
one launch each. No time is below the datasheet's roofline. Left out: other kernels at the same time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.estimate.device import Device
from myriad.spec.calibration import GemmEfficiency

Array = npt.NDArray[np.float64]

TILE_ROWS = 128.0
"""Rows and columns of C that one multiprocessor works on at a time."""
RESULT_BYTES = 2.0
"""Products are written in bf16 whatever their operands are."""


def gemm_s(m: npt.ArrayLike, n: npt.ArrayLike, k: npt.ArrayLike, device: Device) -> Array:
    """Time of C (m x n) = A (m x k) B (k x n), in seconds.

        compute = 2 (k + half_k) * (max(m, 128) n + wave_loss * num_sms * 128^2) / (peak * peak_fraction * sustained)
        memory  = (operand_bytes * (m k + k n) + 2 m n) / bandwidth
        T       = max(compute, memory) + launch

    `half_k` stands for prologue and epilogue of each tile, `wave_loss` for the share of one wave of 128 x 128
    tiles that the last, partly filled one loses. It does not step with single tiles: measured products do so
    little, and a search would be steered by it.
    """
    return grouped_gemm_s(1.0, m, n, k, device, device.gemm)


def grouped_gemm_s(
    groups: npt.ArrayLike,
    tokens: npt.ArrayLike,
    n: npt.ArrayLike,
    k: npt.ArrayLike,
    device: Device,
    efficiency: GemmEfficiency | None = None,
) -> Array:
    """Time of `groups` products in one launch, tokens / groups rows each (maybe a fraction), in seconds.

    As `gemm_s`, with at least 128 rows computed per group and the weights of all groups read once;
    `efficiency` is the device's `grouped_gemm` unless given.
    """
    fit = device.grouped_gemm if efficiency is None else efficiency
    g, t, n, k = np.asarray(groups, float), np.asarray(tokens, float), np.asarray(n, float), np.asarray(k, float)
    rate = device.gemm_flops_per_s * fit.peak_fraction * device.sustained_fraction
    area = np.maximum(t, g * TILE_ROWS) * n + fit.wave_loss * device.num_sms * TILE_ROWS**2
    compute: Array = 2.0 / rate * area * (k + fit.half_k)
    moved = device.operand_bytes * k * (t + g * n) + RESULT_BYTES * t * n
    time: Array = np.maximum(compute, moved / device.memory_bytes_per_s) + device.launch_s
    return time


def attention_s(flops: npt.ArrayLike, query_tokens: npt.ArrayLike, device: Device, backward: bool = False) -> Array:
    """Time of fused attention, in seconds; `flops` are those that causality and window leave.

        T = flops / (half-precision peak * fraction * sustained) * (1 + half_tokens / query_tokens) + launch

    The backward pass has its own fraction, and 2.5 times the forward's FLOPs (the caller's to count).
    Source of the backward rates: FlashAttention-2 (arXiv 2307.08691) and -3 (arXiv 2407.08608).
    """
    fit = device.attention
    fraction = fit.backward_fraction if backward else fit.forward_fraction
    rate = device.attention_flops_per_s * fraction * device.sustained_fraction
    f, q = np.asarray(flops, float), np.asarray(query_tokens, float)
    time: Array = f / rate * (1.0 + fit.half_tokens / q) + device.launch_s
    return time


def memory_bound_s(bytes_: npt.ArrayLike, device: Device, kernels: npt.ArrayLike = 1) -> Array:
    """Time of `kernels` kernels that stream `bytes_` in all through memory, in seconds.

    T = bytes / bandwidth + kernels * launch
    """
    time: Array = np.asarray(bytes_, float) / device.memory_bytes_per_s + device.launch_s * np.asarray(kernels, float)
    return time
