"""The device: one accelerator bound to its kernel efficiencies and to the precision of a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import PRECISIONS, AttentionEfficiency, GemmEfficiency, Kernels, Precision

T = TypeVar("T")

#: Precision -> figures of the accelerator that state its matrix rate, the first one present counts.
_RATE_FIGURES: Final[dict[Precision, tuple[str, ...]]] = {
    "fp32": ("fp32_flops_per_s",),
    "tf32": ("tf32_flops_per_s",),
    "fp16": ("fp16_flops_per_s", "bf16_flops_per_s"),
    "bf16": ("bf16_flops_per_s",),
    "fp8": ("fp8_flops_per_s",),
    "fp8-block": ("fp8_flops_per_s",),
    "mxfp8": ("fp8_flops_per_s",),
    "nvfp4": ("fp4_flops_per_s",),
}

#: Bytes of one operand element with its share of the block scales.
OPERAND_BYTES: Final[dict[Precision, float]] = {
    "fp32": 4.0,
    "tf32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "fp8-block": 1.0 + 4.0 / (128 * 128),
    "mxfp8": 1.0 + 1.0 / 32,
    "nvfp4": 0.5 + 1.0 / 16,
}


@dataclass(frozen=True)
class Device:
    """What the kernel formulas need to know of one accelerator, in base units, for one precision."""

    name: str
    gemm_flops_per_s: float
    """Dense datasheet rate in the job's precision."""
    attention_flops_per_s: float
    """Dense datasheet rate that attention runs at: bf16 under all narrower precisions."""
    gemm: GemmEfficiency
    grouped_gemm: GemmEfficiency
    attention: AttentionEfficiency
    num_sms: int
    """Parts of the chip that each take one tile of a product; 1 where the catalog has no figure, so that
    no time is lost to a partly filled chip (systolic arrays)."""
    memory_bytes: float
    """What the driver lets programs use; the datasheet's figure where that is not known."""
    memory_bytes_per_s: float
    """Datasheet bandwidth times the share that long streams reach."""
    operand_bytes: float
    """Bytes of one element of a matrix operand, scales included."""
    launch_s: float
    sustained_fraction: float
    calibrated: bool
    """Whether the efficiencies were fitted for this accelerator, or are the default ones."""
    heat_s: float = 0.0
    """Length of an operation run alone at which half of its heat shows; 0 in long runs, which are hot throughout."""


def device(accelerator: Accelerator, kernels: Kernels, precision: Precision, calibrated: bool = True) -> Device:
    """The accelerator, its kernel efficiencies and the precision as one value.

    Raises SpecError for a precision that does not exist, MissingDataError for one that the accelerator
    or its kernels lack, and for a missing memory figure.
    """
    if precision not in PRECISIONS:
        raise SpecError(unknown_name("precision", str(precision), PRECISIONS))
    attention: Precision = precision if precision in ("fp32", "tf32", "fp16") else "bf16"
    kernel_precision: Precision = "bf16" if precision == "fp16" else precision
    return Device(
        name=accelerator.name,
        gemm_flops_per_s=_rate(accelerator, precision),
        attention_flops_per_s=_rate(accelerator, attention),
        gemm=_efficiency(kernels.gemm, kernel_precision, "gemm", accelerator.name),
        grouped_gemm=_efficiency(kernels.grouped_gemm, kernel_precision, "grouped_gemm", accelerator.name),
        attention=_efficiency(kernels.attention, "bf16", "attention", accelerator.name),
        num_sms=accelerator.num_sms or 1,
        memory_bytes=accelerator.usable_memory_bytes or _figure(accelerator, "memory_bytes"),
        memory_bytes_per_s=_figure(accelerator, "memory_bytes_per_s") * kernels.memory_fraction,
        operand_bytes=OPERAND_BYTES[precision],
        launch_s=kernels.launch_s,
        sustained_fraction=kernels.sustained_fraction,
        calibrated=calibrated,
    )


def _rate(accelerator: Accelerator, precision: Precision) -> float:
    for figure in _RATE_FIGURES[precision]:
        value: float | None = getattr(accelerator, figure)
        if value is not None:
            return value
    present = [p for p in PRECISIONS if any(getattr(accelerator, f) is not None for f in _RATE_FIGURES[p])]
    raise MissingDataError(
        f"{accelerator.name} has no {precision} matrix rate; it has {', '.join(present) or 'none at all'}; "
        f"if its datasheet states one, add {_RATE_FIGURES[precision][0]} to its catalog entry"
    )


def _figure(accelerator: Accelerator, figure: str) -> float:
    value: float | None = getattr(accelerator, figure)
    if value is None:
        raise MissingDataError(f"{accelerator.name} has no {figure}; add it to its catalog entry")
    return value


def _efficiency(table: dict[Precision, T], precision: Precision, figure: str, name: str) -> T:
    if precision not in table:
        raise MissingDataError(
            f"the kernels of {name} have no {figure} efficiency for {precision}; they have "
            f"{', '.join(table) or 'none at all'}; add {figure}.{precision} to their catalog entry"
        )
    return table[precision]
