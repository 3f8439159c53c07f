"""Speed of a model on one device: what a pass reads and computes, and how long that takes.

A decoding pass of `b` sequences, each with a cache of so many bytes:

    step = weights / weight rate + b cache / cache rate + layers x layer time + (b - 1) `sequence` work / compute rate

A prompt of n tokens goes in chunks, each of which reads all weights once:

    prefill = chunks x (weights / weight rate + layers x layer time) + work / compute rate + pairs / attention rate
              + tokens x recurrent layers x scan time

Drafting tokens, of which a pass keeps `accepted`:

    pass = step x (1 + draft) + b x check x work per token / compute rate

All of it broadcasts. Rates are shares of the chip's memory bandwidth and 16-bit peak, fitted by runtime and compute
unit (`spec.on_device.Rate`). Left out: heat (phones slow down after minutes), the vision tower, sampling.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myriad.errors import MissingDataError
from myriad.estimate.device_load import Load
from myriad.spec.accelerator import Accelerator
from myriad.spec.on_device import ComputeUnit, DeviceFactor, DraftMethod, Rate, RuntimeFit

Array = npt.NDArray[np.float64]
Figure = float | Array

RATE_PRIOR = {
    "weights": 0.7, "cache": 0.5, "layer": 50e-6, "recurrent": 30e-6, "attention": 0.3, "scan": 10e-6,
    "sequence": 2.0, "padding": 20.0, "hop": 100e-6, "spread": 0.3, "draft": 1.0, "check": 5.0, "accepted": 1.7,
}  # fmt: skip
"""Figures before any fit; `compute` depends on what it is a share of."""
COMPUTE_PRIOR = {"memory": 20.0, "peak": 0.4}
"""FLOP per byte of memory bandwidth, and share of the 16-bit peak."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How fast a chip, a unit and a runtime are, each figure a number or an array."""

    weights: Figure
    """Bytes/s."""
    cache: Figure
    """Bytes/s."""
    layer: Figure
    """Seconds."""
    recurrent: Figure
    """Seconds."""
    compute: Figure
    """FLOP/s."""
    attention: Figure
    """FLOP/s."""
    scan: Figure
    """Seconds."""
    sequence: Figure
    """Prefilled tokens that a further sequence costs."""
    padding: Figure
    """Tokens of a further prompt."""
    hop: Figure
    """Seconds."""
    spread: Figure
    """Exponent of the number of accelerators."""
    draft: Figure
    """Passes."""
    check: Figure
    """Tokens."""
    accepted: Figure
    """Tokens per pass."""


def applies(factor: DeviceFactor, accelerator_id: str, quantisation_id: str, method: DraftMethod | None) -> bool:
    """Whether a fitted figure counts for a run."""
    return (
        factor.accelerator in (None, accelerator_id)
        and factor.quantisation in (None, quantisation_id)
        and factor.method in (None, method)
    )


def borrowed(
    runtimes: Iterable[RuntimeFit], accelerator: Accelerator, accelerator_id: str, unit: ComputeUnit
) -> RuntimeFit | None:
    """The runtime whose figures stand in where none was fitted of a runtime or chip; `None` without any on that unit.

    Before others: one fitted on that chip, one with the reference that the chip states, the one with most rows.
    """
    peak = accelerator.fp16_flops_per_s or accelerator.bf16_flops_per_s

    def order(one: RuntimeFit) -> tuple[bool, bool, int]:
        return accelerator_id in one.accelerators, (one.reference == "peak") == (peak is not None), one.rows

    return max((one for one in runtimes if unit in one.units), key=order, default=None)


def references(accelerator: Accelerator, runtime: RuntimeFit) -> dict[Rate, float]:
    """What the fitted figures of each rate are shares of, in base units; 1 for those in seconds or pure numbers.

    Raises MissingDataError for a chip without memory bandwidth, or without a 16-bit peak where that is the reference.
    """
    bandwidth, peak = accelerator.memory_bytes_per_s, accelerator.fp16_flops_per_s or accelerator.bf16_flops_per_s
    if bandwidth is None:
        raise MissingDataError(f"{accelerator.name} has no memory_bytes_per_s")
    compute = bandwidth if runtime.reference == "memory" else peak
    if compute is None:
        raise MissingDataError(
            f"{accelerator.name} has no bf16_flops_per_s, which speeds of {runtime.runtime} build on"
        )
    return {"weights": bandwidth, "cache": bandwidth, "compute": compute, "attention": compute}


def rates(
    accelerator: Accelerator,
    accelerator_id: str,
    runtime: RuntimeFit,
    quantisation_id: str,
    method: DraftMethod | None = None,
) -> Rates:
    """The rates of one chip with one runtime: references times all fitted figures that apply."""
    values: dict[Rate, float] = {**dict.fromkeys(RATES, 1.0), **references(accelerator, runtime)}
    for factor in runtime.factors:
        if applies(factor, accelerator_id, quantisation_id, method):
            values[factor.rate] *= factor.value
    return Rates(**values)


RATES: tuple[Rate, ...] = (
    "weights", "cache", "layer", "recurrent", "compute", "attention", "scan", "sequence", "padding", "hop", "spread",
    "draft", "check", "accepted",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is decoded or prefilled, as numbers or arrays: the load at this batch, context and prompt."""

    pass_bytes: Figure
    """Weights that a decoding pass reads."""
    prompt_bytes: Figure
    """Weights that one chunk of a prompt reads."""
    cache_bytes: Figure
    """Of one sequence."""
    flops_per_token: Figure
    attention_flops: Figure
    """Of all prompts."""
    layers: Figure
    recurrent_layers: Figure
    batch: Figure
    devices: Figure
    """Accelerators that hold consecutive layers; one token passes them in turn."""
    drafts: Figure
    """1 where tokens are drafted, else 0."""
    prompt_tokens: Figure
    """Tokens computed of all prompts, padding of chunks included."""
    chunks: Figure


def fixed_s(work: Work, rates: Rates, weight_bytes: Figure) -> Figure:
    """Seconds of a pass that do not depend on its tokens: reading weights, starting kernels, handing over."""
    layers = work.layers * rates.layer + work.recurrent_layers * rates.recurrent
    return weight_bytes / rates.weights + layers + (work.devices - 1.0) * rates.hop


def decode_tokens_per_s(work: Work, rates: Rates) -> Figure:
    """Tokens/s of all sequences together, see the module's docstring."""
    token_s = work.flops_per_token / rates.compute
    step_s = (
        fixed_s(work, rates, work.pass_bytes)
        + work.batch * work.cache_bytes / rates.cache
        + (work.batch - 1.0) * rates.sequence * token_s
    )
    pass_s = step_s * (1.0 + work.drafts * rates.draft) + work.drafts * work.batch * rates.check * token_s
    return work.batch * np.where(work.drafts, rates.accepted, 1.0) / pass_s


def prefill_s(work: Work, rates: Rates) -> Figure:
    """Seconds from the prompts of all sequences, in one batch, to their first tokens."""
    tokens = work.prompt_tokens + (work.batch - 1.0) * rates.padding
    compute_s = tokens * work.flops_per_token / rates.compute + work.attention_flops / rates.attention
    scan_s = tokens * work.recurrent_layers * rates.scan
    return work.chunks * fixed_s(work, rates, work.prompt_bytes) + (compute_s + scan_s) / work.devices**rates.spread


def chunking(runtime: RuntimeFit, prompt_tokens: float) -> tuple[float, float]:
    """Chunks of a prompt, and tokens computed with their padding."""
    if runtime.chunk_tokens is None:
        return 1.0, prompt_tokens
    chunks = float(np.ceil(prompt_tokens / runtime.chunk_tokens))
    return chunks, chunks * runtime.chunk_tokens if runtime.padded else prompt_tokens


def work_of(
    one: Load,
    runtime: RuntimeFit,
    *,
    context_tokens: float,
    prompt_tokens: float,
    batch: int = 1,
    devices: int = 1,
    drafts: bool = False,
) -> Work:
    """The work of one run: decoding at `context_tokens` of cache, and a prompt of `prompt_tokens` per sequence."""
    chunks, computed = chunking(runtime, prompt_tokens)
    return Work(
        pass_bytes=one.pass_bytes(batch),
        prompt_bytes=one.pass_bytes(batch * computed / chunks),
        cache_bytes=one.cache_bytes(context_tokens),
        flops_per_token=one.flops_per_token,
        attention_flops=batch * one.attention_flops(computed),
        layers=float(one.layers),
        recurrent_layers=float(one.recurrent_layers),
        batch=float(batch),
        devices=float(devices),
        drafts=float(drafts),
        prompt_tokens=batch * computed,
        chunks=chunks,
    )


def stacked(works: Iterable[Work]) -> Work:
    """Many runs as one, every figure an array (R,)."""
    table = list(works)
    return Work(**{name: np.array([getattr(work, name) for work in table]) for name in Work.__dataclass_fields__})
