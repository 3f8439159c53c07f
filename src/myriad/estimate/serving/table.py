"""Iteration tables of one replica, for simulations and searches that ask for thousands of batches."""

from __future__ import annotations

import numpy as np

from myriad.estimate.serving.attention import chunk_parts
from myriad.estimate.serving.cache import cache_room_bytes, sequence_bytes
from myriad.estimate.serving.iteration import Iteration, iteration_parts
from myriad.estimate.serving.machine import Array, Cut, Machine
from myriad.estimate.serving.parts import whole_s
from myriad.spec.iteration import IterationTable
from myriad.spec.model import Model
from myriad.spec.serving import ServingLayout, Speculation

CACHE_SAMPLE_TOKENS = 8192.0
"""Length of the sequence whose cache, divided by its tokens, counts as that of a token: windows and states included."""


def iteration_table(
    model: Model,
    layout: ServingLayout,
    machine: Machine,
    batched_tokens: int,
    sequences: int,
    memory_fraction: float,
    longest_tokens: int = 131072,
    speculation: Speculation | None = None,
) -> IterationTable:
    """The table of one copy of attention of a replica, all copies alike.

    `batched_tokens` and `sequences` bound an iteration. The table of tokens is that of one chunk that attends to
    nothing; what decoding sequences take beside it, head, sampling and drafting with their attention, is in the table
    of decoding. Attention, products and the rest follow each other, so that their sum is exact but for interpolation
    and for exchange that the halves of an iteration hide, which counts as seen.
    """
    cut = Cut.of([layout])
    steps = 24
    tokens = _rising(1.0, float(max(batched_tokens, 2)), 2 * steps)
    batch = _rising(1.0, float(max(sequences, 2)), steps)
    keys = _rising(16.0, float(longest_tokens), steps)
    chunk = _rising(16.0, float(max(batched_tokens, 32)), steps)
    past = np.concatenate([[0.0], _rising(64.0, float(longest_tokens), steps)])
    drafted = 0 if speculation is None else speculation.draft_tokens

    def cuts(count: int) -> Cut:
        return cut.take(np.zeros(count, dtype=np.int64))

    engine = machine.engine
    launching_s = engine.prefill_s + engine.prefill_layer_s * model.num_layers

    def of_tokens_s(new: Array) -> Array:
        none, one = np.zeros_like(new), np.ones_like(new)
        alone = Iteration(none, none + 1.0, one, new, none, one)
        attention_s = whole_s(chunk_parts(model, cuts(new.size), new, none, one, machine))
        return whole_s(iteration_parts(model, cuts(new.size), alone, machine)) - attention_s - launching_s

    b, k = (grid.ravel() for grid in np.meshgrid(batch, keys, indexing="ij"))
    none, one = np.zeros_like(b), np.ones_like(b)
    decoding = Iteration(b, k, none, none, none, one)
    decode_s = whole_s(iteration_parts(model, cuts(b.size), decoding, machine, speculation))
    decode_s = np.maximum(decode_s - of_tokens_s(b * (1.0 + drafted)), 0.0).reshape(batch.size, keys.size)
    token_s = of_tokens_s(tokens)
    c, p = (grid.ravel() for grid in np.meshgrid(chunk, past, indexing="ij"))
    chunk_s = whole_s(chunk_parts(model, cuts(c.size), c, p, np.ones_like(c), machine)).reshape(chunk.size, past.size)
    chunk_s = chunk_s + launching_s

    room = cache_room_bytes(model, cut, np.array([float(batched_tokens)]), memory_fraction, machine)
    per_token = sequence_bytes(model, cut, np.array([CACHE_SAMPLE_TOKENS]), machine) / CACHE_SAMPLE_TOKENS
    return IterationTable(
        tokens=np.concatenate([[0.0], tokens]),
        token_s=np.concatenate([[0.0], token_s]),
        sequences=np.concatenate([[0.0], batch]),
        keys=keys,
        decode_s=np.concatenate([np.zeros((1, keys.size)), decode_s]),
        chunk_tokens=np.concatenate([[0.0], chunk]),
        past_tokens=past,
        chunk_s=np.concatenate([np.zeros((1, past.size)), chunk_s]),
        cache_tokens=int(max(room[0], 0.0) / per_token[0]),
        block_tokens=engine.block_tokens,
        cache_bytes_per_token=float(per_token[0] * layout.tp * layout.pp),
        tokens_per_sequence=1 + drafted,
        accepted_tokens=1.0 if speculation is None else speculation.accepted_tokens,
    )


def _rising(first: float, last: float, steps: int) -> Array:
    """Whole numbers from first to last, spaced by a constant ratio, each once."""
    return np.unique(np.round(np.geomspace(first, last, steps)))
