"""What serving estimates give: latencies, throughput, memory, and what they are made of."""

from __future__ import annotations

from myriad.spec.base import Spec
from myriad.spec.serving import Deployment, Requests


class ReplicaMemory(Spec):
    """Memory of one accelerator of a replica, in bytes."""

    capacity_bytes: float
    """What the driver lets programs use."""
    weights_bytes: float
    work_bytes: float
    """Work space of an iteration, graphs, collectives."""
    cache_bytes: float
    """Room that is left for keys, values and states under the engine's share of the memory."""
    sequence_bytes: float
    """Of the cache, what one request takes at the end of its answer."""


class ServingEstimate(Spec):
    """One deployment in its steady state under requests of one kind."""

    deployment: Deployment
    requests: Requests
    concurrency: float | None
    """Requests in the deployment at once; `None` where more wait than fit."""
    ttft_s: float
    """Mean time to the first token, queues included."""
    tpot_s: float
    """Mean time per output token after the first."""
    request_s: float
    """Mean time from a request's arrival to its last token."""
    requests_per_s: float
    output_tokens_per_s: float
    output_tokens_per_s_per_gpu: float
    input_tokens_per_s_per_gpu: float
    batch: float
    """Sequences that decode at once on one copy of attention."""
    most_sequences: float
    """Sequences that one copy has room for."""
    prefill_share: float
    """Share of iterations that hold prefill; with prefill apart, share of its capacity in use."""
    decode_s: float
    """Time of an iteration that only decodes."""
    decode_parts_s: dict[str, float]
    """By kind; sums to `decode_s`."""
    prefill_s: float
    """Time of an iteration that prefills."""
    prefill_parts_s: dict[str, float]
    """By kind; sums to `prefill_s`."""
    lower_bound_tpot_s: float
    """Weights and cache of one iteration streamed at the datasheet bandwidth, nothing else, per token."""
    memory: ReplicaMemory
    fits: bool
    saturated: bool
    """Whether requests wait for a place rather than for an iteration."""
    binding: str
    """What limits: memory, prefill, or the largest kind of time of the decode iteration."""
    caveats: tuple[str, ...] = ()
