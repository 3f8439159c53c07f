"""The device: one accelerator bound to its kernel efficiencies and to the precision of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import (
    PRECISIONS,
    AttentionEfficiency,
    Eager,
    EagerPasses,
    GemmEfficiency,
    Kernels,
    Precision,
)

T = TypeVar("T")
E = TypeVar("E", GemmEfficiency, AttentionEfficiency)

#: Precision -> figures of the accelerator that state its matrix rate, the first one present counts.
_RATE_FIGURES: Final[dict[Precision, tuple[str, ...]]] = {
    "fp32": ("fp32_flops_per_s",),
    "tf32": ("tf32_flops_per_s",),
    "fp16": ("fp16_flops_per_s", "bf16_flops_per_s"),
    "bf16": ("bf16_flops_per_s",),
    "fp8": ("fp8_flops_per_s",),
    "fp8-row": ("fp8_flops_per_s",),
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
    "fp8-row": 1.0,
    "fp8-block": 1.0 + 4.0 / (128 * 128),
    "mxfp8": 1.0 + 1.0 / 32,
    "nvfp4": 0.5 + 1.0 / 16,
}


ACTIVATION_BYTES = 2.0
"""Activations travel and rest in bf16 or fp16, but where products run in fp32, see `activation_bytes`."""


def activation_bytes(precision: Precision) -> float:
    """Bytes of one element of an activation: those of the operands of products, but never below 16 bits.

    >>> activation_bytes("bf16"), activation_bytes("fp8"), activation_bytes("fp32")
    (2.0, 2.0, 4.0)
    """
    return max(OPERAND_BYTES[precision], ACTIVATION_BYTES)


#: Precision -> the one whose measured kernels it runs.
_KERNELS_OF: Final[dict[Precision, Precision]] = {"fp16": "bf16", "fp8-row": "fp8"}


def kernel_precision(precision: Precision) -> Precision:
    """The precision whose kernel efficiencies hold for another of the same matrix rate."""
    return _KERNELS_OF.get(precision, precision)


def cast_bytes(precision: Precision) -> float:
    """Bytes moved to quantise one element of a 16-bit operand; nothing where products run in 16 bits or more.

    Read once, written twice: as it is and transposed, for the two products that use it. Scales per row
    differ between the two, so that each has its own pass for the largest value and its own for the cast.
    """
    operand = OPERAND_BYTES[precision]
    if operand >= 2.0:
        return 0.0
    return 2.0 * (2.0 + 2.0 + operand) if precision == "fp8-row" else 2.0 + 2.0 * operand


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
    """Bytes of one element of a matrix operand, scales included; of the left one where the weights are narrower."""
    cast_bytes: float
    """Bytes moved to quantise one element of an operand, see `cast_bytes`."""
    launch_s: float
    scan_share: float
    """Rate of chunked scans over that of attention."""
    sustained_fraction: float
    calibrated: bool
    """Whether the efficiencies were fitted for this accelerator, or are the default ones."""
    weight_share: float = 1.0
    """Bytes of one element of a weight matrix over `operand_bytes`: below 1 where only weights are narrow."""
    eager: Mapping[Eager, EagerPasses] = field(default_factory=dict)
    """Element-wise work as software without fused kernels runs it, see `spec.calibration.Kernels.eager`."""
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
    own = kernel_precision(precision)
    matrix = kernels.training_share.get(own, 1.0)
    return Device(
        name=accelerator.name,
        gemm_flops_per_s=matrix_rate(accelerator, precision),
        attention_flops_per_s=matrix_rate(accelerator, attention),
        gemm=_scaled(_efficiency(kernels.gemm, own, "gemm", accelerator.name), matrix),
        grouped_gemm=_scaled(_efficiency(kernels.grouped_gemm, own, "grouped_gemm", accelerator.name), matrix),
        attention=_scaled(
            _efficiency(
                kernels.attention,
                attention if attention in kernels.attention else "bf16",
                "attention",
                accelerator.name,
            ),
            kernels.attention_training_share,
        ),
        num_sms=accelerator.num_sms or 1,
        memory_bytes=accelerator.usable_memory_bytes or figure_of(accelerator, "memory_bytes"),
        memory_bytes_per_s=figure_of(accelerator, "memory_bytes_per_s") * kernels.memory_fraction,
        operand_bytes=OPERAND_BYTES[precision],
        cast_bytes=cast_bytes(precision),
        launch_s=kernels.launch_s,
        scan_share=kernels.scan_share / kernels.attention_training_share,
        sustained_fraction=kernels.sustained_fraction,
        calibrated=calibrated,
        eager=kernels.eager,
    )


def _scaled(fit: E, share: float) -> E:
    """The efficiency times a share, never above the datasheet rate."""
    peaks = ("peak_fraction", "forward_fraction", "backward_fraction")
    return fit.model_copy(update={p: min(getattr(fit, p) * share, 1.0) for p in peaks if hasattr(fit, p)})


def matrix_rate(accelerator: Accelerator, precision: Precision) -> float:
    """The dense datasheet rate, in FLOP/s; raises MissingDataError with the precisions that there are."""
    for figure in _RATE_FIGURES[precision]:
        value: float | None = getattr(accelerator, figure)
        if value is not None:
            return value
    present = [p for p in PRECISIONS if any(getattr(accelerator, f) is not None for f in _RATE_FIGURES[p])]
    raise MissingDataError(
        f"{accelerator.name} has no {precision} matrix rate; it has {', '.join(present) or 'none at all'}; "
        f"if its datasheet states one, add {_RATE_FIGURES[precision][0]} to its catalog entry"
    )


def figure_of(accelerator: Accelerator, figure: str) -> float:
    """A figure of the datasheet; raises MissingDataError where there is none."""
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
