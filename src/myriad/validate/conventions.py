"""What each publisher leaves unsaid, because everyone who runs that software knows it.

A convention belongs to a software and its benchmark recipes, never to a model or a run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal

import myriad.catalog as catalog
from myriad.spec.calibration import Precision, Switch
from myriad.spec.job import Optimizer
from myriad.spec.layout import RECOMPUTE_MODULES
from myriad.units import GB, GIB
from myriad.validate.rows import TrainingRow

ADAM_FP32_GRADIENTS: Final = Optimizer()
"""bf16 weights, gradients accumulated and reduced in fp32."""

ADAM_BF16_GRADIENTS: Final = Optimizer(gradient_bytes=2.0, gradient_reduce_bytes=2.0, step_bytes=4.0)
"""Gradients kept and reduced in bf16: NVIDIA's benchmark recipes (`grad_reduce_in_fp32` off), InternEvo."""

ADAM_FP16: Final = Optimizer(gradient_bytes=2.0, gradient_reduce_bytes=2.0, step_bytes=4.0)
"""fp16 gradients under loss scaling; the fp32 copy is made per shard at the step (Megatron)."""

ADAM_FP16_FLATTENED: Final = Optimizer(
    gradient_bytes=2.0, gradient_reduce_bytes=2.0, step_bytes=6.0, flat_step_copies=True
)
"""The same in DeepSpeed, which flattens the fp16 gradients of the shard first (`stage_1_and_2.py`, `step`)."""

ADAM_BF16_AND_FP32_GRADIENTS: Final = Optimizer(gradient_bytes=6.0)
"""DeepSpeed's BF16_Optimizer: bf16 gradients beside the fp32 sums of BLOOM."""

ALL_BF16: Final = Optimizer(
    name="adam-bf16", gradient_bytes=2.0, master_bytes=0.0, moment_bytes=4.0, gradient_reduce_bytes=2.0
)
"""Weights, gradients and moments in bf16, no copy in fp32."""


RECOMPUTE_WHERE_UNKNOWN: Final[tuple[tuple[str, ...], ...]] = (
    (),
    ("core_attn", "layernorm", "moe_act", "mla_up_proj"),
    ("full",),
)


@dataclass(frozen=True)
class Convention:
    """Defaults of one software and its recipes."""

    stack: str
    """Catalog id of the software."""
    zero: Literal[0, 1, 2, 3] = 1
    """Sharding where the row names none."""
    sequence_parallel: bool = True
    optimizer: Optimizer = ADAM_FP32_GRADIENTS
    expert_tensor_follows_tensor: bool = False
    """Experts are split like dense layers where the row gives no `etp` (Megatron before folding)."""
    trains_mtp: bool = True
    layers_per_chunk: int = 0
    """Stages are interleaved in chunks of so many layers where the row gives no `vpp`; 0 means not interleaved."""
    gathers_once_under_pipeline: bool = False
    """FSDP under a pipeline gathers weights once and reduces gradients once per step: ZeRO-1 in effect."""
    recompute_where_unknown: tuple[tuple[str, ...], ...] = RECOMPUTE_WHERE_UNKNOWN
    """Tried in this order where the source is silent; the first that fits is taken, since the run did run."""
    packed_racks: bool = False
    """Jobs fill rack after rack, whatever the sizes of their groups, so that expert groups may straddle two."""
    micro_batches_follow_stages: bool = False
    """A local batch is cut into as many micro-batches as there are stages where the row says nothing."""


# The recipes interleave GPT-3 175B 6 times over 8 stages and Llama 3.1 405B 8 times: two layers a chunk.
# Pages and submissions that leave the column out ran the same recipes.
_NEMO: Final = Convention("nemo", optimizer=ADAM_BF16_GRADIENTS, layers_per_chunk=2)
# None of the 120 rows of its recipes that print recomputation recomputes whole layers; what does not fit with parts
# recomputed keeps activations in host memory.
_BRIDGE: Final = Convention(
    "megatron-bridge", optimizer=ADAM_BF16_GRADIENTS, recompute_where_unknown=RECOMPUTE_WHERE_UNKNOWN[:2]
)
_MEGATRON_2021: Final = Convention("megatron-lm-2021", zero=0, sequence_parallel=False, optimizer=ADAM_FP16)
_MEGATRON_DEEPSPEED: Final = Convention("bigscience", zero=0, sequence_parallel=False, optimizer=ADAM_FP16_FLATTENED)

#: Start of `source` -> convention; the first match counts.
_BY_SOURCE: Final[tuple[tuple[str, Convention], ...]] = (
    ("Megatron-Bridge", _BRIDGE),
    ("Megatron-Core MoE report", _BRIDGE),
    ("MoE Parallel Folding", Convention("megatron-core", expert_tensor_follows_tensor=True)),
    ("Megatron-LM examples", Convention("megatron-core", optimizer=ADAM_BF16_GRADIENTS)),
    (
        "NeMo Automodel",
        Convention("automodel", zero=3, optimizer=ALL_BF16, trains_mtp=False, gathers_once_under_pipeline=True),
    ),
    ("NeMo", _NEMO),
    ("NVIDIA DGX Cloud", replace(_NEMO, packed_racks=True)),
    ("MLPerf", _NEMO),
    ("llm-foundry", Convention("fsdp", zero=3)),
    (
        "torchtitan",
        Convention("torchtitan", zero=3, gathers_once_under_pipeline=True, micro_batches_follow_stages=True),
    ),
    ("InternEvo", Convention("internevo", sequence_parallel=False, optimizer=ADAM_BF16_GRADIENTS)),
    ("Megatron SC21", _MEGATRON_2021),
    ("Megatron-LM 2020", _MEGATRON_2021),
    ("BigScience", _MEGATRON_DEEPSPEED),
    ("BLOOM", _MEGATRON_DEEPSPEED),
    ("GPT-NeoX", _MEGATRON_DEEPSPEED),
    ("vTrain", replace(_MEGATRON_DEEPSPEED, stack="megatron-deepspeed")),
    ("Reducing Activation", Convention("megatron-lm-2021", zero=0, optimizer=ADAM_FP16)),
)


def convention(row: TrainingRow) -> Convention:
    """The convention of the row's source; for sources unknown here, Megatron-Core's, or FSDP's if it names FSDP."""
    if re.search(r"maxtext|paxml", row.document + " " + row.notes, re.IGNORECASE):
        return Convention("maxtext", zero=3, recompute_where_unknown=(("full",),))  # remat_policy: full, SAVE_NOTHING
    for start, found in _BY_SOURCE:
        if row.source.startswith(start):
            return found
    return Convention("fsdp", zero=3) if "FSDP" in row.sharding.upper() else Convention("megatron-core")


def optimizer(row: TrainingRow, default: Optimizer) -> Optimizer:
    """Bytes per parameter that the row's precision and sharding texts imply, else the convention's."""
    if "(pure)" in row.precision:
        return ALL_BF16
    if row.source.startswith(("BigScience", "BLOOM")) and row.precision == "bf16":
        return ADAM_BF16_AND_FP32_GRADIENTS
    return default


def stack_at_release(row: TrainingRow, stack: str) -> str:
    """The software with the row's release, `nemo@25.02`, where the catalog tells that release from others."""
    release = release_of(row)
    return f"{stack}@{release}" if release in catalog.stack(stack).releases else stack


def release_of(row: TrainingRow) -> str:
    """The software's release as the source dates it, `25.09` for example; empty where it does not."""
    for text in (row.notes, row.document):
        if match := re.search(r"(?:container |@v?|\bv)(2\d\.\d\d)\b|\b(2\d\.\d\d) (?:BF16|FP8)", text):
            return match[1] or match[2]
    return ""


#: In the row's `overlap` -> what is switched on. Scopes of graphs count only where graphs are made.
_SWITCHES: Final[tuple[tuple[str, Switch], ...]] = (
    (r"cuda_graph_impl=full_iteration|_full_iteration_", "graph-step"),
    (r"cuda_graph_impl=transformer_engine.*cuda_graph_scope=\[[^]]*\b(attn|mamba)\b", "graph-mixers"),
    (r"cuda_graph_impl=transformer_engine.*cuda_graph_scope=\[[^]]*\bmoe_router\b", "graph-routers"),
    (r"moe_a2a_overlap(=True| on)|_full_iteration_", "overlap-experts"),
    (r"(?i)deepep|hybridep", "dispatch-once"),
    (r"(?i)async ?TP", "overlap-tensor"),
    (r"torch\.compile", "compile"),
)


#: First release whose MXFP8 recipes of mixtures of experts on NVL72 run whole steps as one graph, with the exchange
#: of experts behind compute: every such row of 26.06 that names its switches names these two; those of 26.08 name
#: the function that sets them, or nothing.
_WHOLE_STEP_RECIPES: Final = "26.06"


def _recipe_switches(row: TrainingRow, routed: bool) -> tuple[Switch, ...]:
    """What the recipe of the row switches on where the row does not say.

    Recipes on NVL72 that drop tokens work on fixed shapes, and are taken to replay graphs: one of their layers
    takes 4.9 ms forward and backward, half of what its launches take a faster host (assumed from that).
    """
    is_recipe = row.source.startswith("Megatron-Bridge") and "cuda_graph_impl" not in row.overlap
    if not (is_recipe and routed and row.accelerator.startswith(("GB200", "GB300"))):
        return ()
    if drops_tokens(row):
        return ("graph-step",)
    whole_step = release_of(row) >= _WHOLE_STEP_RECIPES and row.precision == "mxfp8"
    return ("graph-step", "overlap-experts") if whole_step else ()


def drops_tokens(row: TrainingRow) -> bool:
    """Whether experts compute no more than their capacity, one share each, and drop further tokens."""
    return re.search(r"token-?drop", row.notes) is not None


def switches(row: TrainingRow, routed: bool = False) -> tuple[Switch, ...]:
    """What the row or its recipe switches on, the rest is off; `routed`: the model has experts in every layer."""
    named = [switch for pattern, switch in _SWITCHES if re.search(pattern, row.overlap)]
    found: tuple[Switch, ...] = tuple(dict.fromkeys([*named, *_recipe_switches(row, routed)]))
    by_source = tuple(switch for switch, sources in _SWITCHED_BY_SOURCE.items() if row.source.startswith(sources))
    return (*found, *by_source)


#: What a publisher's software did at the time of all its rows.
_SWITCHED_BY_SOURCE: Final[dict[Switch, tuple[str, ...]]] = {
    # Containers older than summer 2024, when TransformerEngine came to prefer cuDNN's attention on Hopper; before,
    # it took FlashAttention-2.
    "portable-attention": ("NeMo user guide", "MLPerf Training v3"),
    # Pipeline stages filled by layers alone. The BLOOM run counted its embeddings as layers instead
    # (`type:transformer|embedding`), which is what its 70 layers on 12 stages were chosen for.
    "count-layers": ("BigScience", "vTrain"),
    # Benchmarks of December 2024 and June 2025.
    "join-outputs": ("torchtitan",),
}


#: Start of the row's `precision`, lower case -> Precision; the first match counts.
_PRECISIONS: Final[tuple[tuple[str, Precision], ...]] = (
    ("fp16/bf16", "fp16"),
    ("fp16", "fp16"),
    ("bf16", "bf16"),
    ("mxfp8", "mxfp8"),
    ("fp8-block", "fp8-block"),
    ("fp8 rowwise", "fp8-row"),
    ("fp8", "fp8"),
    ("nvfp4", "nvfp4"),
    ("tf32", "tf32"),
    ("fp32", "fp32"),
)


def precision(row: TrainingRow) -> Precision | None:
    """The matrix precision; bf16 where the source is silent, `None` if the text is not known.

    `fp16/bf16 (not stated per row)` is fp16: the runs that say bf16 hold 4 bytes more per parameter.
    Where two configurations are published the one first named is taken.
    """
    if not row.precision:
        return "bf16"
    text = row.precision.lower()
    return next((found for start, found in _PRECISIONS if text.startswith(start)), None)


def recompute(row: TrainingRow) -> tuple[str, ...] | None:
    """The recomputed modules, `None` where the source does not say.

    torchtitan's selective checkpointing by operation is `every_other_product`.
    """
    text = row.recompute.lower()
    if not text or text.startswith("unknown"):
        return None
    if text.startswith("none"):
        return ()
    if text.startswith("full"):
        return ("full",)
    if "per-op" in text or "activation checkpointing" in text:
        return ("every_other_product",)
    named = re.findall(r"'(\w+)'", text)
    if named:
        return tuple(named) if set(named) <= set(RECOMPUTE_MODULES) else None
    return ("core_attn",) if text.startswith("selective") else None


@dataclass(frozen=True)
class PeakReading:
    """What a publisher means by peak memory."""

    counts: Literal["device", "reserved", "allocated"] = "device"
    """All that the device holds (nvidia-smi); what the caching allocator took from it, without context and
    communication channels; or what tensors filled of that."""
    unit: float = 1.0
    """Bytes meant by a printed byte: sources that print GiB are read by the tables as if they printed GB."""
    stage: Literal["fullest", "last"] = "fullest"
    """The pipeline stage whose rank prints it."""


#: Start of `source` -> reading; the first match counts. Elsewhere the device's, of the fullest stage, in GB.
_READINGS: Final[tuple[tuple[str, PeakReading], ...]] = (
    # `max_reserved_gib` of its metrics; under a pipeline the ranks that know the loss print it.
    ("torchtitan", PeakReading("reserved", GIB / GB, "last")),
    # `mem-max-allocated-gigabytes` of its log, which the last rank of all writes.
    ("Megatron-Bridge", PeakReading("allocated", stage="last")),
)


def peak_reading(row: TrainingRow) -> PeakReading:
    """How the row's source reads its peak memory."""
    return next((found for start, found in _READINGS if row.source.startswith(start)), PeakReading())
