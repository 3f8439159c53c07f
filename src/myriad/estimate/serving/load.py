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


@dataclass(frozen=True)
class Limits:
    """What bounds a batch on one copy of attention, arrays (U,)."""

    batched_tokens: Array
    sequences: Array
    memory_fraction: float
    speculation: Speculation | None = None

    @property
    def tokens_per_pass(self) -> float:
        """Tokens that one pass yields per sequence."""
        return 1.0 if self.speculation is None else self.speculation.accepted_tokens

    @property
    def checked_per_pass(self) -> float:
        """Tokens that one pass runs on per sequence: its last one and the drafted ones."""
        return 1.0 if self.speculation is None else self.speculation.draft_tokens + 1.0


def handled_s(load: Load, engine: ServingEngine) -> Array:
    """Time that a request takes on its way to the queue and back to the client, in seconds."""
    taken: Array = engine.request_s + engine.request_token_s * load.input_tokens
    return taken
