"""What is fitted or assumed about hardware and software, apart from datasheets.

`Kernels` belongs to one accelerator, `Link` (in `spec.cluster`) to one link, `Stack` to one training
software. None belongs to one model or one measured run.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from myriad.errors import SpecError, unknown_name
from myriad.spec.base import Bytes, Fraction, Seconds, Spec
from myriad.spec.serving_kernels import (
    CachePrecision,
    ExchangeKind,
    ExpertExchange,
    ExpertLayer,
    PeerAllReduce,
    ServingPrecision,
)

Precision = Literal["fp32", "tf32", "fp16", "bf16", "fp8", "fp8-row", "fp8-block", "mxfp8", "nvfp4"]
"""Matrix precision. `fp8` has a scale per tensor, `fp8-row` per row, `fp8-block` per 128x128 block, `mxfp8` per 32
values."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Share = Annotated[float, Field(gt=0)]
"""A ratio to something estimated; above 1 where reality is faster than what it is measured against."""


class GemmEfficiency(Spec):
    """How near matrix products come to the datasheet rate, see `estimate.kernels.gemm_s`."""

    peak_fraction: Fraction
    """Share of the dense datasheet rate that large products reach on a cool chip."""
    half_k: float = Field(ge=0)
    """Inner dimension at which half of that is lost to the prologue and epilogue of each tile."""
    wave_loss: float = Field(default=0.0, ge=0)
    """Share of one wave of tiles lost per product to partial filling of the chip."""
    tile_rows: float = Field(default=128.0, ge=0)
    """Rows that every product, or every group of one, computes at least: those of the smallest tile in use."""
    step_s: Seconds = 0.0
    """Time of one more element of the inner dimension in a tile that has the chip to itself."""
    split_k: float = Field(default=2.0**20, gt=0)
    """Inner dimension from which the library splits it over tiles, so that the chain of steps grows no longer."""
    heat_loss: float = Field(default=0.0, ge=0)
    """Compute time that long products take on top under the power limit, as a share."""
    stream_share: float = Field(default=1.0, gt=0)
    """Rate at which operands and results stream over that of long streams."""
    backward_share: Fraction = 1.0
    """Rate of the backward products over the forward one's, where training asks for finer accumulation there."""


class AttentionEfficiency(Spec):
    """How near fused attention comes to the datasheet rate, on the FLOPs that causality leaves."""

    forward_fraction: Fraction
    """Share of the dense datasheet rate that long queries reach with a head size of 128."""
    backward_fraction: Fraction
    portable_share: Fraction = 1.0
    """Share of these rates that kernels written for earlier chips reach (FlashAttention-2 on Hopper)."""
    half_tokens: float = Field(ge=0)
    """Query length at which half of that is lost."""
    half_head: float = Field(default=0.0, ge=0)
    """Head size at which the exponentials take as long as the matrix products."""
    stream_share: float = Field(default=1.0, gt=0)
    """Rate at which queries, keys, values and results stream over that of long streams."""
    overhead_s: Seconds = 0.0
    """Fixed time of one call beyond a launch: tile schedules, combining partial results."""


class DecodeEfficiency(Spec):
    """How fast attention of one new token per sequence is, see `estimate.kernels.decode_attention_s`."""

    stream_share: float = Field(gt=0)
    """Rate at which long caches are read over that of long streams."""
    item_s: Seconds
    """Time that one multiprocessor spends per sequence and KV head beside reading."""
    step_s: Seconds
    """Time per key of a sequence that has the chip to itself."""
    split_keys: float = Field(gt=0)
    """Keys from which the kernel splits a sequence, so that the chain of steps grows no longer."""
    overhead_s: Seconds
    """Time of the shortest call, launch included."""


Eager = Literal["norm", "rotary", "repeat", "activation", "embedding", "loss", "permute", "routing", "optimizer"]
"""Element-wise work that software without fused kernels runs as one PyTorch kernel per elementary operation; `repeat`
copies keys and values to all query heads that share them."""


class EagerPasses(Spec):
    """Time of one kind of element-wise work over that of streaming the bytes of its fused kernels once.

    Pairs of such bytes and the ratio, fewest bytes first; between them logarithms are linear, beyond the last pair the
    ratio stays, below the first one the time. They hold what a single bandwidth cannot: caches, fresh pages,
    exponentials, the host's work.
    """

    forward: tuple[tuple[float, float], ...] = Field(min_length=1)
    backward: tuple[tuple[float, float], ...] = ()
    """Empty where there is no backward pass."""


Decoding = Literal["bf16", "fp8", "latent-bf16", "latent-fp8"]
"""Precision of the key-value cache, of whole heads or of latent vectors."""


class ServingKernels(Spec):
    """What serving engines run beside the kernels that training has too, or in their place."""

    gemm: dict[ServingPrecision, GemmEfficiency]
    """Where a precision is missing, `Kernels.gemm` holds."""
    grouped_gemm: dict[ServingPrecision, GemmEfficiency]
    experts: dict[ServingPrecision, ExpertLayer]
    attention: dict[CachePrecision, AttentionEfficiency] = Field(default={})
    """Attention of whole prompts by precision of the cache; where it is missing, `Kernels.attention` holds."""
    all_reduce: PeerAllReduce
    exchange: dict[ExchangeKind, ExpertExchange] = Field(default={})
    decode_share: Share = 1.0
    """Rate of decode attention in running engines over that of isolated kernels."""
    gemm_share: dict[ServingPrecision, Share] = Field(default={})
    """Rate of dense products in running engines over the above, by precision of the weights; 1 where not given."""
    expert_share: dict[ServingPrecision, Share] = Field(default={})
    """The same for routed experts, whose tokens crowd on fewer of them than even choices would."""


class Kernels(Spec):
    """Kernel efficiencies of one accelerator; what it was fitted on stands in the catalog entry."""

    accelerators: tuple[str, ...]
    """Catalog ids that these figures hold for."""
    gemm: dict[Precision, GemmEfficiency]
    grouped_gemm: dict[Precision, GemmEfficiency]
    attention: dict[Precision, AttentionEfficiency]
    decode: dict[Decoding, DecodeEfficiency] = Field(default={})
    """Attention of one new token per sequence; only serving has it."""
    memory_fraction: Fraction
    """Share of the datasheet memory bandwidth that long streams reach."""
    launch_s: Seconds
    """Time of the smallest kernel, launch gap included, when the host keeps up."""
    sustained_fraction: Fraction = 1.0
    """Share of the rate of hot, isolated kernels left in a long run."""
    training_share: dict[Precision, Share] = Field(default={})
    """Rate of matrix products of a training step over all of the above: clocks of whole steps, backward products,
    other libraries than those of the measured operators. By the precision of the job; 1 where it is not given."""
    attention_training_share: Share = 1.0
    """The same for attention, forward and backward."""
    serving: ServingKernels | None = None
    """Kernels of serving engines; training reads nothing of it."""
    eager: dict[Eager, EagerPasses] = Field(default={})
    """Read by software that says `eager`; what is missing runs as `Stack.stream_passes` says."""
    scan_share: Fraction = 0.25
    """Rate of chunked scans (Mamba-2, delta nets) over that of attention: on an A100 the scan of Mamba-2 passes
    FlashAttention-2 at about 2,048 tokens (arXiv 2405.21060, figure 10), where it has a quarter of the FLOPs. They
    are written in Triton for that generation, so that later chips run them at their `portable_share`."""


Framework = Literal["megatron-core", "torchtitan", "fsdp", "reference", "own"]
"""Whose rules limit layouts; `reference` is `myriad.trainer`, `own` in-house software that runs whatever divides."""


Launched = Literal["mixer", "router", "dense", "experts", "ends"]
"""What one CUDA graph can hold: norm and mixer; norm and routing; dense feed-forward; experts; and, only where the
whole step is one graph, the embedding and the head with the loss."""

Switch = Literal[
    "graph-mixers", "graph-routers", "graph-step", "dispatch-once", "overlap-experts", "overlap-tensor", "compile",
    "portable-attention", "count-layers", "join-outputs",
]  # fmt: skip
"""Switches of a software that a job may turn on, see `Stack.switched`."""

StageOutputs = Literal["freed", "in-flight", "whole-step"]
"""How long a pipeline stage keeps what it has sent on."""

Splits = Literal["none", "layers", "depths"]
"""What can be placed on pipeline stages by hand: nothing, layers, or prediction depths apart from the head too."""

Traffic = Literal["tp", "cp", "ep", "pp", "dp"]
"""Kinds of communication, by the parallelism that causes it."""


class Release(Spec):
    """What one release of a software does better or worse than the software in general."""

    gemm_share: Share = 1.0
    """Factor on the `gemm_share` of the software."""
    expert_share: Share = 1.0
    """Factor on its `expert_share`."""
    fused_experts: bool = False
    """See `Stack.fused_experts`."""


def software_and_release(stack: str) -> tuple[str, str]:
    """The two halves of the name of a software, the second empty where no release is named.

    >>> software_and_release("nemo@25.02"), software_and_release("nemo")
    (('nemo', '25.02'), ('nemo', ''))
    """
    software, _, release = stack.partition("@")
    return software, release


class Stack(Spec):
    """One training software: what it overlaps, fuses and loses."""

    name: str
    framework: Framework = "megatron-core"
    """Whose rules say which layouts it can run."""
    tp_overlap: Fraction
    """Share of tensor-parallel traffic hidden behind matrix products (userbuffers, async TP)."""
    cp_overlap: Fraction
    ep_overlap: Fraction
    """Share of expert dispatch and combine hidden behind other micro-batches or the shared expert."""
    pp_overlap: Fraction
    dp_overlap: Fraction
    """Share of gradient reduction and parameter gathering that can hide behind compute (the rest is exposed)."""
    fsdp_overlap: Fraction
    """The same when parameters are sharded (ZeRO-3/FSDP) and gathered layer by layer."""
    fused_attention: bool = True
    """Attention never writes its score matrix (FlashAttention); otherwise it is stored and read again."""
    native_attention: bool = True
    """Attention kernels are written for the chip at hand; else the chip's `portable_share` applies."""
    gemm_share: Share = 1.0
    """Rate of its matrix products over those of the accelerator: what is lost around them, and gained by tuning."""
    expert_share: Share = 1.0
    """Rate of its routed experts over those of the accelerator: grouped products, permutation, routing."""
    attention_share: Share = 1.0
    """Rate of its attention kernels over the accelerator's, where they are of another kind."""
    window_share: Share = 1.0
    """Rate of attention under a sliding window, on what the window leaves, over that of causal attention."""
    contention: Fraction = 0.0
    """Compute time lost per time of hidden communication: collectives occupy multiprocessors and memory."""
    stretch: dict[Traffic, Share] = Field(default={})
    """Exposed communication over the time of the same collectives alone: ranks arrive late, and traffic meets."""
    expert_overlap: Fraction = 0.8
    """Share of dispatch and combine hidden where `overlap-experts` is on: not those of the ramp and the first layer."""
    tensor_overlap: Fraction = 0.6
    """Share of tensor-parallel traffic hidden where `overlap-tensor` is on."""
    stream_passes: float = Field(gt=0)
    """Time of element-wise work over that of the usual fused kernels (norm; bias, dropout and residual; activation;
    rotary) at the rate of long streams. One kernel per elementary operation moves about twice as much: bias, dropout,
    residual and norm 10 passes against 5, SwiGLU 5 against 3, rotary 6 against 2."""
    eager: bool = False
    """Its element-wise work runs as `Kernels.eager` was measured, where that was, instead of `stream_passes`."""
    compiled_passes: float | None = Field(default=None, gt=0)
    """`stream_passes` where `compile` is on."""
    quantise_passes: Share = 1.0
    """Time of quantising an operand over that of reading it in 16 bits and writing it twice, by rows and by columns:
    amax, transposes, padding and moving of scales come on top."""
    host_s_per_kernel: Seconds
    """Host time per kernel launch; binds when kernels are shorter than this."""
    host_runs_ahead: bool = True
    """The host launches ahead of the device through a whole pass; otherwise both start every block together."""
    host_s_per_wrapper: Seconds = 0.0
    """Host time per call of a module that quantises its operands, beside its launches: what TransformerEngine's
    8-bit modules do in Python and C++ to pick quantisers, allocate and wrap tensors."""
    graphed: tuple[Launched, ...] = ()
    """Parts of a block that replay CUDA graphs, which cost the host next to nothing."""
    host_sync_s: Seconds = 20e-6
    """Host and device waiting for each other once: a small copy to the host and the first launch after it. Dropless
    experts need it per layer unless they are graphed, since the host must know their token counts."""
    step_overhead_s: Seconds
    """Fixed time per step: data loading, logging, gradient norm, synchronisation."""
    gathers_by_broadcast: bool = False
    """ZeRO-1 gathers parameters by one broadcast from every rank after the step, each through a ring of all ranks."""
    dispatch_once_per_domain: bool = False
    """Tokens travel once to each scale-up domain and are copied there (DeepEP, HybridEP), not once per expert."""
    grouped_kernels: bool = False
    """All experts of a rank run as one kernel; else each expert has its own, and its own quantisation."""
    counts_layers: bool = False
    """Layers that do not divide fill the stages in turn, ends uncounted; else the ends count as layers."""
    splits: Splits = "none"
    """What a layout's `split` may place by hand; searches try splits only where it may."""
    fused_experts: bool = False
    """Where it can, runs products, activation and quantisation of all experts as one kernel per direction, see
    `estimate.operations`."""
    logit_bytes: float = Field(default=6.0, ge=0)
    """Memory of the loss per logit at its peak: 6 for a fused cross-entropy (logits in fp32, gradient in bf16)."""
    sharded_logit_bytes: float | None = Field(default=None, ge=0)
    """The same where tensor parallelism splits the vocabulary; `None` if that changes nothing."""
    gathers_logits: bool = False
    """Logits that tensor parallelism cuts are gathered, and every rank of the group computes the whole loss."""
    copies_shards: bool = False
    """Data parallelism sends from and into buffers of its own, a layer at a time: parameters are copied out of what was
    gathered, gradients into what is scattered, and those that are not sharded into a buffer and back. Else such copies
    are taken to be hidden, or not made."""
    stage_outputs: StageOutputs = "freed"
    """Outputs of a pipeline stage: `freed` once sent (Megatron-Core), kept `in-flight` until their backward pass, or
    besides, on the last stage, all logits to the end of the step, which are then joined to one tensor (`whole-step`,
    torch.distributed.pipelining)."""
    gathers_from_master: bool = False
    """Sharded parameters rest in the master copy alone and are cast when gathered (FSDP); else both rest."""
    reserved_bytes: Bytes
    """Memory that the context, NCCL and the library work spaces take before the first tensor."""
    fragmentation_fraction: Fraction
    """Memory that the caching allocator holds unused, as a share of what comes and goes: activations, logits and
    buffers. States are allocated once and leave no gaps. See `estimate.memory.fragmentation_bytes`."""

    releases: dict[str, Release] = Field(default={})
    """Releases known to differ, oldest first."""

    def stretch_of(self, traffic: Traffic) -> float:
        """Seconds of exposed communication per second that the same collectives take alone."""
        return self.stretch.get(traffic, 1.0)

    def at_release(self, release: str) -> Stack:
        """The software as of one release. Raises SpecError with the releases that are known."""
        if release not in self.releases:
            known = tuple(self.releases) or ("none",)
            raise SpecError(unknown_name(f"release of {self.name}", release, known))
        own = self.releases[release]
        shares = {"gemm_share": self.gemm_share * own.gemm_share, "expert_share": self.expert_share * own.expert_share}
        return self.model_copy(update={**shares, "fused_experts": self.fused_experts or own.fused_experts})

    def as_run(self, release: str, switches: tuple[Switch, ...]) -> Stack:
        """The software as a job runs it: at its release, if one is named, with its switches."""
        return (self.at_release(release) if release else self).switched(switches)

    def switched(self, switches: tuple[Switch, ...]) -> Stack:
        """The software with some of its switches turned on.

        - `graph-mixers`, `graph-routers`: mixers, routing and its preparations replay CUDA graphs
          (Megatron-Core's `cuda_graph_scope`);
        - `graph-step`: the whole step is one CUDA graph (`cuda_graph_impl=full_iteration`); dropless experts
          then work on buffers of fixed size and no host waits;
        - `dispatch-once`: tokens travel once to each scale-up domain (DeepEP, HybridEP);
        - `overlap-experts`: dispatch and combine run beside the compute of another micro-batch
          (`moe_a2a_overlap`);
        - `overlap-tensor`: tensor-parallel traffic runs beside the products it belongs to (async TP);
        - `compile`: element-wise work is fused by a compiler (`torch.compile`);
        - `portable-attention`: attention kernels of the chip generation before;
        - `count-layers`: pipeline stages are filled with equal counts of layers in turn, whatever the ends weigh
          (DeepSpeed's `partition_method="type:transformer"`);
        - `join-outputs`: the last pipeline stage keeps and joins the logits of the whole step
          (torch.distributed.pipelining before 2025's `return_outputs=False`).
        """
        changes: dict[str, object] = {}
        graphed = dict.fromkeys(self.graphed)
        for switch in switches:
            match switch:
                case "graph-mixers":
                    graphed["mixer"] = None
                case "graph-routers":
                    graphed["router"] = None
                case "graph-step":
                    graphed |= dict.fromkeys(get_args(Launched))
                case "dispatch-once":
                    changes["dispatch_once_per_domain"] = True
                case "overlap-experts":
                    changes["ep_overlap"] = max(self.ep_overlap, self.expert_overlap)
                case "overlap-tensor":
                    changes["tp_overlap"] = max(self.tp_overlap, self.tensor_overlap)
                case "compile":
                    changes["stream_passes"] = self.compiled_passes or self.stream_passes
                case "portable-attention":
                    changes["native_attention"] = False
                case "count-layers":
                    changes["counts_layers"] = True
                case "join-outputs":
                    changes["stage_outputs"] = "whole-step"
        return self.model_copy(update={**changes, "graphed": tuple(graphed)})
