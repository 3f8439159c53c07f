"""Kernel efficiencies of one accelerator from measured operator times (NVIDIA AIConfigurator's tables).

What is fitted is `estimate.kernels` itself, with a device whose efficiencies vary:

- matrix products with m >= 512 rows and n, k >= 512. bf16 is the median over serving engines, which all
  call cuBLAS. In fp8 and nvfp4 the engines differ in kernels; TensorRT-LLM calls the same libraries as
  training software does. Its times hold the quantisation of the activations: a factor on that traffic
  is fitted as well, then dropped (the training step counts its own).
- grouped products from balanced mixture-of-experts layers, with `half_k` and `wave_loss` of the dense
  ones; a factor on the permutation traffic is fitted, then dropped. Only from kernels of the kind that
  training software uses, see `GROUPED_KERNELS`.
- attention: causal, whole prompt, head size 128; the fastest engine of every shape.
- memory: bf16 products of up to 16 rows, whose weights are far larger than the L2 cache; their upper
  quartile, since many of them are not limited by memory alone.
- launch: the median of bf16 products so small that they do nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from myriad.calibrate.fitting import Array, Fit, fit_log, table
from myriad.estimate.device import Device, device
from myriad.estimate.kernels import attention_s, gemm_s, grouped_gemm_s
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Kernels, Precision

DTYPES: dict[Precision, str] = {"bf16": "bfloat16", "fp8": "fp8", "fp8-block": "fp8_block", "nvfp4": "nvfp4"}
GEMM_COLUMNS = ["m_tokens", "n_out", "k_in"]
MOE_COLUMNS = ["tokens", "hidden", "expert_inter", "topk", "experts", "moe_tp", "moe_ep"]
ATTENTION_COLUMNS = ["batch_size", "q_len_tokens", "q_heads", "kv_heads"]
NOT_GATED_TOPK = 22
"""Models of the tables with two expert matrices instead of three carry this number of active experts."""
MAX_ROWS = 4000

#: Accelerator table -> precision -> kernel whose grouped products are fitted. Left out: Triton kernels
#: without tuned tiles (A100), block-scaled kernels with their quantisation apart.
GROUPED_KERNELS: dict[str, dict[Precision, str]] = {
    "h100_sxm": {"bf16": "moe_torch_flow_cutlass", "fp8": "moe_torch_flow_cutlass"},
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
class KernelFits:
    """All fits of one accelerator, by kind and precision.

    Parameters of `gemm`: peak fraction, half k, wave loss (and factor and launch of the quantisation);
    of `grouped_gemm`: peak fraction, launch seconds, permutation factor; of `attention`: forward
    fraction, half tokens, launch seconds.
    """

    gemm: dict[Precision, Fit]
    grouped_gemm: dict[Precision, Fit]
    attention: Fit
    memory_fraction: float
    memory_rows: int
    launch_s: float


def fit_kernels(ops: Path, name: str, accelerator: Accelerator) -> KernelFits:
    """The fits of one accelerator from `ops/<name>__{gemm,moe,context_attention}.parquet`."""
    gemm, moe, attention = (table(ops, f"{name}__{kind}") for kind in ("gemm", "moe", "context_attention"))
    fraction, memory_rows = _memory_fraction(gemm, accelerator)
    launch_s = _launch_s(gemm)
    dense: dict[Precision, Fit] = {}
    grouped: dict[Precision, Fit] = {}
    for precision, dtype in DTYPES.items():
        if dtype not in set(gemm["dtype"]):
            continue
        chip = device(accelerator, _ideal(fraction, launch_s), precision)
        dense[precision] = _fit_gemm(gemm[gemm["dtype"] == dtype], chip)
        kernel = GROUPED_KERNELS.get(name, {}).get(precision)
        if kernel is not None:
            rows = moe[(moe["dtype"] == dtype) & moe.kernel.str.endswith(kernel)]
            grouped[precision] = _fit_grouped(rows, chip, dense[precision])
    half = device(accelerator, _ideal(fraction, launch_s), "bf16")
    return KernelFits(dense, grouped, _fit_attention(attention, half), fraction, memory_rows, launch_s)


def _ideal(memory_fraction: float, launch_s: float) -> Kernels:
    gemm = GemmEfficiency(peak_fraction=1.0, half_k=0.0, wave_loss=0.0)
    every: dict[Precision, GemmEfficiency] = dict.fromkeys(DTYPES, gemm)
    attention = AttentionEfficiency(forward_fraction=1.0, backward_fraction=1.0, half_tokens=0.0)
    return Kernels(
        accelerators=(), gemm=every, grouped_gemm=every, attention={"bf16": attention},
        memory_fraction=memory_fraction, launch_s=launch_s,
    )  # fmt: skip


def _sample(rows: Any) -> Any:
    return rows.sample(MAX_ROWS, random_state=1) if len(rows) > MAX_ROWS else rows


def _with_gemm(chip: Device, peak_fraction: float, half_k: float, wave_loss: float, launch_s: float) -> Device:
    fit = GemmEfficiency(peak_fraction=peak_fraction, half_k=half_k, wave_loss=wave_loss)
    return replace(chip, gemm=fit, grouped_gemm=fit, launch_s=launch_s)


def _cast_s(elements: Array, chip: Device) -> Array:
    """Reading bf16 activations and writing them in the operands' format; nothing where that is bf16."""
    return elements * (0.0 if chip.operand_bytes >= 2.0 else 2.0 + chip.operand_bytes) / chip.memory_bytes_per_s


def _fit_gemm(rows: Any, chip: Device) -> Fit:
    rows = rows[(rows.m_tokens >= 512) & (rows.m_tokens % 256 == 0) & (rows.n_out >= 512) & (rows.k_in >= 512)]
    quantised = chip.operand_bytes < 2.0
    rows = rows[rows.engine == "trtllm"] if quantised else rows
    rows = _sample(rows.groupby(GEMM_COLUMNS).latency_us.median().reset_index())
    m, n, k = (rows[column].to_numpy() for column in GEMM_COLUMNS)

    def model_s(p: tuple[float, ...]) -> Array:
        # Only a quantised product has p[3] and p[4]: the traffic and the launch of its quantisation.
        cast_s = p[3] * _cast_s(m * k, chip) + p[4] if quantised else 0.0
        time_s: Array = gemm_s(m, n, k, _with_gemm(chip, p[0], p[1], p[2], chip.launch_s)) + cast_s
        return time_s

    starts: tuple[tuple[float, ...], ...] = ((0.8, 200.0, 0.2), (0.55, 600.0, 0.6))
    upper: tuple[float, ...] = (1.0, 2000.0, 2.0)
    if quantised:
        starts, upper = tuple((*start, 1.5, 3e-6) for start in starts), (*upper, 8.0, 5e-5)
    return fit_log(model_s, rows.latency_us.to_numpy() * 1e-6, starts, upper)


def _fit_grouped(rows: Any, chip: Device, dense: Fit) -> Fit:
    gated = ~rows.kernel.str.contains("nongated") & (rows.topk != NOT_GATED_TOPK)
    filled = (rows.tokens * rows.topk / rows.experts >= 256) & (rows.tokens * rows.topk / rows.moe_ep >= 4096)
    wide = rows.expert_inter / rows.moe_tp >= 512
    rows = rows[gated & filled & wide & (rows.distribution == "balanced")]
    rows = _sample(rows.groupby(MOE_COLUMNS).latency_us.min().reset_index())
    groups = (rows.experts / rows.moe_ep).to_numpy()
    tokens = (rows.tokens * rows.topk / rows.moe_ep).to_numpy()
    hidden, inter = rows.hidden.to_numpy(), (rows.expert_inter / rows.moe_tp).to_numpy()
    # The activation function reads two halves and writes one, in bf16.
    between_s = 2.0 * 3.0 * tokens * inter / chip.memory_bytes_per_s + _cast_s(tokens * (hidden + inter), chip)
    permuted_s = 2.0 * tokens * hidden / chip.memory_bytes_per_s
    _, half_k, wave_loss = dense.parameters[:3]

    def model_s(p: tuple[float, ...]) -> Array:
        on = _with_gemm(chip, p[0], half_k, wave_loss, p[1])
        up = grouped_gemm_s(groups, tokens, 2.0 * inter, hidden, on)
        down = grouped_gemm_s(groups, tokens, hidden, inter, on)
        time_s: Array = up + down + between_s + p[2] * permuted_s
        return time_s

    return fit_log(model_s, rows.latency_us.to_numpy() * 1e-6, ((0.6, 1e-5, 3.0), (0.8, 5e-5, 1.0)), (1.0, 2e-4, 20.0))


def _fit_attention(rows: Any, chip: Device) -> Fit:
    whole = (rows.window_tokens == 0) & (rows.past_kv_tokens == 0) & (rows.head_dim_elems == 128)
    half = (rows.attn_dtype == "bfloat16") & (rows.kv_cache_dtype == "bfloat16")
    rows = rows[whole & half & (rows.q_len_tokens >= 512) & (rows.q_heads >= 4)]
    rows = _sample(rows.groupby(ATTENTION_COLUMNS).latency_us.min().reset_index())
    query = rows.q_len_tokens.to_numpy()
    flops = 2.0 * (rows.batch_size * rows.q_heads).to_numpy() * 128.0 * query**2

    def model_s(p: tuple[float, ...]) -> Array:
        fit = AttentionEfficiency(forward_fraction=p[0], backward_fraction=p[0], half_tokens=p[1])
        return attention_s(flops, query, replace(chip, attention=fit, launch_s=p[2]))

    return fit_log(model_s, rows.latency_us.to_numpy() * 1e-6, ((0.7, 500.0, 5e-6),), (1.0, 1e5, 5e-5))


def _memory_fraction(gemm: Any, accelerator: Accelerator) -> tuple[float, int]:
    chip = device(accelerator, _ideal(1.0, 0.0), "bf16")
    rows = gemm[(gemm["dtype"] == "bfloat16") & (gemm.m_tokens <= 16) & (gemm.n_out * gemm.k_in >= 2**27)]
    moved = 2.0 * (rows.n_out * rows.k_in + rows.m_tokens * (rows.n_out + rows.k_in))
    reached = float((moved / (rows.latency_us * 1e-6)).quantile(0.75))
    return min(reached / chip.memory_bytes_per_s, 1.0), len(rows)


def _launch_s(gemm: Any) -> float:
    small = (gemm.m_tokens <= 64) & (gemm.n_out <= 256) & (gemm.k_in <= 256)
    return float(gemm[small & (gemm["dtype"] == "bfloat16")].latency_us.median()) * 1e-6
