"""What is fitted or assumed about hardware and software, apart from datasheets.

`Kernels` belongs to one accelerator, `Link` (in `spec.cluster`) to one link, `Stack` to one training
software. None belongs to one model or one measured run.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from pydantic import Field

from myriad.spec.base import Bytes, Fraction, Seconds, Spec

Precision = Literal["fp32", "tf32", "fp16", "bf16", "fp8", "fp8-block", "mxfp8", "nvfp4"]
"""Matrix precision: `fp8` scales per tensor, `fp8-block` per 128x128 block, `mxfp8` per 32 values."""

PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp8-block", "mxfp8", "nvfp4")


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


Decoding = Literal["bf16", "fp8", "latent-bf16", "latent-fp8"]
"""Precision of the key-value cache, of whole heads or of latent vectors."""


class Kernels(Spec):
    """Kernel efficiencies of one accelerator; what it was fitted on stands in the catalog entry."""

    accelerators: tuple[str, ...]
    """Catalog ids that these figures hold for."""
    gemm: dict[Precision, GemmEfficiency]
    grouped_gemm: dict[Precision, GemmEfficiency]
    attention: dict[Precision, AttentionEfficiency]
    decode: dict[Decoding, DecodeEfficiency] = Field(default={})
    memory_fraction: Fraction
    """Share of the datasheet memory bandwidth that long streams reach."""
    launch_s: Seconds
    """Time of the smallest kernel, launch gap included, when the host keeps up."""
    sustained_fraction: Fraction = 1.0
    """Share of the rate of hot, isolated kernels left in a long run."""


EXPERT_OVERLAP: Final = 0.8
"""Assumed; the Megatron-Core documentation says that most of the exchange is hidden."""

Framework = Literal["megatron-core", "torchtitan", "fsdp", "own"]
"""Whose rules limit layouts; `own` is in-house software, taken to run whatever divides."""


Launched = Literal["mixer", "router", "dense", "experts"]
"""Parts of a block that one CUDA graph can hold: norm and mixer; norm and routing; dense feed-forward; experts."""

Switch = Literal["graph-mixers", "graph-routers", "graph-step", "overlap-experts", "portable-attention"]
"""Switches of a software that a job may turn on, see `Stack.switched`."""


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
    attention_share: Fraction = 1.0
    """Rate of its attention kernels over FlashAttention-2's, where they are of an earlier kind."""
    contention: Fraction = 0.0
    """Compute time lost per time of hidden communication: collectives occupy multiprocessors and memory."""
    fused_memory_bound: Fraction
    """Share of element-wise traffic that fusion removes, against one kernel per elementary operation; the usual
    fused kernels (norm; bias, dropout and residual; activation; rotary) remove 0.5."""
    host_s_per_kernel: Seconds
    """Host time per kernel launch; binds when kernels are shorter than this."""
    graphed: tuple[Launched, ...] = ()
    """Parts of a block that replay CUDA graphs, which cost the host next to nothing."""
    host_sync_s: Seconds = 20e-6
    """Host and device waiting for each other once: a small copy to the host and the first launch after it. Dropless
    experts need it per layer unless they are graphed, since the host must know their token counts."""
    step_overhead_s: Seconds
    """Fixed time per step: data loading, logging, gradient norm, synchronisation."""
    dispatch_once_per_domain: bool = False
    """Tokens travel once to each scale-up domain and are copied there (DeepEP, HybridEP), not once per expert."""
    grouped_kernels: bool = False
    """All experts of a rank run as one kernel; else each expert has its own, and its own quantisation."""
    logit_bytes: float = Field(default=6.0, ge=0)
    """Memory of the loss per logit at its peak: 6 for a fused cross-entropy (logits in fp32, gradient in bf16)."""
    reserved_bytes: Bytes
    """Memory that the context, NCCL and the library work spaces take before the first tensor."""
    fragmentation_fraction: Fraction
    """Share of the allocated bytes that the caching allocator holds unused."""

    def switched(self, switches: tuple[Switch, ...]) -> Stack:
        """The software with some of its switches turned on.

        - `graph-mixers`, `graph-routers`: mixers, routing and its preparations replay CUDA graphs
          (Megatron-Core's `cuda_graph_scope`);
        - `graph-step`: the whole step is one CUDA graph (`cuda_graph_impl=full_iteration`); dropless experts
          then work on buffers of fixed size and no host waits;
        - `overlap-experts`: dispatch and combine run beside the compute of another micro-batch
          (`moe_a2a_overlap`), 0.8 of them hidden: those of the ramp and of the first layer are not;
        - `portable-attention`: attention kernels of the chip generation before.
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
                case "overlap-experts":
                    changes["ep_overlap"] = max(self.ep_overlap, EXPERT_OVERLAP)
                case "portable-attention":
                    changes["native_attention"] = False
        return self.model_copy(update={**changes, "graphed": tuple(graphed)})
