"""The measured tokens/s of a row, from whichever figure its source prints."""

from __future__ import annotations

from typing import Final

from myriad.estimate.flops import DEFINITIONS
from myriad.spec.model import MixtureOfExperts, Model
from myriad.validate.rows import TrainingRow

#: `flops_def` of a row -> key of DEFINITIONS; a question mark says that the source leaves it open.
_DEFINITION_OF: Final = {
    "megatron-causal": "megatron-causal",
    "causal": "megatron-causal",
    "automodel": "megatron-causal",
    "noncausal": "noncausal",
    "six-n": "six-n",
    "sc21hw": "sc21-hardware",
    "sc21": "sc21-model",
}

_LAST_MULTI_HEAD_RELEASE: Final = "v25.04"


def _is_moe(model: Model) -> bool:
    return any(isinstance(b.feed_forward, MixtureOfExperts) for b in model.blocks.values())


def flops_definition(row: TrainingRow, model: Model) -> str | None:
    """The key of `DEFINITIONS` that the row's TFLOP/s and MFU follow; `None` if the row names none known.

    `dgxc` stands for the DGX Cloud recipes: unmasked for dense models (Nemotron-4 up to v25.04 with
    grouped keys counted per query head), Megatron's for MoE models, a shortcut of its own for Llama 4.
    Rows of llm-foundry that say `noncausal` mean 6 N + 12 L d s, position table included.
    """
    stated = row.flops_definition.rstrip("?")
    if stated == "dgxc":
        if "llama-4" in row.model or "llama4" in row.model:
            return "llama4-dense"
        if _is_moe(model):
            return "megatron-causal"
        release = row.document.rpartition("@")[2][: len(_LAST_MULTI_HEAD_RELEASE)]
        early = row.model.startswith("nemotron4") and release <= _LAST_MULTI_HEAD_RELEASE
        return "noncausal-multi-head" if early else "noncausal"
    if stated == "noncausal" and row.source.startswith("llm-foundry"):
        return "six-n"
    if stated == "sc21hw" and row.recompute == "none":
        return "sc21-model"
    return _DEFINITION_OF.get(stated)


def measured_tokens_per_s_per_gpu(
    row: TrainingRow, model: Model, seq_len: int, num_gpus: int, peak_flops_per_s: float | None
) -> tuple[float, str] | None:
    """Measured tokens/s per GPU and how it was found; `None` if the row has no figure that leads there.

    In this order: tokens/s per GPU, tokens/s of the job, step time with its batch, FLOP/s with the
    row's own definition (`flops_definition`; hardware FLOP/s where it counts recomputation), MFU times
    the datasheet rate, HFU likewise with full recomputation counted as 4/3.
    """
    if row.tokens_per_s_per_gpu:
        return row.tokens_per_s_per_gpu, "tokens/s per GPU"
    if row.tokens_per_s:
        return row.tokens_per_s / num_gpus, "tokens/s of the job"
    if row.step_s and row.global_batch:
        return row.global_batch * seq_len / row.step_s / num_gpus, "step time"
    definition = flops_definition(row, model)
    if definition is None:
        return None
    per_token = DEFINITIONS[definition](model, seq_len)
    recomputed = 4.0 / 3.0 if row.recompute == "full" and not definition.startswith("sc21") else 1.0
    if row.model_flops_per_s:
        return row.model_flops_per_s / per_token, f"FLOP/s ({definition})"
    if row.hardware_flops_per_s:
        return row.hardware_flops_per_s / (per_token * recomputed), f"hardware FLOP/s ({definition})"
    if row.mfu and peak_flops_per_s:
        return row.mfu * peak_flops_per_s / per_token, f"MFU ({definition})"
    if row.hfu and peak_flops_per_s:
        return row.hfu * peak_flops_per_s / (per_token * recomputed), f"HFU ({definition})"
    return None
