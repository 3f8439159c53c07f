"""The device as a serving engine uses it: weights that may be narrower than activations, no losses of training."""

from __future__ import annotations

from typing import Final, Literal

from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.estimate.device import OPERAND_BYTES, Device, figure_of, kernel_precision, matrix_rate
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import DecodeEfficiency, Decoding, GemmEfficiency, Kernels, Precision
from myriad.spec.serving_kernels import SERVING_PRECISIONS, CachePrecision, ExpertLayer, ServingPrecision

#: Bytes of one element of a weight matrix with its share of the scales.
WEIGHT_BYTES: Final[dict[ServingPrecision, float]] = {
    "fp32": 4.0,
    "fp16": 2.0,
    "bf16": 2.0,
    "fp8": 1.0,
    "fp8-block": 1.0 + 4.0 / (128 * 128),
    "mxfp8": 1.0 + 1.0 / 32,
    "nvfp4": 0.5 + 1.0 / 16,
    "mxfp4": 0.5 + 1.0 / 32,
    "int8-weights": 1.0,
    "int4-weights": 0.5 + 2.0 / 128,
}

#: Precision -> the one whose kernels stand for it where it has none of its own.
_SAME_KERNELS: Final[dict[ServingPrecision, ServingPrecision]] = {
    "fp32": "bf16",
    "fp16": "bf16",
    "mxfp8": "fp8",
    "int8-weights": "int4-weights",
}


def compute_precision(accelerator: Accelerator, precision: ServingPrecision) -> Precision:
    """The precision that products run in: that of the activations."""
    half: Precision = "bf16" if accelerator.bf16_flops_per_s is not None else "fp16"
    match precision:
        case "int8-weights" | "int4-weights":
            return half
        case "mxfp4":
            return "mxfp8" if accelerator.fp4_flops_per_s and accelerator.fp8_flops_per_s else half
        case _:
            return precision


def serving_device(
    accelerator: Accelerator,
    kernels: Kernels,
    precision: ServingPrecision,
    cache: CachePrecision = "bf16",
    calibrated: bool = True,
) -> Device:
    """The accelerator, its kernel efficiencies and the precisions of weights and cache as one value.

    Kernels run at their rates in isolation, hot throughout (`heat_s` 0): a server is never idle long enough to cool,
    and decoding, which memory limits, does not feel it. The shares that training runs were fitted with are left out;
    what an engine loses beside its kernels belongs to the engine. Attention reads the cache in its own precision, and
    computes in 16 bits unless there is a figure for 8. Raises SpecError for a precision that does not exist,
    MissingDataError for one that the accelerator or its kernels lack, and for a missing memory figure.
    """
    if precision not in SERVING_PRECISIONS:
        raise SpecError(unknown_name("precision", str(precision), SERVING_PRECISIONS))
    half: Precision = "bf16" if accelerator.bf16_flops_per_s is not None else "fp16"
    compute = compute_precision(accelerator, precision)
    eight_bits = cache != "bf16" and accelerator.fp8_flops_per_s is not None
    own = kernels.serving.attention.get("fp8") if kernels.serving is not None and eight_bits else None
    return Device(
        name=accelerator.name,
        gemm_flops_per_s=matrix_rate(accelerator, compute),
        attention_flops_per_s=matrix_rate(accelerator, half if own is None else "fp8"),
        gemm=_products(kernels, accelerator.name, "gemm", precision, compute),
        grouped_gemm=_products(kernels, accelerator.name, "grouped_gemm", precision, compute),
        attention=kernels.attention["bf16"] if own is None else own,
        num_sms=accelerator.num_sms or 1,
        memory_bytes=accelerator.usable_memory_bytes or figure_of(accelerator, "memory_bytes"),
        memory_bytes_per_s=figure_of(accelerator, "memory_bytes_per_s") * kernels.memory_fraction,
        operand_bytes=OPERAND_BYTES[compute],
        cast_bytes=2.0 + OPERAND_BYTES[compute] if OPERAND_BYTES[compute] < 2.0 else 0.0,
        launch_s=kernels.launch_s,
        scan_share=kernels.scan_share,
        sustained_fraction=1.0,
        calibrated=calibrated,
        weight_share=WEIGHT_BYTES[precision] / OPERAND_BYTES[compute],
    )


def decode_efficiency(kernels: Kernels, cache: CachePrecision, latent: bool) -> DecodeEfficiency:
    """How fast attention of one new token per sequence reads a cache of whole heads, or of latent vectors."""
    sixteen_bits = cache == "bf16"
    decoding: Decoding = "bf16" if sixteen_bits else "fp8"
    if latent:
        decoding = "latent-bf16" if sixteen_bits else "latent-fp8"
    if decoding not in kernels.decode:
        raise MissingDataError(f"the kernels have no decode efficiency for {decoding}; add decode.{decoding}")
    return kernels.decode[decoding]


def expert_layer(kernels: Kernels, precision: ServingPrecision) -> ExpertLayer:
    """What a layer of routed experts takes beside its products; MissingDataError where the kernels have no figure."""
    layers = {} if kernels.serving is None else kernels.serving.experts
    for name in (precision, _SAME_KERNELS.get(precision, precision)):
        if name in layers:
            return layers[name]
    raise MissingDataError(f"the kernels have no experts in {precision}; add serving.experts.{precision}")


def _products(
    kernels: Kernels, name: str, kind: Literal["gemm", "grouped_gemm"], precision: ServingPrecision, compute: Precision
) -> GemmEfficiency:
    """The engines' own figures for a precision, else those of training in the precision that they compute in."""
    serving: dict[ServingPrecision, GemmEfficiency] = {} if kernels.serving is None else getattr(kernels.serving, kind)
    training: dict[Precision, GemmEfficiency] = getattr(kernels, kind)
    for same in (precision, _SAME_KERNELS.get(precision, precision)):
        if same in serving:
            return serving[same]
    own = kernel_precision(compute)
    if own in training:
        return training[own]
    raise MissingDataError(
        f"the kernels of {name} have no {kind} efficiency for {precision}; they have {', '.join(training)}; "
        f"add serving.{kind}.{precision} to their catalog entry"
    )
