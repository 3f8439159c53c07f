"""Kernel times: dense and grouped matrix products, fused attention, streams through memory.

Every argument may be a float or an array; they broadcast. Times are seconds on one accelerator, with
one launch each. No time is below the datasheet's roofline. Left out: other kernels at the same time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.estimate.device import Device
from myriad.spec.calibration import DecodeEfficiency, GemmEfficiency

Array = npt.NDArray[np.float64]

TILE_ROWS = 128.0
"""Rows and columns of C, or queries of one head, that one multiprocessor works on at a time."""
RESULT_BYTES = 2.0
"""Products are written in bf16 whatever their narrower operands are; those of fp32 in fp32."""
QUERY_HEADS_PER_TILE = 64.0
"""Query heads of one KV head that fill a tile of the tensor cores."""


def gemm_s(m: npt.ArrayLike, n: npt.ArrayLike, k: npt.ArrayLike, device: Device) -> Array:
    """Time of C (m x n) = A (m x k) B (k x n), in seconds.

        compute = 2 (k + half_k) * (max(m, tile_rows) n + wave_loss * num_sms * 128^2) / (peak * peak_fraction)
        power   = (1 + heat_loss * compute / (compute + heat_s)) / sustained
        chain   = step_s * k / (1 + k / split_k)
        memory  = (operand_bytes * (m k + weight_share * k n) + 2 m n) / (bandwidth * stream_share)
        T       = hypot(compute * power + chain, memory) + launch

    `half_k` stands for prologue and epilogue of each tile, `wave_loss` for the share of one wave of 128 x 128
    tiles that the last, partly filled one loses, `chain` for the steps along k that one tile takes one after the
    other however empty the chip is, until the library splits k over several tiles. Memory and compute hide each
    other but for their fluctuations, hence the root of squares. It does not step with single tiles: measured
    products do so little, and a search would be steered by it.
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
    """Time of `groups` products in one launch, tokens / groups rows each, in seconds.

    As `gemm_s`, with at least `tile_rows` rows computed per group and the weights of every group read once;
    with fewer tokens than groups, only as many groups as tokens have work. `efficiency` is the device's
    `grouped_gemm` unless given.
    """
    fit = device.grouped_gemm if efficiency is None else efficiency
    t, n, k = np.asarray(tokens, float), np.asarray(n, float), np.asarray(k, float)
    g = np.minimum(np.asarray(groups, float), t)
    rate = device.gemm_flops_per_s * fit.peak_fraction
    area = np.maximum(t, g * fit.tile_rows) * n + fit.wave_loss * device.num_sms * TILE_ROWS**2
    cold: Array = 2.0 / rate * area * (k + fit.half_k)
    warm = np.ones_like(cold) if device.heat_s == 0.0 else cold / (cold + device.heat_s)
    compute = cold * (1.0 + fit.heat_loss * warm) / device.sustained_fraction + fit.step_s * k / (1.0 + k / fit.split_k)
    moved = (
        device.operand_bytes * k * (t + device.weight_share * g * n) + max(RESULT_BYTES, device.operand_bytes) * t * n
    )
    time: Array = np.hypot(compute, moved / (device.memory_bytes_per_s * fit.stream_share)) + device.launch_s
    return time


def attention_s(
    flops: npt.ArrayLike,
    query_tokens: npt.ArrayLike,
    device: Device,
    backward: bool = False,
    head_dim: npt.ArrayLike = 128.0,
    longest_keys: npt.ArrayLike | None = None,
    moved_bytes: npt.ArrayLike = 0.0,
) -> Array:
    """Time of fused attention, in seconds; `flops` are those that causality and window leave.

        rate  = half-precision peak * fraction * sustained * shape
        shape = sqrt((1 + (half_head / 128)^2) / (1 + (half_head / head_dim)^2))
        work  = flops / rate * (1 + half_tokens / min(query_tokens, 2 longest_keys))
        chain = 4 * 128 * head_dim * longest_keys / (rate / num_sms)
        memory = moved_bytes / (bandwidth * stream_share)
        T     = sqrt(work^2 + chain^2 + memory^2) + overhead + launch

    `longest_keys` is what the last query sees: the window, or all. Without it there is no `chain`, and no window in
    `work`. `work` holds the blocks that the mask cuts, `chain` the last tile of 128 queries, whose keys one
    multiprocessor visits one after the other. Small heads leave the matrix units waiting for the exponentials:
    `half_head`. The backward pass has its own fraction, and 2.5 times the forward's FLOPs (the caller's to count).
    Source of the backward rates: FlashAttention-2 (arXiv 2307.08691) and -3 (arXiv 2407.08608).
    """
    fit = device.attention
    fraction = fit.backward_fraction if backward else fit.forward_fraction
    f, q, d = np.asarray(flops, float), np.asarray(query_tokens, float), np.asarray(head_dim, float)
    keys = None if longest_keys is None else np.asarray(longest_keys, float)
    rate: Array | float = device.attention_flops_per_s * fraction * device.sustained_fraction
    if fit.half_head > 0.0:
        rate = rate * np.sqrt((1.0 + (fit.half_head / 128.0) ** 2) / (1.0 + (fit.half_head / d) ** 2))
    memory = np.asarray(moved_bytes, float) / (device.memory_bytes_per_s * fit.stream_share)
    if keys is None:
        work, chain = f / rate * (1.0 + fit.half_tokens / q), 0.0
    else:
        work = f / rate * (1.0 + fit.half_tokens / np.minimum(q, 2.0 * keys))
        chain = 4.0 * TILE_ROWS * d * keys * device.num_sms / rate
    time: Array = np.hypot(np.hypot(work, chain), memory) + fit.overhead_s + device.launch_s
    return time


def decode_attention_s(
    batch: npt.ArrayLike,
    keys: npt.ArrayLike,
    query_heads: npt.ArrayLike,
    kv_heads: npt.ArrayLike,
    entry_bytes: npt.ArrayLike,
    fit: DecodeEfficiency,
    device: Device,
) -> Array:
    """Time of attention of one new token per sequence, in seconds; it streams the cached keys and values.

        memory = batch * keys * kv_heads * entry_bytes / (bandwidth * stream_share)
        items  = item_s * batch * kv_heads * max(1, query_heads / kv_heads / 64) / num_sms
        chain  = step_s * keys / (1 + keys / split_keys)
        T      = hypot(memory, chain) + items + overhead

    `entry_bytes` are those of one key and its value, in one KV head; latent attention has one KV head of all its
    latent bytes. An item is one sequence and KV head with up to 64 query heads, one tile of the tensor cores.
    """
    b, s, kv = np.asarray(batch, float), np.asarray(keys, float), np.asarray(kv_heads, float)
    bandwidth = device.memory_bytes_per_s * fit.stream_share
    memory = b * s * kv * np.asarray(entry_bytes, float) / bandwidth
    tiles = np.maximum(np.asarray(query_heads, float) / kv / QUERY_HEADS_PER_TILE, 1.0)
    items = fit.item_s * b * kv * tiles / device.num_sms
    chain = fit.step_s * s / (1.0 + s / fit.split_keys)
    time: Array = np.hypot(memory, chain) + items + fit.overhead_s
    return time


def eager_s(fused_bytes: npt.ArrayLike, passes: tuple[tuple[float, float], ...], memory_bytes_per_s: float) -> Array:
    """Time of element-wise work of PyTorch without fused kernels, in seconds.

    T = fused_bytes / bandwidth * passes(fused_bytes)

    `passes` as in `spec.calibration.EagerPasses`: host and launches are in them. No bytes take no time.
    """
    sizes, ratios = np.array(passes).T
    given = np.asarray(fused_bytes, float)
    moved = np.maximum(given, sizes[0])
    ratio = np.exp(np.interp(np.log(moved), np.log(sizes), np.log(ratios)))
    time: Array = np.where(given > 0.0, moved * ratio / memory_bytes_per_s, 0.0)
    return time


def memory_bound_s(bytes_: npt.ArrayLike, device: Device, kernels: npt.ArrayLike = 1) -> Array:
    """Time of `kernels` kernels that stream `bytes_` in all through memory, in seconds.

    T = bytes / bandwidth + kernels * launch
    """
    time: Array = np.asarray(bytes_, float) / device.memory_bytes_per_s + device.launch_s * np.asarray(kernels, float)
    return time
