"""Kernel figures of serving engines of one accelerator, from the operators in `calibrate.serving_operators`.

Each precision for itself. Half of the rows that a fit sees are those of decoding steps. Products in bf16 keep the
figures that training has; narrower ones are fitted to all engines together, with each engine's quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from myriad.calibrate.fitting import Array, Fit, fit_log, table
from myriad.calibrate.kernels import MAX_ROWS, PARAMETERS, alone
from myriad.calibrate.operators import Rows
from myriad.calibrate.serving_operators import Served
from myriad.estimate.device import Device
from myriad.estimate.peers import expert_transfer_s, peer_all_reduce_s
from myriad.estimate.serving_device import serving_device
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Kernels, ServingKernels
from myriad.spec.cluster import Link
from myriad.spec.serving_kernels import CachePrecision, PeerAllReduce, ServingPrecision, Transfer

#: Kind -> fitted figure -> where the search starts and what it may not exceed; a `stream_share`, the datasheet.
SERVING_PARAMETERS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "gemm": {**PARAMETERS["gemm"], "stream_share": (1.0, np.inf)},
    "grouped_gemm": {
        "peak_fraction": (0.7, 1.0),
        "half_k": (150.0, 3000.0),
        "wave_loss": (0.1, 2.0),
        "tile_rows": (32.0, 256.0),
        "stream_share": (0.9, np.inf),
    },
    "attention": PARAMETERS["attention"],
}
ALL_REDUCE: Final[dict[str, tuple[float, float]]] = {
    "start_s": (3e-6, 2e-5),
    "step_s": (3e-7, 1e-5),
    "second_s": (4e-6, 5e-5),
    "one_shot_share": (0.6, 1.0),
    "two_shot_share": (0.6, 1.0),
}
LARGEST_BYTES = 2.0**23
"""Messages above are NCCL's."""
TRANSFER: Final[dict[str, tuple[float, float]]] = {
    "start_s": (2e-5, 2e-4),
    "expert_s": (1e-8, 1e-6),
    "share": (0.5, 1.0),
}
NORMAL_SMS = 20
"""Multiprocessors that DeepEP's normal kernels take unless told otherwise."""
FP8_TOKEN_BYTES = 1.0 + 4.0 / 128
"""Bytes of one element of a token that DeepEP dispatches in 8 bits, with a scale per 128."""
DEEPEP_RANKS = 8.0
"""Ranks of its tables: one node."""
NVLINK_DISPATCHED_BYTES = 0.5 + 1.0 / 16
"""Bytes of one element that TensorRT-LLM's one-sided kernels dispatch in the tables; they combine in bf16."""


@dataclass(frozen=True)
class ServingFits:
    """All fits of one accelerator: figures by name, and how far off they are on the rows fitted."""

    gemm: dict[ServingPrecision, dict[str, float]]
    grouped_gemm: dict[ServingPrecision, dict[str, float]]
    experts: dict[ServingPrecision, dict[str, float]]
    attention: dict[CachePrecision, dict[str, float]]
    decode: dict[str, dict[str, float]]
    all_reduce: dict[str, float]
    exchange: dict[str, dict[str, dict[str, float]]]
    extras: dict[str, dict[str, float]]
    """Kind and precision -> parts of the measurement by name."""
    fits: dict[str, Fit]
    """What was fitted -> errors."""


def fit_serving(
    ops: Path, name: str, served: list[Served], accelerator: Accelerator, kernels: Kernels, near_bytes_per_s: float
) -> ServingFits:
    """The fits of one accelerator, given what training's kernels and memory reach on it."""
    found = ServingFits({}, {}, {}, {}, {}, {}, {}, {}, {})
    fastest_share = 1.0 / kernels.memory_fraction
    for one in served:
        operator = one.operator
        if operator.kind == "gemm" and operator.precision == "bf16":
            continue
        rows = _sample(one)
        if not len(rows):
            continue
        title = f"{operator.kind} {operator.precision}"
        figures = SERVING_PARAMETERS.get(operator.kind, PARAMETERS[operator.kind])
        chip = _bare(accelerator, kernels, one)
        starts = [v[0] for v in figures.values()] + [e.start for e in operator.extras]
        upper = [min(v[1], fastest_share) if n == "stream_share" else v[1] for n, v in figures.items()]
        upper += [e.upper for e in operator.extras]

        def model_s(p: tuple[float, ...], one: Served = one, chip: Device = chip, rows: Rows = rows) -> Array:
            return served_s(one, chip, p, rows)

        fit = fit_log(model_s, operator.measured_s[rows], (tuple(starts),), tuple(upper))
        found.fits[title] = fit
        own = dict(zip(figures, fit.parameters, strict=False))
        extras = dict(zip([e.name for e in operator.extras], fit.parameters[len(figures) :], strict=True))
        match operator.kind:
            case "gemm":
                found.gemm[cast(ServingPrecision, operator.precision)] = own
                found.extras[title] = extras
            case "grouped_gemm":
                found.grouped_gemm[cast(ServingPrecision, operator.precision)] = own
                found.experts[cast(ServingPrecision, operator.precision)] = extras
            case "attention":
                found.attention["fp8"] = own
            case _:
                found.decode[operator.precision] = own
    fit = fit_all_reduce(ops, name, near_bytes_per_s)
    found.fits["all_reduce"] = fit
    found.all_reduce.update(zip(ALL_REDUCE, fit.parameters, strict=True))
    for title, fit in fit_exchange(ops, name, near_bytes_per_s).items():
        found.fits[title] = fit
        kind, way = title.split()
        found.exchange.setdefault(kind, {})[way] = dict(zip(TRANSFER, fit.parameters, strict=True))
    return found


def served_s(one: Served, chip: Device, values: tuple[float, ...], rows: Rows) -> Array:
    """Times of rows, given the figures of `SERVING_PARAMETERS` in order and then the operator's extras."""
    kind = one.operator.kind
    if kind in ("decode", "latent_decode"):
        return one.operator.model_s(chip, values, rows)
    names = SERVING_PARAMETERS[kind]
    figures = dict(zip(names, values, strict=False))
    match kind:
        case "gemm":
            chip = replace(chip, gemm=chip.gemm.model_copy(update=figures))
        case "grouped_gemm":
            chip = replace(chip, grouped_gemm=chip.grouped_gemm.model_copy(update=figures))
        case _:
            chip = replace(chip, attention=chip.attention.model_copy(update=figures))
    return one.operator.model_s(chip, values[len(names) :], rows)


def _bare(accelerator: Accelerator, kernels: Kernels, one: Served) -> Device:
    """The device with products and attention that lose nothing."""
    ideal = GemmEfficiency(peak_fraction=1.0, half_k=0.0, tile_rows=0.0)
    attention = AttentionEfficiency(forward_fraction=1.0, backward_fraction=1.0, half_tokens=0.0)
    precision = one.operator.precision if one.operator.kind in ("gemm", "grouped_gemm") else "bf16"
    cache: CachePrecision = "fp8" if one.operator.kind == "attention" else "bf16"
    every: dict[Any, GemmEfficiency] = dict.fromkeys(
        ("bf16", "fp8", "fp8-block", "nvfp4", "mxfp4", "int8-weights", "int4-weights"), ideal
    )
    empty = PeerAllReduce(start_s=0.0, step_s=0.0, second_s=0.0, one_shot_share=1.0, two_shot_share=1.0)
    serving = ServingKernels(gemm=every, grouped_gemm=every, experts={}, attention={"fp8": attention}, all_reduce=empty)
    bare = kernels.model_copy(update={"serving": serving})
    return alone(serving_device(accelerator, bare, cast(ServingPrecision, precision), cache))


def _sample(one: Served) -> Rows:
    """At most `MAX_ROWS` of the rows fitted, half of them of decoding steps, the same ones every time."""
    draw = np.random.default_rng(1)
    parts = [np.flatnonzero(one.operator.fitted & part) for part in (one.few, ~one.few)]
    chosen: Rows = np.concatenate([draw.choice(p, min(len(p), MAX_ROWS // 2), replace=False) for p in parts])
    return np.sort(chosen)


def all_reduce_rows(ops: Path, name: str) -> Any:
    """Engines' own all-reduce, launched from CUDA graphs, up to `LARGEST_BYTES`."""
    rows = table(ops, f"{name}__custom_allreduce")
    return rows[(rows.message_bytes <= LARGEST_BYTES) & ~rows.kernel.str.contains("eager")]


def fit_all_reduce(ops: Path, name: str, near_bytes_per_s: float) -> Fit:
    """One set of figures for all engines, in the order of `ALL_REDUCE`."""
    rows = all_reduce_rows(ops, name)
    size, ranks = rows.message_bytes.to_numpy(), rows.num_gpus.to_numpy()

    def model_s(p: tuple[float, ...]) -> Array:
        return peer_all_reduce_s(size, ranks, near_bytes_per_s, PeerAllReduce(**dict(zip(ALL_REDUCE, p, strict=True))))

    start, upper = zip(*ALL_REDUCE.values(), strict=True)
    return fit_log(model_s, rows.latency_us.to_numpy() * 1e-6, (start,), upper)


def fit_exchange(ops: Path, name: str, near_bytes_per_s: float) -> dict[str, Fit]:
    """`<kind> <way>` -> the figures of `TRANSFER`; only what the accelerator has tables of."""
    found: dict[str, Fit] = {}
    near = Link(tier="scale-up", domain=4096, bytes_per_s_one_way=near_bytes_per_s, latency_s=0.0)
    for kind, way, rows, element_bytes, per_expert in exchange_rows(ops, name):

        def model_s(
            p: tuple[float, ...], rows: Any = rows, element_bytes: float = element_bytes, per_expert: bool = per_expert
        ) -> Array:
            fit = Transfer(**dict(zip(TRANSFER, p, strict=True)))
            return expert_transfer_s(
                rows.tokens_per_gpu, rows.hidden * element_bytes, rows.topk, rows.experts, rows.ranks, (near,), fit,
                per_expert,
            )  # fmt: skip

        start, upper = zip(*TRANSFER.values(), strict=True)
        found[f"{kind} {way}"] = fit_log(model_s, rows.time_s.to_numpy(), (start,), upper)
    return found


def exchange_rows(ops: Path, name: str) -> list[tuple[str, str, Any, float, bool]]:
    """Kind, way, rows, bytes of an element, and whether a copy goes to every expert."""
    found: list[tuple[str, str, Any, float, bool]] = []
    if (ops / f"{name}__deepep_low_latency_alltoall.parquet").is_file():
        low = table(ops, f"{name}__deepep_low_latency_alltoall").assign(ranks=DEEPEP_RANKS)
        normal = table(ops, f"{name}__deepep_normal_alltoall").assign(ranks=DEEPEP_RANKS)
        normal = normal[normal.sms == NORMAL_SMS]
        for way, element in (("dispatch", FP8_TOKEN_BYTES), ("combine", 2.0)):
            found.append(("low-latency", way, low.assign(time_s=low[f"{way}_us"] * 1e-6), element, True))
            transmitted = normal[f"{way}_transmit_us"] + normal[f"{way}_notify_us"]
            found.append(("normal", way, normal.assign(time_s=transmitted * 1e-6), element, False))
    if (ops / f"{name}__trtllm_nvlink_alltoall.parquet").is_file():
        rows = table(ops, f"{name}__trtllm_nvlink_alltoall")
        rows = rows[rows.kernel == "NVLinkOneSided"]
        for way, element in (("dispatch", NVLINK_DISPATCHED_BYTES), ("combine", 2.0)):
            of = rows[rows.phase == f"alltoall_{way}"]
            found.append(("nvlink", way, of.assign(time_s=of.latency_us * 1e-6, ranks=of.moe_ep), element, False))
    return found
