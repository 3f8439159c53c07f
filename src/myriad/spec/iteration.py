"""Tables of how long one iteration of a serving engine takes on one replica: what a simulation steps with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class IterationTable:
    """Time of one iteration of one copy of attention, in seconds, as the sum of three tables; capacity beside it.

        iteration_s = token_s(new tokens of the iteration)
                    + decode_s(sequences that decode, their mean cached tokens)
                    + sum over prefill chunks of chunk_s(new tokens of the chunk, cached tokens before it)

    Interpolated linearly between its axes; beyond the last point of an axis, along the last slope. Axes rise.
    """

    tokens: Array
    """(N,) new tokens: one per decoding sequence (one more per drafted token) and those of prefill chunks."""
    token_s: Array
    """(N,) all but attention: products, experts, element-wise work, communication, head, host."""
    sequences: Array
    """(B,) sequences that decode, from 0 on."""
    keys: Array
    """(K,) mean cached tokens of these."""
    decode_s: Array
    """(B, K) their attention."""
    chunk_tokens: Array
    """(P,) new tokens of one prefill chunk, from 0 on."""
    past_tokens: Array
    """(Q,) cached tokens before the chunk."""
    chunk_s: Array
    """(P, Q) attention of one chunk."""
    cache_tokens: int
    """Tokens whose keys and values fit in the memory of the copy."""
    block_tokens: int
    """Tokens of one block of the paged cache; sequences take whole blocks."""
    cache_bytes_per_token: float
    """Bytes of one token's keys and values over all ranks of the copy: what disaggregation sends."""
    tokens_per_sequence: int = 1
    """Tokens that a decoding sequence brings to an iteration: 1 and those drafted."""
    accepted_tokens: float = 1.0
    """Output tokens that a decoding sequence gains by an iteration, on average."""
