"""Precisions of weights and cache that a serving run leaves open, by what checkpoints and engines are known to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from myriad.spec.model import GatedDeltaNet, Mamba2, Model, MultiLatentAttention
from myriad.spec.serving import CachePrecision, ServingPrecision
from myriad.validate.errors import SkipError
from myriad.validate.serving_conventions import is_inferencex
from myriad.validate.serving_rows import ServingRow

#: Text of a precision, lower case -> precision.
_PRECISIONS: Final[dict[str, ServingPrecision]] = {
    "fp32": "fp32",
    "fp16": "fp16",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8-block",
    "mxfp8": "mxfp8",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "w4a16_mxfp4": "mxfp4",
    "w4a8_mxfp4_mxfp8": "mxfp4",
    "int8": "int8-weights",
    "int8_wo": "int8-weights",
    "w8a16": "int8-weights",
    "int4": "int4-weights",
    "int4_wo": "int4-weights",
    "w4a16": "int4-weights",
    "awq": "int4-weights",
    "gptq": "int4-weights",
}

#: Models that their makers publish, under some name, in FP8 with a scale per 128 x 128 block.
_FP8_BLOCK: Final = re.compile(r"deepseek|kimi|mimo|qwen|minimax|glm", re.IGNORECASE)
#: Of these, such as also come in bf16, which engines then quantise without blocks.
_ALSO_BF16: Final = re.compile(r"qwen|glm", re.IGNORECASE)
#: Models that their makers publish with MXFP4 experts and all else in bf16, whatever a row calls that.
_MXFP4: Final = re.compile(r"gpt-?oss", re.IGNORECASE)

_UNQUANTISED: Final = ("fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Precisions:
    """Of the products, of routed experts, of projections around attention, and what was assumed."""

    dense: ServingPrecision
    experts: ServingPrecision
    attention: ServingPrecision
    assumed: tuple[str, ...] = ()

    @property
    def quantised(self) -> bool:
        """Whether any weights are narrower than 16 bits."""
        return not {self.dense, self.experts} <= set(_UNQUANTISED)


def precisions(row: ServingRow, model: Model, vendor: str) -> Precisions:
    """The precisions of a row.

    Its text is one precision, perhaps with `(gemm .., moe ..)`; where it is empty, the name of the checkpoint tells,
    else it is bf16. FP4 is NVIDIA's format on NVIDIA's accelerators and MXFP4 elsewhere; in such checkpoints latent
    and recurrent mixers stay in bf16. Raises SkipError for a text that is not known.
    """
    if _MXFP4.search(row.model):
        return Precisions("bf16", "mxfp4", "bf16", ("experts in MXFP4, all else in bf16: as published",))
    outer, _, inner = row.precision.lower().partition("(")
    parts: dict[str, str] = dict(re.findall(r"(gemm|moe|attn) +([\w-]+)", inner))
    text = parts.get("gemm") or outer.strip()
    assumed = [] if text else ["precision: that in the name of the checkpoint, else bf16"]
    text = text or _in_name(row.model) or "bf16"
    dense, experts = _named(text, row, vendor), _named(parts.get("moe", text), row, vendor)
    if "fp8" in (dense, experts) and _FP8_BLOCK.search(row.model) and not _without_blocks(row, dense, experts):
        dense = "fp8-block" if dense == "fp8" else dense
        experts = "fp8-block" if experts == "fp8" else experts
        assumed.append("FP8 with a scale per block: as the checkpoint is published")
    attention = _named(parts["attn"], row, vendor) if "attn" in parts else dense
    if attention in ("nvfp4", "mxfp4") and "attn" not in parts and _keeps_mixers(model):
        attention = "bf16"
        assumed.append("projections around attention in bf16: as FP4 checkpoints of such models are")
    return Precisions(dense, experts, attention, tuple(assumed))


def _named(text: str, row: ServingRow, vendor: str) -> ServingPrecision:
    key = text.strip().replace("-", "_")
    if key == "fp4":
        return "nvfp4" if vendor == "NVIDIA" else "mxfp4"
    if key not in _PRECISIONS:
        raise SkipError(f"the precision {row.precision!r} is not known")
    return _PRECISIONS[key]


def _in_name(model_name: str) -> str:
    match = re.search(r"[-_](NVFP4|MXFP4|FP4|FP8|INT4|INT8|AWQ|GPTQ|W4A16)\b", model_name, re.IGNORECASE)
    return match[1].lower() if match else ""


def _without_blocks(row: ServingRow, dense: ServingPrecision, experts: ServingPrecision) -> bool:
    published = "fp8-block" in (dense, experts) or _in_name(row.model) == "fp8"
    return _ALSO_BF16.search(row.model) is not None and not published


def _keeps_mixers(model: Model) -> bool:
    kept = MultiLatentAttention | GatedDeltaNet | Mamba2
    return any(isinstance(block.mixer, kept) for block in model.blocks.values())


def cache_precision(row: ServingRow, engine: str, quantised: bool, has_fp4: bool) -> tuple[CachePrecision, str]:
    """Precision of the cache; and what was assumed.

    As the row says (`kv cache fp8`); else fp8 where TensorRT-LLM runs a quantised checkpoint, and where InferenceX
    runs one on accelerators with FP4, whose recipes switch it on; else bf16, the default of vLLM and SGLang.
    """
    text = f"{row.precision} {row.notes}".lower()
    if match := re.search(r"\bkv[-_ ]?(?:cache)?[-_ ]?(?:dtype|precision)?[ :=]*(fp8|bf16|int4)\b", text):
        stated: dict[str, CachePrecision] = {"fp8": "fp8", "bf16": "bf16", "int4": "int4"}
        return stated[match[1]], ""
    if quantised and (engine == "trtllm" or (is_inferencex(row) and has_fp4)):
        return "fp8", "cache in fp8: not stated"
    return "bf16", "cache in bf16: not stated"
