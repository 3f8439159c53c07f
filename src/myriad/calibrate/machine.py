"""What a measured machine is, from the rows that `myriad.measure` wrote: kernel and link figures, fitted.

What is fitted is `estimate.kernels` and `estimate.collectives` themselves, as for the published tables of other chips.
The peak rate is that of the best product measured, and the bandwidth that of the best stream: what a CPU could do by
its clock is not known to the system it runs (vector units, clocks under load), least of all to a virtual one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np

from myriad.calibrate.fitting import Array, Fit, fit_log
from myriad.errors import MissingDataError
from myriad.estimate.collectives import send_recv_s
from myriad.estimate.device import OPERAND_BYTES, Device, device
from myriad.estimate.kernels import attention_s, grouped_gemm_s
from myriad.estimate.nccl_tests import TIMES, bus_factor
from myriad.estimate.tiers import place
from myriad.measure.rows import Row
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, Eager, EagerPasses, GemmEfficiency, Kernels, Precision
from myriad.spec.cluster import Link

GEMM: Final = {
    "peak_fraction": (0.9, 1.0), "half_k": (20.0, 2000.0), "wave_loss": (0.05, 2.0), "tile_rows": (16.0, 256.0),
    "stream_share": (1.0, 4.0), "backward_share": (0.95, 1.0),
}  # fmt: skip
"""Figure -> where the search starts and what it may not exceed."""
ATTENTION: Final = {
    "forward_fraction": (0.4, 1.0), "backward_fraction": (0.4, 1.0), "half_tokens": (100.0, 1e4),
    "half_head": (30.0, 1e3), "overhead_s": (1e-5, 1e-2),
}  # fmt: skip
LINK: Final = {
    "efficiency": (0.8, 1.0), "latency_s": (1e-5, 1e-2), "half_bytes": (1e5, 1e9), "start_s": (1e-4, 1e-2),
    "gather_share": (0.8, 1.0),
}  # fmt: skip
STARTS: Final = (1.0, 0.75, 0.5, 0.25)
"""Shares of these starts from which fits set out; the best end counts. Figures of links trade with one another: from
the first start and half of it, gloo on four ranks was fitted with a median error of 23 %, from all with 17 %."""
FITTED_COLLECTIVES: Final = ("all_reduce", "all_gather", "reduce_scatter", "sendrecv")
"""What training sends without experts on several ranks."""


@dataclass(frozen=True)
class MeasuredMachine:
    """One accelerator and its links, as measured."""

    peak_flops_per_s: float
    memory_bytes_per_s: float
    memory_fraction: float
    launch_s: float
    gemm: GemmEfficiency
    gemm_fit: Fit
    attention: AttentionEfficiency
    attention_fit: Fit
    eager: dict[Eager, EagerPasses]
    link: Link | None
    """`None` for one rank."""
    link_fit: Fit | None

    @property
    def fits(self) -> dict[str, Fit]:
        """By what was fitted."""
        found = {"products": self.gemm_fit, "attention": self.attention_fit}
        return found if self.link_fit is None else {**found, "collectives": self.link_fit}


def fit_machine(rows: list[Row], precision: Precision, num_sms: int | None = None) -> MeasuredMachine:
    """Everything that the rows say. Raises MissingDataError where they lack an operation."""
    size = OPERAND_BYTES[precision]
    products, streams = _of(rows, "gemm"), _of(rows, "copy") + _of(rows, "add")
    peak = max(2.0 * r.m * r.n * r.k / r.low_s for r in products if r.direction == "forward")
    moved = {"copy": 2.0 * size, "add": 3.0 * size}
    best = max(moved[r.operation] * r.m / r.low_s for r in streams)
    fraction = min(max(moved[r.operation] * r.m / r.seconds for r in streams) / best, 1.0)
    (launch,) = _of(rows, "launch")
    chip = _bare(peak, best, fraction, launch.seconds, precision, num_sms)
    gemm, gemm_fit = _products(products, chip)
    attention, attention_fit = _attention(_of(rows, "attention"), chip)
    kinds: tuple[Eager, ...] = get_args(Eager)
    eager = {kind: _passes(_of(rows, kind), kind, best * fraction, size) for kind in kinds}
    link, link_fit = _link(rows)
    return MeasuredMachine(
        peak, best, fraction, launch.seconds, gemm, gemm_fit, attention, attention_fit, eager, link, link_fit
    )


def _of(rows: list[Row], operation: str) -> list[Row]:
    found = [row for row in rows if row.operation == operation]
    if not found:
        raise MissingDataError(f"the rows hold no {operation}")
    return found


def _bare(
    peak: float, bandwidth: float, fraction: float, launch_s: float, precision: Precision, num_sms: int | None
) -> Device:
    """A device of these rates that loses nothing."""
    chip = Accelerator(
        name="measured", vendor="", accelerator_class="computer", memory_bytes=1.0, memory_bytes_per_s=bandwidth,
        fp32_flops_per_s=peak, bf16_flops_per_s=peak, num_sms=num_sms,
    )  # fmt: skip
    ideal = GemmEfficiency(peak_fraction=1.0, half_k=0.0, tile_rows=0.0)
    kernels = Kernels(
        accelerators=(), gemm={precision: ideal}, grouped_gemm={precision: ideal},
        attention={precision: AttentionEfficiency(forward_fraction=1.0, backward_fraction=1.0, half_tokens=0.0)},
        memory_fraction=fraction, launch_s=launch_s,
    )  # fmt: skip
    return device(chip, kernels, precision)


def _fitted(
    figures: dict[str, tuple[float, float]], model_s: Callable[[dict[str, float]], Array], measured_s: Array
) -> tuple[dict[str, float], Fit]:
    starts, upper = zip(*figures.values(), strict=True)

    def named(p: tuple[float, ...]) -> dict[str, float]:
        return dict(zip(figures, p, strict=True))

    several = tuple(tuple(share * one for one in starts) for share in STARTS)
    fit = fit_log(lambda p: model_s(named(p)), measured_s, several, upper)
    return {name: float(f"{value:.3g}") for name, value in named(fit.parameters).items()}, fit


def _columns(rows: list[Row], *names: str) -> list[Array]:
    return [np.array([float(getattr(row, name)) for row in rows]) for name in names]


def _products(rows: list[Row], chip: Device) -> tuple[GemmEfficiency, Fit]:
    m, n, k, seconds = _columns(rows, "m", "n", "k", "seconds")
    backward = np.array([row.direction == "backward" for row in rows])

    def model_s(figures: dict[str, float]) -> Array:
        fit = GemmEfficiency(**figures)
        slower = fit.model_copy(update={"peak_fraction": fit.peak_fraction * fit.backward_share})
        both = grouped_gemm_s(1.0, m, k, n, chip, slower) + grouped_gemm_s(1.0, n, k, m, chip, slower)
        return np.where(backward, both, grouped_gemm_s(1.0, m, n, k, chip, fit))

    figures, fit = _fitted(GEMM, model_s, seconds)
    return GemmEfficiency(**figures), fit


def _attention(rows: list[Row], chip: Device) -> tuple[AttentionEfficiency, Fit]:
    tokens, heads, head_dim, batch, seconds = _columns(rows, "m", "n", "k", "batch", "seconds")
    backward = np.array([row.direction == "backward" for row in rows])
    flops = 2.0 * batch * heads * tokens**2 * head_dim

    def model_s(figures: dict[str, float]) -> Array:
        fitted = replace(chip, attention=AttentionEfficiency(**figures))
        forward = attention_s(flops, tokens, fitted, False, head_dim, tokens)
        return np.where(backward, attention_s(2.5 * flops, tokens, fitted, True, head_dim, tokens), forward)

    figures, fit = _fitted(ATTENTION, model_s, seconds)
    return AttentionEfficiency(**figures), fit


def fused_bytes(row: Row, element_bytes: float) -> float:
    """What `estimate` takes the fused kernels of such work to move, in bytes."""
    elements, forward = float(row.m * row.n), row.direction == "forward"
    match row.operation:
        case "norm":
            return (5.0 if forward else 7.5) * element_bytes * elements
        case "rotary":
            return 2.0 * element_bytes * elements
        case "repeat":
            # Two copies of every element, each written and read.
            return 4.0 * element_bytes * elements
        case "activation":
            return (3.0 if forward else 5.0) * element_bytes * elements
        case "embedding":
            return (2.0 if forward else 4.0) * element_bytes * elements
        case "loss":
            return (10.0 if forward else 8.0) * elements
        case "permute":
            return 6.0 * element_bytes * elements
        case "routing":
            return 80.0 * elements
        case _:
            # AdamW in fp32: gradient, weight, and both moments read and written.
            return 24.0 * elements


def _passes(rows: list[Row], kind: Eager, bytes_per_s: float, element_bytes: float) -> EagerPasses:
    def of(direction: str) -> tuple[tuple[float, float], ...]:
        sizes = [(fused_bytes(row, element_bytes), row) for row in rows if row.direction == direction]
        pairs = sorted((size, row.seconds * bytes_per_s / size) for size, row in sizes)
        return tuple((float(f"{size:.4g}"), float(f"{passes:.3g}")) for size, passes in pairs)

    return EagerPasses(forward=of("forward"), backward=() if kind == "optimizer" else of("backward"))


def _link(rows: list[Row]) -> tuple[Link | None, Fit | None]:
    sent = [row for row in rows if row.operation in FITTED_COLLECTIVES]
    if not sent:
        return None, None
    size, ranks, seconds, low_s = _columns(sent, "m", "n", "seconds", "low_s")
    kinds = np.array([row.operation for row in sent])
    bus = [float(bus_factor(kind, n)) for kind, n in zip(kinds, ranks, strict=True)]
    peak = float(np.max(size / low_s * np.array(bus)))
    domain = int(max(ranks))

    def link(figures: dict[str, float]) -> Link:
        return Link(tier="scale-up", domain=domain, bytes_per_s_one_way=peak, **figures)

    def model_s(figures: dict[str, float]) -> Array:
        links = (link(figures),)
        found = np.zeros_like(size)
        for kind in FITTED_COLLECTIVES:
            of = kinds == kind
            if kind == "sendrecv":
                found[of] = send_recv_s(size[of], 1.0, links)
            else:
                found[of] = TIMES[kind](size[of], place(ranks[of], 1.0, links))
        return found

    figures, fit = _fitted(LINK, model_s, seconds)
    return link(figures), fit
