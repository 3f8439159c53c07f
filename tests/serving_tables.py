"""Iteration tables, fleets and requests that several tests of the simulation share."""

from __future__ import annotations

from typing import Any

import numpy as np

from myriad.sim.serving import Arrivals
from myriad.spec.iteration import IterationTable


def constant_table(iteration_s: float, cache_tokens: int = 10**9, **more: Any) -> IterationTable:
    """Every iteration takes the same time, whatever it holds."""
    return table_of([1.0, 2.0], [iteration_s, iteration_s], cache_tokens=cache_tokens, **more)


def linear_table(token_s: float, cache_tokens: int = 10**9, **more: Any) -> IterationTable:
    """An iteration takes this long per new token: prompts of one token of output are served in proportion."""
    return table_of([0.0, 1.0], [0.0, token_s], cache_tokens=cache_tokens, **more)


def curved_table(cache_tokens: int = 60_000, block_tokens: int = 16, **more: Any) -> IterationTable:
    """All three parts vary, with points between which they bend."""
    tokens = np.array([0.0, 1, 8, 64, 256, 1024, 4096, 8192])
    sequences, keys = np.array([0.0, 1, 4, 16, 64]), np.array([64.0, 256, 1024, 4096, 16384])
    chunk, past = np.array([0.0, 128, 1024, 8192]), np.array([0.0, 512, 4096, 32768])
    decode_s = np.sqrt(sequences)[:, None] * (1e-4 + keys[None] ** 1.1 * 1e-7)
    chunk_s = chunk[:, None] * (past[None] + chunk[:, None] / 2) * 1e-9
    return IterationTable(
        tokens=tokens, token_s=0.01 + tokens**0.9 * 3e-5, sequences=sequences, keys=keys, decode_s=decode_s,
        chunk_tokens=chunk, past_tokens=past, chunk_s=chunk_s, cache_tokens=cache_tokens, block_tokens=block_tokens,
        cache_bytes_per_token=1e5, **more,
    )  # fmt: skip


def table_of(
    tokens: list[float], token_s: list[float], cache_tokens: int, block_tokens: int = 1, **more: Any
) -> IterationTable:
    """A table without attention."""
    two = np.array([0.0, 1.0])
    return IterationTable(
        tokens=np.array(tokens), token_s=np.array(token_s), sequences=two, keys=two, decode_s=np.zeros((2, 2)),
        chunk_tokens=two, past_tokens=two, chunk_s=np.zeros((2, 2)), cache_tokens=cache_tokens,
        block_tokens=block_tokens, cache_bytes_per_token=1.0, **more,
    )  # fmt: skip


def requests(arrival_s: Any, input_tokens: Any, output_tokens: Any, **more: Any) -> Arrivals:
    """Requests from lists or single numbers."""
    times = np.asarray(arrival_s, dtype=np.float64)
    full = np.ones(len(times), dtype=np.int64)
    return Arrivals(times, full * np.asarray(input_tokens), full * np.asarray(output_tokens), **more)


def mixed_requests(number: int, rate_per_s: float, seed: int = 0, **more: Any) -> Arrivals:
    """Poisson requests of varied lengths."""
    generator = np.random.default_rng(seed)
    return requests(
        np.cumsum(generator.exponential(1 / rate_per_s, number)), generator.integers(1, 3000, number),
        generator.integers(1, 400, number), **more,
    )  # fmt: skip
