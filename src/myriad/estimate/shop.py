"""What turns sizes into operations: shapes, FLOPs and kernel times of products, attention, scans and streams.

All arrays have the axis U: one entry per distinct way of cutting a block (see `Cells`). Times are per
micro-batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from myriad.estimate.device import ACTIVATION_BYTES, Device, activation_bytes
from myriad.estimate.kernels import attention_s, eager_s, grouped_gemm_s, memory_bound_s
from myriad.spec.calibration import Eager, GemmEfficiency, Launched, Stack
from myriad.spec.job import TrainingWork

Array = npt.NDArray[np.float64]

LOOP_LAUNCH = 0.3
"""Host time of a further expert's launch over that of the first: one call loops over the experts in C++ (about 3 of
10 us; assumed)."""


@dataclass(frozen=True)
class Cells:
    """Distinct ways of cutting a block over ranks, as float columns of equal length U."""

    tp: Array
    sp: Array
    cp: Array
    ep: Array
    etp: Array
    micro_batch: Array
    tokens: Array
    """Tokens of one micro-batch on one context-parallel rank: micro_batch * seq_len / cp."""
    sequence_shard: Array
    """Ranks that norms and residuals are split over: tp with sequence parallelism, else 1."""
    activation_bytes: float = ACTIVATION_BYTES
    """Of one element at rest and under way, see `estimate.device.activation_bytes`."""


@dataclass(frozen=True)
class Operation:
    """One kind of kernel of a block. Times per micro-batch, arrays (U,)."""

    name: str
    part: str
    """Key of `spec.result.TIME_PARTS`."""
    module: str
    """Recompute module that it belongs to, or empty."""
    forward_s: Array
    backward_s: Array
    weight_grad_s: Array
    """The share of `backward_s` that zero-bubble schedules may move."""
    forward_flops: Array
    forward_bytes: Array
    kernels: Array | float
    """Kernel launches of the forward pass; the backward pass has twice as many."""
    wrappers: float = 0.0
    """Calls of modules that quantise their operands, in the forward pass; the backward pass takes twice as long."""
    launched: Launched = "mixer"
    """The part of the block that launches it."""
    sizes: tuple[tuple[str, Array], ...] = ()
    """Named sizes for display."""

    def take(self, index: npt.NDArray[np.int64]) -> Operation:
        """The same in other cells; without the sizes."""
        return replace(
            self,
            forward_s=self.forward_s[index],
            backward_s=self.backward_s[index],
            weight_grad_s=self.weight_grad_s[index],
            forward_flops=self.forward_flops[index],
            forward_bytes=self.forward_bytes[index],
            kernels=self.kernels[index] if isinstance(self.kernels, np.ndarray) else self.kernels,
            sizes=(),
        )


@dataclass(frozen=True)
class Shop:
    """What turns sizes into operations: the device, the software and the work, bound together."""

    device: Device
    stack: Stack
    work: TrainingWork

    @property
    def activation_bytes(self) -> float:
        """Of one element of an activation."""
        return activation_bytes(self.work.precision)

    def gemm(
        self, name: str, module: str, m: Array, n: Array | float, k: Array | float, part: str = "gemm"
    ) -> Operation:
        """A dense product with its two backward products (by inputs and by weights)."""
        n, k = np.broadcast_to(n, m.shape).astype(float), np.broadcast_to(k, m.shape).astype(float)
        forward, backward = self._directions(self.device.gemm, self.stack.gemm_share)
        weight_grad = grouped_gemm_s(1.0, n, k, m, self.device, backward)
        return Operation(
            name, part, module,
            forward_s=grouped_gemm_s(1.0, m, n, k, self.device, forward) + self._cast_s(m * k),
            backward_s=grouped_gemm_s(1.0, m, k, n, self.device, backward) + weight_grad + self._cast_s(m * n),
            weight_grad_s=weight_grad,
            forward_flops=2 * m * n * k,
            forward_bytes=self.device.operand_bytes * (m * k + n * k) + self.activation_bytes * m * n,
            kernels=self._kernels_per_product(),
            wrappers=float(self._quantises()),
            sizes=(("m", m), ("n", n), ("k", k)),
        )  # fmt: skip

    def grouped(
        self,
        name: str,
        groups: Array,
        tokens: Array,
        n: Array | float,
        k: Array | float,
        ready: bool = False,
        ready_gradient: bool = False,
    ) -> Operation:
        """Expert products: `groups` experts on this rank share `tokens` rows.

        Without grouped kernels every expert has a dense product and a quantisation of its own, one after the
        other. An input or gradient that is `ready` was quantised by the kernel that wrote it.
        """
        n, k = np.broadcast_to(n, tokens.shape).astype(float), np.broadcast_to(k, tokens.shape).astype(float)
        fused = ready or ready_gradient
        at_once = self.stack.grouped_kernels or fused
        times = np.ones_like(groups) if at_once else groups
        share, own = groups / times, tokens / times
        fit = self.device.grouped_gemm if at_once and not fused else self.device.gemm
        forward, backward = self._directions(fit, self.stack.gemm_share * self.stack.expert_share)
        weight_grad = times * grouped_gemm_s(share, own, n, k, self.device, backward)
        input_grad = times * grouped_gemm_s(share, own, k, n, self.device, backward)
        launches, first = self._kernels_per_product(times), self._kernels_per_product()
        # A product's own launch is in its time.
        gaps = self.device.launch_s * (launches - times)
        return Operation(
            name, "expert_gemm", "moe",
            forward_s=times * grouped_gemm_s(share, own, n, k, self.device, forward)
            + (0.0 if ready else self._cast_s(tokens * k)) + gaps,
            backward_s=input_grad + weight_grad + (0.0 if ready_gradient else self._cast_s(tokens * n)) + gaps,
            weight_grad_s=weight_grad,
            forward_flops=2 * tokens * n * k,
            forward_bytes=self.device.operand_bytes * (tokens * k + groups * n * k)
            + self.activation_bytes * tokens * n,
            kernels=first + LOOP_LAUNCH * (launches - first),
            wrappers=float(self._quantises()),
            sizes=(("experts", groups), ("m", tokens), ("n", n), ("k", k)),
        )  # fmt: skip

    def _directions(self, fit: GemmEfficiency, share: float) -> tuple[GemmEfficiency, GemmEfficiency]:
        """The efficiency of forward and of backward products in this software; never above the datasheet rate."""
        forward = min(fit.peak_fraction * share, 1.0)
        return (
            fit.model_copy(update={"peak_fraction": forward}),
            fit.model_copy(update={"peak_fraction": forward * fit.backward_share}),
        )

    def softmax_attention(
        self,
        name: str,
        module: str,
        flops: Array,
        score_elements: Array,
        query_tokens: Array,
        io_elements: Array,
        head_dim: float,
        longest_keys: float,
        windowed: bool = False,
    ) -> Operation:
        """Scores, softmax and values. The fused backward pass recomputes the scores: 2.5 times the forward.

        An unfused one multiplies the masked half of the scores too, has 2 times the forward, and moves the score
        matrix through memory: about five passes forward (mask, softmax, dropout) and as many backward.
        """
        share = self.stack.attention_share * (
            1.0 if self.stack.native_attention else self.device.attention.portable_share
        )
        share *= self.stack.window_share if windowed else 1.0
        keys = np.minimum(longest_keys, query_tokens)
        forward = attention_s(flops / share, query_tokens, self.device, False, head_dim, keys)
        if self.stack.fused_attention:
            backward = attention_s(2.5 * flops / share, query_tokens, self.device, True, head_dim, keys)
            traffic = io_elements * self.activation_bytes
        else:
            moved = memory_bound_s(5 * self.activation_bytes * score_elements, self.device)
            backward = attention_s(4 * flops / share, query_tokens, self.device, backward=True) + moved
            forward = attention_s(2 * flops / share, query_tokens, self.device) + moved
            traffic = (io_elements + 5 * score_elements) * self.activation_bytes
        return Operation(
            name, "attention", module,
            forward_s=forward, backward_s=backward, weight_grad_s=np.zeros_like(forward),
            forward_flops=flops, forward_bytes=traffic, kernels=1.0 if self.stack.fused_attention else 5.0,
            sizes=(("query tokens", query_tokens),),
        )  # fmt: skip

    def scan(self, name: str, flops: Array, query_tokens: Array, io_elements: Array) -> Operation:
        """A chunked linear-attention or state-space scan; its backward pass does about twice the work."""
        io_s = memory_bound_s(io_elements * self.activation_bytes, self.device)
        work = flops / (self.device.scan_share * self.device.attention.portable_share)
        return Operation(
            name, "recurrent", "core_attn",
            forward_s=np.maximum(attention_s(work, query_tokens, self.device), io_s),
            backward_s=np.maximum(attention_s(2 * work, query_tokens, self.device, backward=True), 2 * io_s),
            weight_grad_s=np.zeros_like(flops),
            forward_flops=flops, forward_bytes=io_elements * self.activation_bytes, kernels=4.0,
            sizes=(("query tokens", query_tokens),),
        )  # fmt: skip

    def stream(
        self, name: str, module: str, forward_bytes: Array, backward_bytes: Array, kernels: float,
        part: str = "memory_bound", eager: Eager | None = None,
    ) -> Operation:  # fmt: skip
        """Element-wise and normalisation work; bytes and kernels are given as the usual fused kernels have them.

        `eager` is what software without these runs in their place, if the accelerator was measured with it.
        """
        kept = self.stack.stream_passes / (self.stack.expert_share if module in ("moe", "moe_act") else 1.0)
        fused_kernels = np.maximum(kernels * kept, 1.0)
        measured = self.device.eager.get(eager) if self.stack.eager and eager is not None else None
        if measured is None:
            forward_s = memory_bound_s(forward_bytes * kept, self.device, kernels=fused_kernels)
            backward_s = memory_bound_s(backward_bytes * kept, self.device, kernels=fused_kernels)
        else:
            forward_s = eager_s(forward_bytes, measured.forward, self.device.memory_bytes_per_s)
            backward_s = eager_s(backward_bytes, measured.backward or measured.forward, self.device.memory_bytes_per_s)
        return Operation(
            name, part, module,
            forward_s=forward_s,
            backward_s=backward_s,
            weight_grad_s=np.zeros_like(forward_bytes),
            forward_flops=np.zeros_like(forward_bytes),
            forward_bytes=forward_bytes * kept,
            kernels=float(fused_kernels),
        )  # fmt: skip

    def _kernels_per_product(self, products: Array | float = 1.0) -> Array | float:
        """Kernels of so many products: alone in 16 bits, else with the quantisation of an operand of each.

        A scale per tensor takes four kernels for every operand: clearing the maximum, finding it, the scale, the
        cast. Block scales are found while casting, and moved into the order of the product, by rows and by columns;
        operands of several products are cast together.
        """
        if not self._quantises():
            return products
        return 3.0 + products if self.device.operand_bytes != 1.0 else 5.0 * products

    def _quantises(self) -> bool:
        return self.device.operand_bytes < ACTIVATION_BYTES

    def _cast_s(self, elements: Array) -> Array:
        """Quantising one operand, see `device.cast_bytes`."""
        if not self.device.cast_bytes:
            return np.zeros_like(elements)
        return memory_bound_s(elements * self.device.cast_bytes * self.stack.quantise_passes, self.device)
