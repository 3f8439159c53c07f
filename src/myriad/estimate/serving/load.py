"""What replicas are asked for, and what bounds their batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from myriad.estimate.serving.machine import Array
from myriad.spec.serving import Speculation
from myriad.spec.serving_engine import ServingEngine


@dataclass(frozen=True)
class Load:
    """What one replica is asked for, arrays (U,)."""

    concurrency: Array
    """Requests in the replica at once; infinite where as many are queued as fit."""
    input_tokens: Array
    output_tokens: Array
    cached_tokens: Array
    """Of the input, found in the prefix cache."""
    rounds: float = np.inf
    """Requests per place of the concurrency that are measured: in the first round all of them come at once."""
    equal: bool = False
    """Whether all requests are of equal lengths, so that those that begin to decode together also end together."""


@dataclass(frozen=True)
class Limits:
    """What bounds a batch on one copy of attention, arrays (U,)."""

    batched_tokens: Array
    sequences: Array
    memory_fraction: float
    speculation: Speculation | None = None
    stream_interval: float = 1.0
    balance_iterations: float = 0.0
    """See `spec.serving.ServingWork`; without effect on one copy of attention."""

    @property
    def tokens_per_pass(self) -> float:
        """Tokens that one pass yields per sequence."""
        return 1.0 if self.speculation is None else self.speculation.accepted_tokens

    @property
    def checked_per_pass(self) -> float:
        """Tokens that one pass runs on per sequence: its last one and the drafted ones."""
        return 1.0 if self.speculation is None else self.speculation.draft_tokens + 1.0


def as_seen(ready_s: Array, token_s: Array, load: Load, limits: Limits, engine: ServingEngine) -> tuple[Array, Array]:
    """TTFT and TPOT in seconds as a client sees them: with the way to and from the engine, tokens sent in groups."""
    gathered = np.minimum(limits.stream_interval, load.output_tokens) - 1.0
    ttft_s = ready_s + gathered * token_s + engine.request_s + engine.request_token_s * load.input_tokens
    after = np.maximum(load.output_tokens - 1.0, 1e-9)
    return ttft_s, token_s * np.maximum(after - gathered, 1e-9) / after
